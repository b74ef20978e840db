"""The store in a Postgres database: each operation is one statement, one round trip.

For many machines. Offers leases, deadlines, search, deletion, and workers that are woken. Each
statement of a turn touches one row, by its key. Holds bytes and text, and never decodes them; the
runs are in the table `longterm.runs`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, time
from typing import Any, Final, LiteralString, Self

from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store._rows import (
    BYTES,
    CHANGING,
    COLUMNS,
    Rows,
    changing,
    in_order_of_deadlines,
    released_columns,
    rewritten_columns,
)
from longterm.store._unreadable import Unreadable
from longterm.store.base import Query, died_run, kept_key

try:
    from longterm.store.postgres._clock import ServerClock
    from longterm.store.postgres._connection import Reading
    from longterm.store.postgres._database import Database
    from longterm.store.postgres._find import find_statement
    from longterm.store.postgres._listener import Listener
    from longterm.store.postgres._schema import ensure_schema, schema_sql, schema_version
except ImportError as error:
    raise StoreError(
        f"the Postgres store needs psycopg (pip install 'longterm[postgres]'): {error}"
    ) from error

__all__ = ["PostgresStore", "schema_sql"]

_NAMES: Final[LiteralString] = ", ".join(COLUMNS)
_QUALIFIED: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
_VALUES: Final[tuple[LiteralString, ...]] = tuple("%b" if c in BYTES else "%s" for c in COLUMNS)
_CHANGES: Final[LiteralString] = ", ".join(
    [name + " = " + ("%b" if name in BYTES else "%s") for name in CHANGING]
)

# Workers look at least every five minutes; of what is due later they need not be told. A run that
# is let go of keeps the time of its last save, so for this hint the server's own time counts too.
_WAKE_WORKERS: Final[LiteralString] = (
    "CASE WHEN state = 'suspended' AND"
    " deadline < greatest(updated_at, now()) + interval '5 minutes'"
    " THEN pg_notify('longterm', extract(epoch FROM deadline)::text) END"
)
_CREATE: Final[LiteralString] = (
    f"INSERT INTO longterm.runs ({_NAMES}) VALUES ({', '.join(_VALUES)})"
    f" ON CONFLICT (id) DO NOTHING RETURNING turn, {_WAKE_WORKERS}"
)
_GET: Final[LiteralString] = f"SELECT {_NAMES} FROM longterm.runs WHERE id = %s"
# A claim is as durable as a save. If it could be lost when the server crashes, its claimant would
# live on, and the next one would be given the same turn: the fence between the two would be gone.
# Of a run that waits for several events, their names are lines of one text.
_AWAITS: Final[LiteralString] = (
    "strpos(E'\\n' || waiting_for || E'\\n', E'\\n' || %s || E'\\n') > 0"
)
_UNSUSPEND: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1"
    f" WHERE id = %s AND {_AWAITS} AND state = 'suspended' RETURNING {_NAMES}"
)
_SAVE: Final[LiteralString] = (
    f"UPDATE longterm.runs SET {_CHANGES}"
    f" WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn, {_WAKE_WORKERS}"
)
_CLAIM: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claimed_until = %s,"
    " attempts = attempts + (state = 'running')::integer WHERE id = %s"
    f" AND {_AWAITS}"
    " AND (state = 'suspended' OR state = 'running' AND claimed_until < %s)"
    f" RETURNING {_NAMES}"
)
_CLAIM_FOR_KEY: Final[LiteralString] = _CLAIM.replace(
    " RETURNING",
    " AND NOT EXISTS (SELECT FROM longterm.deliveries WHERE run = runs.id AND key = %s) RETURNING",
)
_SAVE_WITH_KEY: Final[LiteralString] = (
    f"WITH saved AS ({_SAVE}), kept AS ("
    "INSERT INTO longterm.deliveries (run, key, digest, taken_at)"
    " SELECT %s, %s, %s, %s FROM saved ON CONFLICT DO NOTHING) SELECT * FROM saved"
)
_DIGEST: Final[LiteralString] = "SELECT digest FROM longterm.deliveries WHERE run = %s AND key = %s"
_FORGET_KEYS: Final[LiteralString] = (
    "DELETE FROM longterm.deliveries WHERE taken_at < %s RETURNING true"
)
_RENEW: Final[LiteralString] = (
    "UPDATE longterm.runs SET claimed_until = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)
_REVIVE: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claimed_until = %s, attempts = 0"
    f" WHERE id = %s AND state = 'failed' RETURNING {_NAMES}"
)
_STALE: Final[LiteralString] = (
    f"SELECT {_NAMES} FROM longterm.runs WHERE state = 'running' AND claimed_until < %s"
)
# Rows that somebody has in hand are skipped: another worker lets go of them, or their holder renews
# or saves.
_RELEASE: Final[LiteralString] = (
    "WITH dead AS MATERIALIZED (SELECT runs.id, wanted.* FROM longterm.runs JOIN"
    " unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::text[],"
    " %s::bigint[]) AS wanted (attempts, state, error, updated_at, checksum, run, turn)"
    " ON runs.id = wanted.run AND runs.turn = wanted.turn"
    " WHERE runs.state = 'running' AND runs.claimed_until < %s FOR UPDATE OF runs SKIP LOCKED)"
    " UPDATE longterm.runs SET claimed_until = NULL, attempts = dead.attempts, state = dead.state,"
    " error = dead.error, updated_at = dead.updated_at, checksum = dead.checksum"
    " FROM dead WHERE runs.id = dead.id RETURNING runs.id"
)
_FAIL: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'failed', claimed_until = NULL, error = %s, updated_at = %s"
    " WHERE id = %s AND turn = %s AND state = 'running' RETURNING turn"
)
# The index gives the order; a due run of another flow costs a look at its row (0.3 microseconds).
_DUE_OF_ANY: Final[LiteralString] = (
    "SELECT id FROM longterm.runs WHERE state = 'suspended' AND deadline <= %s"
)
_DUE_OF_FLOWS: Final[LiteralString] = f"{_DUE_OF_ANY} AND flow = ANY (%s)"
_LOCK_DUE: Final[LiteralString] = "ORDER BY deadline, id LIMIT %s FOR UPDATE SKIP LOCKED"
_CLAIM_FOUND: Final[LiteralString] = (
    "UPDATE longterm.runs SET state = 'running', turn = turn + 1, claimed_until = %s"
    f" FROM due WHERE runs.id = due.id RETURNING {_QUALIFIED}"
)
_CLAIM_DUE_OF_ANY: Final[LiteralString] = (
    f"WITH due AS MATERIALIZED ({_DUE_OF_ANY} {_LOCK_DUE}) {_CLAIM_FOUND}"
)
_CLAIM_DUE_OF_FLOWS: Final[LiteralString] = (
    f"WITH due AS MATERIALIZED ({_DUE_OF_FLOWS} {_LOCK_DUE}) {_CLAIM_FOUND}"
)
_NEXT_DEADLINE: Final[LiteralString] = (
    "SELECT min(deadline), clock_timestamp() FROM longterm.runs"
    " WHERE state = 'suspended' AND deadline > %s"
)
_FIRST_REST: Final = timedelta(seconds=1)
"""A worker that heard nothing up to now soon looks again."""

_ROWS: Final = Rows(has_types=True)

_CLOCK: Final[LiteralString] = "SELECT clock_timestamp()"

_SYNCHRONOUS_COMMIT: Final = (None, "on", "off", "local", "remote_write", "remote_apply")

_DELETE_ENDED: Final[LiteralString] = (
    "WITH ended AS MATERIALIZED (SELECT id FROM longterm.runs"
    " WHERE state NOT IN ('suspended', 'running') AND updated_at < %s"
    " LIMIT %s FOR UPDATE SKIP LOCKED)"
    " DELETE FROM longterm.runs USING ended WHERE runs.id = ended.id RETURNING turn"
)
_DELETE: Final[LiteralString] = (
    "DELETE FROM longterm.runs WHERE id = %s AND state NOT IN ('suspended', 'running')"
    " RETURNING turn"
)
_REWRITE: Final[LiteralString] = (
    "UPDATE longterm.runs SET error = %s, stack = %b, response = %b, result = %b, checksum = %s"
    " WHERE id = %s AND turn = %s AND state = %s"
    " AND created_at IS NOT DISTINCT FROM %s::timestamptz AND state <> 'running' RETURNING turn"
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
        synchronous_commit: str | None = None,
        pooler: bool | None = None,
        migrate: bool = True,
    ) -> None:
        """Note where the runs are; the server is asked when they are first needed.

        Args:
            conninfo: a URL such as `postgresql://user:password@host:5432/database`.
            max_connections: how many this process may have open at once.
            wait_seconds: how long a step tries to reach a server that is away, and waits for the
                answer of one that is silent.
            synchronous_commit: Postgres's setting of that name for this store's commits; None: as
                the database has it, but `on` where that is `off`, since a saved turn must last.
            pooler: whether the URL is that of a pooler which lends a session for one transaction,
                as PgBouncer does in transaction mode; None: find out.
            migrate: make the schema, or bring it up to date, at the first use; else it must be.
        """
        if synchronous_commit not in _SYNCHRONOUS_COMMIT:
            choices = ", ".join(filter(None, _SYNCHRONOUS_COMMIT))
            raise StoreError(
                f"synchronous_commit={synchronous_commit!r} is no setting of Postgres "
                f"(choose from {choices})"
            )
        self._clock = clock = ServerClock()
        self._database = Database(
            conninfo,
            max_connections=max_connections,
            wait_seconds=wait_seconds,
            synchronous_commit=synchronous_commit,
            is_shared=pooler,
            prepare=partial(ensure_schema, migrate=migrate),
            on_connect=lambda connection: clock.note(connection.reading),
        )
        self._listener = Listener(self._database.connect, self._database.place, wait_seconds)
        self._unreadable = Unreadable(_ROWS, partial(_fail, self._database))
        self._at_exit = weakref.finalize(self, _close, self._database, self._listener)

    def create(self, run: Run) -> Run:
        answer = self._database.execute(_CREATE, _ROWS.row_of(run), f"create run {run.id!r}")
        if not answer.rows and not (answer.is_repeated and self._is_created(run)):
            raise RunExists(run.id)
        return run

    def get(self, run_id: str) -> Run:
        answer = self._database.execute(_GET, (run_id,), f"get run {run_id!r}")
        if not answer.rows:
            raise UnknownRun(run_id)
        return _ROWS.run_of(answer.rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        return self._claim_one(_UNSUSPEND, (run_id, event_id), run_id, datetime.now(UTC))

    def update(self, run: Run) -> Run:
        operation = f"save run {run.id!r}"
        kept = kept_key(run)
        statement = _SAVE if kept is None else _SAVE_WITH_KEY
        parameters = (*changing(_ROWS.row_of(run)), run.id, run.turn, *(kept or ()))
        answer = self._database.execute(statement, parameters, operation)
        if answer.rows:
            return run
        stored = self.get(run.id)
        if answer.is_repeated and stored == run:
            return run
        if answer.is_repeated and stored.turn > run.turn:
            raise StoreError(
                f"cannot tell whether turn {run.turn} was saved: {operation} in "
                f"{self._database.place}: the connection was lost, and the run has gone on since "
                "(get_run shows how the run stands)"
            )
        raise ClaimLost(run.id, run.turn)

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._claim_one(_CLAIM, (until, run_id, event_id, now), run_id, now)

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        return self._claim_one(_CLAIM_FOR_KEY, (until, run_id, event_id, now, key), run_id, now)

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        operation = f"find a key of run {run_id!r}"
        rows = self._database.execute(_DIGEST, (run_id, key), operation).rows
        return rows[0][0] if rows else None

    def forget_keys(self, *, taken_before: datetime) -> int:
        return len(self._database.execute(_FORGET_KEYS, (taken_before,), "forget old keys").rows)

    def renew(self, run_id: str, turn: int, *, until: datetime) -> bool:
        operation = f"renew the claim on run {run_id!r}"
        return bool(self._database.execute(_RENEW, (until, run_id, turn), operation).rows)

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._claim_one(_REVIVE, (until, run_id), run_id, now)

    def release_stale(self, *, now: datetime, max_attempts: int) -> list[Run]:
        operation = "release stale claims"
        rows = self._database.execute(_STALE, (now,), operation).rows
        stale = self._unreadable.claimed(rows, now)
        if not stale:
            return []
        dead = [died_run(run, max_attempts, now) for run in stale]
        columns = zip(*(released_columns(_ROWS.row_of(run)) for run in dead), strict=True)
        parameters = (*map(list, columns), now)
        released = self._database.execute(_RELEASE, parameters, operation).rows
        return [run for run in dead if (run.id,) in released]

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
    ) -> list[Run]:
        if flows is None:
            answer = self._database.execute(
                _CLAIM_DUE_OF_ANY, (now, limit, until), "claim due runs"
            )
        else:
            parameters = (now, list(flows), limit, until)
            answer = self._database.execute(_CLAIM_DUE_OF_FLOWS, parameters, "claim due runs")
        return in_order_of_deadlines(self._unreadable.claimed(answer.rows, now))

    def find(self, query: Query) -> list[Run]:
        def ask(query: Query) -> list[tuple[Any, ...]]:
            statement, parameters = find_statement(query)
            # Each query is planned for its own values: some events are waited for by all runs.
            return self._database.execute(
                statement, parameters, "find runs", is_prepared=False
            ).rows

        return self._unreadable.found(query, ask)

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        parameters = (saved_before, limit)
        return len(self._database.execute(_DELETE_ENDED, parameters, "delete ended runs").rows)

    def delete(self, run_id: str) -> bool:
        answer = self._database.execute(_DELETE, (run_id,), f"delete run {run_id!r}")
        if answer.rows:
            return True
        try:
            self.get(run_id)
        except UnknownRun:
            if answer.is_repeated:  # the first try had done it, and its answer was lost
                return True
            raise
        return False

    def rewrite(self, run: Run) -> bool:
        columns = rewritten_columns(_ROWS.row_of(run))
        if self._database.execute(_REWRITE, columns, f"rewrite run {run.id!r}").rows:
            return True
        self.get(run.id)  # raises if there is no such run
        return False

    def wait_for_work(
        self,
        *,
        looked_at: datetime,
        now: datetime,
        until: datetime,
        is_stopped: Callable[[], bool],
    ) -> None:
        begin = monotonic()
        # Whoever listens before it asks misses no deadline that is saved in between.
        if self._listener.listen():
            until = min(until, now + _FIRST_REST)
        operation = "find the next deadline"
        asked_at = time()
        ((deadline, server),) = self._database.execute(_NEXT_DEADLINE, (looked_at,), operation).rows
        self._clock.note(Reading(asked_at, server, time()))
        self._listener.wait(
            begin=begin,
            now=now,
            until=until if deadline is None else min(until, deadline),
            is_stopped=is_stopped,
        )

    def clock_ahead(self) -> timedelta:
        if not self._clock.is_known:
            asked_at = time()
            ((server,),) = self._database.execute(_CLOCK, (), "read the server's clock").rows
            self._clock.note(Reading(asked_at, server, time()))
        return self._clock.ahead

    def migrate(self) -> int:
        return self._database.on_own_connection(
            partial(ensure_schema, migrate=True), "migrate the schema"
        )

    def migration_sql(self) -> str:
        return schema_sql(
            self._database.on_own_connection(schema_version, "read the schema's version")
        )

    def close(self) -> None:
        """End every session; every later step raises. Closing twice is allowed."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every session."""
        self.close()

    def _claim_one(
        self,
        statement: LiteralString,
        parameters: tuple[object, ...],
        run_id: str,
        now: datetime,
    ) -> Run | None:
        operation = f"claim run {run_id!r}"
        answer = self._database.execute(statement, parameters, operation)
        if answer.rows:
            return self._unreadable.claimed_one(answer.rows[0], now)
        stored = self.get(run_id)
        if answer.is_repeated and stored.state is RunState.RUNNING:
            raise StoreError(
                f"cannot {operation} in {self._database.place}: the connection was lost, and the "
                "run is now claimed, by this attempt or by another (get_run shows how the run "
                "stands)"
            )
        return None

    def _is_created(self, run: Run) -> bool:
        """Whether a creation whose answer was lost had been done; the run may have gone on."""
        stored = self.get(run.id)
        return (stored.flow, stored.created_at) == (run.flow, run.created_at) and (
            stored == run or run.created_at is not None
        )


def _close(database: Database, listener: Listener) -> None:
    listener.close()
    database.close()


def _fail(database: Database, run_id: str, turn: int, error: str, now: datetime) -> None:
    database.execute(_FAIL, (error, now, run_id, turn), f"fail run {run_id!r}")
