"""The store in one SQLite file: each operation is one statement, and so one transaction.

For one machine: any number of threads and processes may share the file. Holds bytes and text,
and never decodes them; `sqlite3 runs.db 'SELECT * FROM runs'` shows all there is.
"""

from __future__ import annotations

import os
import weakref
from datetime import UTC
from pathlib import Path
from typing import Any, Final, Self

from longterm.clock import Clock, SystemClock
from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store._sqlite_file import SQLiteFile
from longterm.store._sqlite_pool import ConnectionPool

_COLUMNS: Final = "id, flow, state, turn, waiting_for, stack, response, result, error"

_CREATE: Final = (
    f"INSERT INTO runs ({_COLUMNS}, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING RETURNING turn"
)
_GET: Final = f"SELECT {_COLUMNS} FROM runs WHERE id = ?"
_CLAIM: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, updated_at = ?"
    " WHERE id = ? AND waiting_for = ? AND state = 'suspended'"
    f" RETURNING {_COLUMNS}"
)
_SAVE: Final = (
    "UPDATE runs SET flow = ?, state = ?, waiting_for = ?, stack = ?, response = ?, result = ?,"
    " error = ?, updated_at = ?"
    " WHERE id = ? AND turn = ? AND state = 'running' RETURNING turn"
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
        clock: Clock | None = None,
    ) -> None:
        """Note where the runs are; the file is opened, or made, when it is first needed.

        Args:
            path: the file. A relative one counts from the present working directory.
            synchronous: `FULL`: a saved turn survives a power failure. `NORMAL`: the last turns
                may be lost with the power (not with the process), and a save costs a tenth.
            busy_seconds: how long a step waits for other processes before it gives up.
            clock: where `created_at` and `updated_at` come from.
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
        self._clock = SystemClock() if clock is None else clock
        self._pool = ConnectionPool(self._file.connect)
        self._at_exit = weakref.finalize(self, self._pool.close)

    def create(self, run: Run) -> Run:
        now = self._now()
        row = (
            *(run.id, run.flow, run.state.value, run.turn, run.waiting_for, run.stack),
            *(run.encoded_response, run.encoded_result, run.error, now, now),
        )
        if not self._write(_CREATE, row, "create run", run.id):
            raise RunExists(run.id)
        return run

    def get(self, run_id: str) -> Run:
        rows = self._read(_GET, (run_id,), "get run", run_id)
        if not rows:
            raise UnknownRun(run_id)
        return _run(rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        parameters = (self._now(), run_id, event_id)
        rows = self._write(_CLAIM, parameters, "claim run", run_id, is_durable=False)
        if rows:
            return _run(rows[0])
        self.get(run_id)  # raises if there is no such run
        return None

    def update(self, run: Run) -> Run:
        row = (
            *(run.flow, run.state.value, run.waiting_for, run.stack),
            *(run.encoded_response, run.encoded_result, run.error, self._now()),
            *(run.id, run.turn),
        )
        if not self._write(_SAVE, row, "save run", run.id):
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

    def _now(self) -> str:
        """Return the present as text that people read and that sorts by time."""
        now = self._clock.now().astimezone(UTC).replace(tzinfo=None)
        return now.isoformat(timespec="microseconds") + "Z"


def _run(row: tuple[Any, ...]) -> Run:
    """Make a run of a row of `_COLUMNS`."""
    run_id, flow, state, turn, waiting_for, stack, response, result, error = row
    return Run(
        id=run_id,
        flow=flow,
        state=RunState(state),
        turn=turn,
        waiting_for=waiting_for,
        stack=stack,
        encoded_response=response,
        encoded_result=result,
        error=error,
    )
