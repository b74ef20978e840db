"""The store in a Postgres database: each operation is one statement, one round trip.

For many machines. Every statement touches one row, by its key. Holds bytes and text, and never
decodes them; the runs are in the table `longterm.runs`.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Final, LiteralString, Self

from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store._rows import BYTES, COLUMNS, row_of, run_of

try:
    from longterm.store._postgres_pool import PostgresPool
    from longterm.store._postgres_schema import ensure_schema, schema_sql
except ImportError as error:
    raise StoreError(
        f"the Postgres store needs psycopg (pip install 'longterm[postgres]'): {error}"
    ) from error

__all__ = ["PostgresStore", "schema_sql"]

_NAMES: Final[LiteralString] = ", ".join(COLUMNS)
# As text, the facts come back as they went in, and are read in one place for all stores.
_SELECTED: Final[LiteralString] = _NAMES.replace("facts", "facts::text")
_VALUES: Final[tuple[LiteralString, ...]] = tuple("%b" if c in BYTES else "%s" for c in COLUMNS)
_CHANGES: Final[LiteralString] = ", ".join(
    [name + " = " + value for name, value in zip(COLUMNS[2:], _VALUES[2:], strict=True)]
)

_CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({_NAMES}) VALUES ({', '.join(_VALUES)})"
    " ON CONFLICT (id) DO NOTHING RETURNING turn"
)
_GET: Final[LiteralString] = f"SELECT {_SELECTED} FROM longterm.runs WHERE id = %s"
# A claim is as durable as a save. If it could be lost when the server crashes, its claimant would
# live on, and the next one would be given the same turn: the fence between the two would be gone.
_CLAIM: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1"
    f" WHERE id = %s AND waiting_for = %s AND state = 'suspended' RETURNING {_SELECTED}"
)
_SAVE: Final[LiteralString] = (
    f"UPDATE longterm.runs SET {_CHANGES}"
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
    ) -> None:
        """Note where the runs are; the server is asked when they are first needed.

        Args:
            conninfo: a URL such as `postgresql://user:password@host:5432/database`.
            max_connections: how many this process may have open at once.
            wait_seconds: how long a step tries to reach a server that is away.
            migrate: make the schema, or bring it up to date, at the first use; else it must be.
        """
        self._pool = PostgresPool(
            conninfo,
            max_connections=max_connections,
            wait_seconds=wait_seconds,
            prepare=partial(ensure_schema, migrate=migrate),
        )
        self._at_exit = weakref.finalize(self, self._pool.close)

    def create(self, run: Run) -> Run:
        answer = self._pool.execute(_CREATE, row_of(run), f"create run {run.id!r}")
        if not answer.rows and not (answer.is_repeated and self._is_stored(run)):
            raise RunExists(run.id)
        return run

    def get(self, run_id: str) -> Run:
        answer = self._pool.execute(_GET, (run_id,), f"get run {run_id!r}")
        if not answer.rows:
            raise UnknownRun(run_id)
        return run_of(answer.rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        asked = f"claim run {run_id!r}"
        answer = self._pool.execute(_CLAIM, (run_id, event_id), asked)
        if answer.rows:
            return run_of(answer.rows[0])
        stored = self.get(run_id)
        if answer.is_repeated and stored.state is RunState.RUNNING:
            raise StoreError(
                f"cannot {asked} in {self._pool.place}: the connection was lost, and the run is "
                "now claimed, by this attempt or by another (get_run shows how the run stands)"
            )
        return None

    def update(self, run: Run) -> Run:
        run_id, turn, *changes = row_of(run)
        answer = self._pool.execute(_SAVE, (*changes, run_id, turn), f"save run {run.id!r}")
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
