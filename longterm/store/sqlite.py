"""The store in one SQLite file: each operation is one statement, and so one transaction.

For one machine: any number of threads and processes may share the file. Holds bytes and text,
and never decodes them; `sqlite3 runs.db 'SELECT * FROM runs'` shows all there is.
"""

from __future__ import annotations

import os
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run
from longterm.store._rows import COLUMNS, row_of, run_of
from longterm.store._sqlite_file import SQLiteFile
from longterm.store._sqlite_pool import ConnectionPool

_NAMES: Final = ", ".join(COLUMNS)
_CHANGES: Final = ", ".join(f"{name} = ?" for name in COLUMNS[2:])

_CREATE: Final = (
    f"INSERT INTO runs ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)})"
    " ON CONFLICT (id) DO NOTHING RETURNING turn"
)
_GET: Final = f"SELECT {_NAMES} FROM runs WHERE id = ?"
_CLAIM: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1"
    f" WHERE id = ? AND waiting_for = ? AND state = 'suspended' RETURNING {_NAMES}"
)
_SAVE: Final = (
    f"UPDATE runs SET {_CHANGES} WHERE id = ? AND turn = ? AND state = 'running' RETURNING turn"
)

_SYNCHRONOUS: Final = ("FULL", "NORMAL")


class SQLiteStore:
    """A store in a file, made at its first use.

    Can be used as a context manager. Whoever does not close it has it closed at the end of the
    process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: str = "FULL",
        busy_seconds: float = 30.0,
    ) -> None:
        """Note where the runs are; the file is opened, or made, when it is first needed.

        Args:
            path: the file. A relative one counts from the present working directory.
            synchronous: `FULL`: a saved turn survives a power failure. `NORMAL`: the last turns
                may be lost with the power (not with the process), and a save costs a tenth.
            busy_seconds: how long a step waits for other processes before it gives up.
        """
        if synchronous.upper() not in _SYNCHRONOUS:
            raise StoreError(
                f"synchronous={synchronous!r} is no setting of the SQLite store "
                f"(choose {' or '.join(_SYNCHRONOUS)})"
            )
        if os.fspath(path) in ("", ":memory:"):
            raise StoreError(
                f"the SQLite store needs a file, not {os.fspath(path)!r} "
                "(for runs in memory use `memory://`)"
            )
        self.path = Path(path).absolute()
        self._file = SQLiteFile(self.path, synchronous.upper(), busy_seconds)
        self._pool = ConnectionPool(self._file.connect)
        self._at_exit = weakref.finalize(self, self._pool.close)

    def create(self, run: Run) -> Run:
        if not self._write(_CREATE, _sqlite_row(run), "create run", run.id):
            raise RunExists(run.id)
        return run

    def get(self, run_id: str) -> Run:
        rows = self._read(_GET, (run_id,), "get run", run_id)
        if not rows:
            raise UnknownRun(run_id)
        return run_of(rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        rows = self._write(_CLAIM, (run_id, event_id), "claim run", run_id, is_durable=False)
        if rows:
            return run_of(rows[0])
        self.get(run_id)  # raises if there is no such run
        return None

    def update(self, run: Run) -> Run:
        run_id, turn, *changes = _sqlite_row(run)
        if not self._write(_SAVE, (*changes, run_id, turn), "save run", run.id):
            self.get(run.id)  # raises if there is no such run
            raise ClaimLost(run.id, run.turn)
        return run

    def close(self) -> None:
        """Close the file; every later step raises. Closing twice is allowed."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _read(
        self, statement: str, parameters: tuple[object, ...], asked: str, run_id: str
    ) -> list[Any]:
        connection = self._pool.lend()
        try:
            return self._file.retrying(
                lambda: connection.execute(statement, parameters).fetchall(),
                f"{asked} {run_id!r} in {self.path}",
            )
        finally:
            self._pool.give_back(connection)

    def _write(
        self,
        statement: str,
        parameters: tuple[object, ...],
        asked: str,
        run_id: str,
        *,
        is_durable: bool = True,
    ) -> list[Any]:
        # In the write-ahead log a durable commit makes all earlier ones durable too, so a claim
        # need not wait for the disk: the save of its turn will, and half the waiting is gone. Only
        # a failure of the whole machine can undo a claim, and no claimant outlives that.
        is_switching = self._file.synchronous != "NORMAL"
        synchronous = self._file.synchronous if is_durable else "NORMAL"

        def step() -> list[Any]:
            if is_switching:
                connection.execute(f"PRAGMA synchronous = {synchronous}")
            # Until its last row is fetched, the statement's transaction is open.
            return connection.execute(statement, parameters).fetchall()

        with self._pool.writing:
            connection = self._pool.lend()
            try:
                return self._file.retrying(step, f"{asked} {run_id!r} in {self.path}")
            finally:
                self._pool.give_back(connection)


def _sqlite_row(run: Run) -> tuple[Any, ...]:
    """Return the columns of a run, moments as text that people read and that sorts by time."""
    return tuple(_text(value) if isinstance(value, datetime) else value for value in row_of(run))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
