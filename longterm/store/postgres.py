"""The store in a Postgres database: each operation is one statement, one round trip.

For many machines. Every statement touches one row, by its key. Holds bytes and text, and never
decodes them; the runs are in the table `longterm.runs`.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, LiteralString, Self

from longterm.clock import Clock, SystemClock
from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState

try:
    from longterm.store._postgres_pool import PostgresPool
    from longterm.store._postgres_schema import ensure_schema, schema_sql
except ImportError as error:
    raise StoreError(
        f"the Postgres store needs psycopg (pip install 'longterm[postgres]'): {error}"
    ) from error

__all__ = ["PostgresStore", "schema_sql"]

_COLUMNS: Final = "id, flow, state, turn, waiting_for, stack, response, result, error"

_CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({_COLUMNS}, created_at, updated_at)"
    " VALUES (%s, %s, %s, %s, %s, %b, %b, %b, %s, %s, %s)"
    " ON CONFLICT (id) DO NOTHING RETURNING turn"
)
_GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM longterm.runs WHERE id = %s"
# A claim is as durable as a save. If it could be lost when the server crashes, its claimant would
# live on, and the next one would be given the same turn: the fence between the two would be gone.
_CLAIM: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, updated_at = %s"
    " WHERE id = %s AND waiting_for = %s AND state = 'suspended'"
    f" RETURNING {_COLUMNS}"
)
_SAVE: Final[LiteralString] = (
    "UPDATE longterm.runs SET flow = %s, state = %s, waiting_for = %s, stack = %b, response = %b,"
    " result = %b, error = %s, updated_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)


class PostgresStore:
    """A store in a database that many machines share.

    Can be used as a context manager. Whoever does not close it has it closed at the end of the
    process.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        max_connections: int = 10,
        wait_seconds: float = 30.0,
        migrate: bool = True,
        clock: Clock | None = None,
    ) -> None:
        """Note where the runs are; the server is asked when they are first needed.

        Args:
            conninfo: a URL such as `postgresql://user:password@host:5432/database`.
            max_connections: how many this process may have open at once.
            wait_seconds: how long a step tries to reach a server that is away.
            migrate: make the schema, or bring it up to date, at the first use; else it must be.
            clock: where `created_at` and `updated_at` come from.
        """
        self._clock = SystemClock() if clock is None else clock
        self._pool = PostgresPool(
            conninfo,
            max_connections=max_connections,
            wait_seconds=wait_seconds,
            prepare=partial(ensure_schema, migrate=migrate),
        )
        self._at_exit = weakref.finalize(self, self._pool.close)

    def create(self, run: Run) -> Run:
        now = self._clock.now()
        row = (
            *(run.id, run.flow, run.state.value, run.turn, run.waiting_for, run.stack),
            *(run.encoded_response, run.encoded_result, run.error, now, now),
        )
        answer = self._pool.execute(_CREATE, row, f"create run {run.id!r}")
        if not answer.rows and not (answer.is_repeated and self._is_stored(run)):
            raise RunExists(run.id)
        return run

    def get(self, run_id: str) -> Run:
        answer = self._pool.execute(_GET, (run_id,), f"get run {run_id!r}")
        if not answer.rows:
            raise UnknownRun(run_id)
        return _run(answer.rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        asked = f"claim run {run_id!r}"
        answer = self._pool.execute(_CLAIM, (self._clock.now(), run_id, event_id), asked)
        if answer.rows:
            return _run(answer.rows[0])
        stored = self.get(run_id)
        if answer.is_repeated and stored.state is RunState.RUNNING:
            raise StoreError(
                f"cannot {asked} in {self._pool.place}: the connection was lost, and the run is "
                "now claimed, by this attempt or by another (get_run shows how the run stands)"
            )
        return None

    def update(self, run: Run) -> Run:
        row = (
            *(run.flow, run.state.value, run.waiting_for, run.stack),
            *(run.encoded_response, run.encoded_result, run.error, self._clock.now()),
            *(run.id, run.turn),
        )
        answer = self._pool.execute(_SAVE, row, f"save run {run.id!r}")
        if not answer.rows and not (self._is_stored(run) and answer.is_repeated):
            raise ClaimLost(run.id, run.turn)
        return run

    def close(self) -> None:
        """End every session; every later step raises. Closing twice is allowed."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every session."""
        self.close()

    def _is_stored(self, run: Run) -> bool:
        """Whether a step whose answer was lost had been taken after all."""
        return self.get(run.id) == run


def _run(row: Sequence[Any]) -> Run:
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
