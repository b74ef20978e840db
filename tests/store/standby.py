"""A primary with a standby for the tests: two real Postgres servers on this machine.

A primary goes in; a standby comes out that follows it, and that can be cut off from it, or made the
primary in its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from tests.store.postgres_server import PostgresServer


class Standby(PostgresServer):
    """A server that writes down what a primary writes."""

    def __init__(self, binaries: Path, primary: PostgresServer, *, port: int | None = None) -> None:
        self._primary = primary
        super().__init__(binaries, port=port)
        ask(primary.url(), "SELECT pg_reload_conf()")
        wait_until(lambda: self._is_followed("streaming"), "the standby follows")

    def _initialize(self, initdb: tuple[str, ...]) -> None:
        self._run(
            "pg_basebackup", "-D", "data", "-R", "-N", "-c", "fast", "-d", self._primary.url()
        )

    def cut_off(self) -> None:
        """Let nothing more come from the primary, which does not know why."""
        ask(self.url(), "ALTER SYSTEM SET primary_conninfo = ''")
        ask(self.url(), "SELECT pg_reload_conf()")
        wait_until(lambda: not self._is_followed("streaming"), "the standby is cut off")

    def promote(self) -> None:
        """Make it the primary."""
        self._run("pg_ctl", "-D", "data", "-w", "promote")

    def _is_followed(self, state: str) -> bool:
        followers = ask(self._primary.url(), "SELECT state FROM pg_stat_replication")
        return (state,) in followers


class Pair:
    """A primary and its standby."""

    def __init__(self, primary: PostgresServer, standby: Standby) -> None:
        self.primary = primary
        self.standby = standby

    def url(self) -> str:
        """Return a URL that leads to whichever of the two can be written."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Lose the primary for good; the standby takes over as it is."""
        self.primary.kill_all()
        self.standby.promote()

    def commits_wait(self) -> None:
        """Let each commit from now on wait until the standby has it."""
        ask(self.primary.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
        ask(self.primary.url(), "SELECT pg_reload_conf()")
        wait_until(
            lambda: ask(self.primary.url(), "SHOW synchronous_standby_names") == [("*",)],
            "it is set",
        )


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what a database answers."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for something that a server does by itself."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so after {seconds:g} seconds: {what}"
        time.sleep(0.02)
