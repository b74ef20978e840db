"""A real PgBouncer for the tests, in transaction mode: Debian's package `pgbouncer`.

A Postgres server goes in; a pooler that shares two sessions with it among all its clients comes
out, on a free port of this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.store.postgres_server import NOBODY, PostgresServer

SESSIONS = 2
"""So few that statements of one client soon meet sessions that another one used."""


def find_pgbouncer() -> str | None:
    """Return the program, or None if it is not installed."""
    # Debian puts it where only root looks.
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """A pooler with its files in a temporary folder. It refuses to run as root."""

    def __init__(self, program: str, server: PostgresServer) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="longterm-pgbouncer-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._server = server
        (self._folder / "users").write_text('"postgres" ""\n')
        settings = self._folder / "settings.ini"
        settings.write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={server.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self._folder / 'users'}\n"
            f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nmax_client_conn = 200\n"
        )
        user: dict[str, object] = {}
        if os.getuid() == 0:
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        self._process = subprocess.Popen(
            [program, "-q", settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,  # type: ignore[call-overload]
        )
        self._wait_until_it_listens()

    def url(self, database: str) -> str:
        return self._server.url(database).replace(f":{self._server.port}/", f":{self.port}/")

    def remove(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder)

    def _wait_until_it_listens(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise TimeoutError(f"PgBouncer did not listen within {seconds:g} seconds")
