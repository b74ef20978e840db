"""The floors: what a turn would cost in bare drivers, without longterm, and without its promises.

Each is the least that a careful author would write by hand for the survey: the state packed by
msgpack in a table with a primary key and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgpack import packb, unpackb

from longterm.store.sqlite._log import Log
from tests.benchmarks.flows import EVENT, PADDING

SURVEY = {"total": 0, "padding": PADDING}
RUNS = 1_000


def packed(state: Any = SURVEY, runs: int = RUNS) -> Callable[[int], None]:
    """Return a turn on packed states in a dict."""
    stored = dict.fromkeys(range(runs), packb(state))

    def turn(number: int) -> None:
        stored[number % runs] = advanced(stored[number % runs])

    return turn


class BareSQLite:
    """A table in a file, and turns on it in one transaction, or in two as a claim and a save."""

    def __init__(self, path: Path, synchronous: str, *, runs: int = RUNS) -> None:
        """Open a file; it must be filled before turns are taken."""
        self.path = path
        self.runs = runs
        self._log: Log | None = None
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(f"PRAGMA synchronous = {synchronous}")

    def fill(self, state: Any = SURVEY) -> BareSQLite:
        """Make the table, full of suspended runs, and return the whole."""
        self.connection.execute(
            "CREATE TABLE runs (id TEXT PRIMARY KEY, state TEXT, turn INTEGER, body BLOB)"
        )
        body = packb(state)
        with self.connection:
            self.connection.execute("BEGIN")
            self.connection.executemany(
                "INSERT INTO runs VALUES (?, 'suspended', 1, ?)",
                ((f"run {number}", body) for number in range(self.runs)),
            )
        return self

    def __enter__(self) -> BareSQLite:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def one(self, number: int) -> None:
        """Take a turn in one transaction: nobody else can write while it runs."""
        run_id, execute = f"run {number % self.runs}", self.connection.execute
        execute("BEGIN IMMEDIATE")
        ((body, turn),) = execute("SELECT body, turn FROM runs WHERE id = ?", (run_id,)).fetchall()
        execute(
            "UPDATE runs SET body = ?, turn = ? WHERE id = ?", (advanced(body), turn + 1, run_id)
        )
        execute("COMMIT")

    def two(self, number: int) -> None:
        """Claim and save in a transaction each, as longterm does: the turn itself locks nothing."""
        run_id, execute = f"run {number % self.runs}", self.connection.execute
        ((body, turn),) = execute(
            "UPDATE runs SET state = 'running', turn = turn + 1"
            " WHERE id = ? AND state = 'suspended' RETURNING body, turn",
            (run_id,),
        ).fetchall()
        execute(
            "UPDATE runs SET state = 'suspended', body = ? WHERE id = ? AND turn = ?",
            (advanced(body), run_id, turn),
        )

    def two_with_one_wait(self, number: int) -> None:
        """Do the same in a file in `NORMAL`, and wait for the disk after the save alone."""
        self.two(number)
        if self._log is None:
            self._log = Log(str(self.path))
        self._log.sync()


class BarePostgres:
    """A plain table, and turns on it: claim and save, each committed by itself."""

    def __init__(self, connection: Any, table: str = "bare", *, runs: int = RUNS) -> None:
        """Make the table anew, full of suspended runs."""
        self.table, self.runs = table, runs
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(
            f"CREATE TABLE {table} (id text PRIMARY KEY, state text, turn bigint, body bytea)"
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table} VALUES (%s, 'suspended', 1, %s)",
                [(f"run {number}", packb(SURVEY)) for number in range(runs)],
            )

    def turn(self, connection: Any) -> Callable[[int], None]:
        """Return what takes a turn over a connection."""
        claim = (
            f"UPDATE {self.table} SET state = 'running', turn = turn + 1"
            " WHERE id = %s AND state = 'suspended' RETURNING body, turn"
        )
        save = f"UPDATE {self.table} SET state = 'suspended', body = %b WHERE id = %s AND turn = %s"

        def turn(number: int) -> None:
            run_id = f"run {number % self.runs}"
            ((body, claimed),) = connection.execute(claim, (run_id,), binary=True).fetchall()
            connection.execute(save, (advanced(body), run_id, claimed))

        return turn


def advanced(body: bytes) -> bytes:
    """Return a packed state one event later."""
    state = unpackb(body, strict_map_key=False)
    state["total"] += EVENT["n"]
    changed: bytes = packb(state)
    return changed
