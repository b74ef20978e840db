"""The store in a Postgres database: each operation is one statement, one round trip.

For many machines. Offers leases, deadlines, search, deletion, and workers that are woken. Each
statement of a turn touches one row, by its key. Holds bytes and text, and never decodes them; the
runs are in the table `longterm.runs`, or `runs` of another schema.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, LiteralString, Self

from longterm._later import later
from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store._budget import Budget
from longterm.store._loop_steps import TakesStep
from longterm.store._rows import (
    Rows,
    as_saved,
    in_order_of_deadlines,
    released_columns,
    rewritten_columns,
)
from longterm.store._same_delivery import sent_too
from longterm.store._unreadable import Unreadable
from longterm.store.base import Query, died_run, new_claim

try:
    from longterm.store.postgres._access import Wishes
    from longterm.store.postgres._clock import ServerClock
    from longterm.store.postgres._connection import Reading
    from longterm.store.postgres._counts import PostgresCounts
    from longterm.store.postgres._database import Answer, Database
    from longterm.store.postgres._dialect import POSTGRES
    from longterm.store.postgres._find import find_statement
    from longterm.store.postgres._history import PostgresHistory
    from longterm.store.postgres._inbox import PostgresInbox
    from longterm.store.postgres._listener import Listener
    from longterm.store.postgres._loops import suits_running_loop
    from longterm.store.postgres._months import PostgresMonths
    from longterm.store.postgres._names import USUAL_SCHEMA, Schema
    from longterm.store.postgres._outbox import PostgresOutbox
    from longterm.store.postgres._pool import HasConnections
    from longterm.store.postgres._progress import PostgresProgress
    from longterm.store.postgres._queues import PostgresQueues
    from longterm.store.postgres._saves import Creates, Saves, create_statement, save_statement
    from longterm.store.postgres._schema import ensure_schema, missing_sql, schema_sql
    from longterm.store.postgres._shard import PostgresShard
    from longterm.store.postgres._statements import (
        claims,
        due,
        inbox,
        months,
        runs,
        waking,
    )
    from longterm.store.postgres._versions import PostgresVersions
    from longterm.store.postgres._waker import Tells, Waker, moment_of_work
except ImportError as error:
    raise StoreError(
        f"the Postgres store needs psycopg (pip install 'longterm[postgres]'): {error}"
    ) from error

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

__all__ = ["PostgresStore", "schema_sql"]

_FIRST_REST: Final = timedelta(seconds=1)
"""A worker that heard nothing up to now soon looks again."""
_ROWS: Final = Rows(has_types=True)


class PostgresStore(
    PostgresInbox,
    PostgresOutbox,
    PostgresQueues,
    PostgresCounts,
    PostgresProgress,
    PostgresHistory,
    PostgresVersions,
    PostgresShard,
    PostgresMonths,
):
    """A store in a schema of a database that many machines share.

    Can be used as a context manager. Whoever does not close it has it closed at the end of the
    process.
    """

    _dialect = POSTGRES
    _claimed_until: LiteralString = claims.CLAIMED_UNTIL
    _find_statement: Callable[[Query], tuple[LiteralString, list[object]]] = staticmethod(
        find_statement
    )
    _create_statement: Creates = staticmethod(create_statement)
    _save_statement: Saves = staticmethod(save_statement)

    def __init__(
        self,
        conninfo: str | None = None,
        *,
        pool: HasConnections | None = None,
        listen: str | None = None,
        max_connections: int = 10,
        wait_seconds: float = 60.0,
        synchronous_commit: str | None = None,
        pooler: bool | None = None,
        schema: str = USUAL_SCHEMA,
        migrate: bool = True,
    ) -> None:
        """Note where the runs are; the server is asked when they are first needed.

        Args:
            conninfo: a URL such as `postgresql://user:password@host:5432/database`; of several
                hosts, the one that can be written is used.
            pool: in place of a URL, the application's own pool: psycopg's `ConnectionPool`, or
                whatever lends a connection of psycopg's by `with pool.connection() as connection`.
                Each is borrowed for one step. The pool must be open, and is not closed here.
            listen: where workers hear that there is work, past a pooler: `host:port`, or a whole
                URL, which a pool needs. None: by `conninfo`, and over a pool not at all.
            max_connections: how many this process may have open at once.
            wait_seconds: how long a step tries to reach a server that is away, and waits for the
                answer of one that is silent.
            synchronous_commit: Postgres's setting of that name for this store's commits; None: as
                the database has it, but `on` where that is `off`, since a saved turn must last.
            pooler: whether the URL is that of a pooler which lends a session for one transaction,
                as PgBouncer does in transaction mode; None: find out.
            schema: where the tables are: each is a store of its own.
            migrate: make the schema, or bring it up to date, at the first use; else it must be.

        Raises:
            StoreError: there is no URL and no pool, or both, or one of them cannot be used.
        """
        self._clock, self._schema = ServerClock(), Schema(schema, self._dialect)
        wishes = Wishes(
            conninfo=conninfo,
            pool=pool,
            listen=listen,
            max_connections=max_connections,
            wait_seconds=wait_seconds,
            synchronous_commit=synchronous_commit,
            pooler=pooler,
            schema=self._schema,
            migrate=migrate,
        )
        # A function, whose repr shows no password.
        self._target: Callable[[], Any] = lambda: conninfo if pool is None else pool
        self._database, self._listener = database, listener = wishes.access(self._clock)
        self._unreadable = Unreadable(_ROWS, partial(fail, database))
        self._waker: Tells = (waker := Waker(database.hint))
        self._at_exit = weakref.finalize(self, _close, database, listener, waker)

    @property
    def target(self) -> Any:
        """What its connections come from: the URL, or the application's pool."""
        return self._target()

    def create(self, run: Run) -> Run:
        if run.state is RunState.RUNNING:
            run = run.changed(claim=new_claim())
        statement, parameters = self._create_statement(_ROWS.row_of(run), run)
        if run.entries:
            run = run.changed(entries=())
        operation, until = f"create run {run.id!r}", self._database.end_of_step()
        while True:
            answer = self._database.execute(statement, parameters, operation, until=until)
            if answer.rows:
                self._tell_of(run, is_ready=answer.rows[0][1])
                return run
            try:
                if answer.is_repeated and _is_of_one_creation(self._confirmed(run.id, until), run):
                    self._tell_of(run, is_ready=True)
                    return run
            except UnknownRun:  # a standby that did not have it took over in between
                continue
            raise RunExists(run.id)

    def get(self, run_id: str) -> Run:
        return self._read(run_id)

    def _read(self, run_id: str, until: float | None = None) -> Run:
        operation = f"get run {run_id!r}"
        answer = self._in_either(runs.GET, months.GET, (run_id,), operation, until)
        if not answer.rows:
            raise UnknownRun(run_id)
        return _ROWS.run_of(answer.rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        return self._claim_one(claims.UNSUSPEND, (run_id, event_id), run_id, datetime.now(UTC))

    def confirm(self, run_id: str) -> Run:
        return self._confirmed(run_id)

    def update(self, run: Run) -> Run:
        return self._save(run)

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        return self._save(run, events, kept)

    def _save(
        self, run: Run, read: Sequence[UnreadEvent] = (), failed: UnreadEvent | None = None
    ) -> Run:
        operation = f"save run {run.id!r}"
        goes_on = bool(read) and run.state is RunState.RUNNING
        claim = new_claim() if goes_on else run.claim
        is_repeated, until = False, self._database.end_of_step()
        while True:
            statement, parameters = self._save_statement(
                _ROWS.row_of(run), run, claim, read, failed
            )
            answer = self._database.execute(statement, parameters, operation, until=until)
            made = run.changed(claim=claim) if goes_on else run
            if answer.rows:
                unread, is_ready = answer.rows[0]
                self._tell_of(run, is_ready=is_ready)
                return as_saved(made, unread)
            is_repeated = is_repeated or answer.is_repeated
            stored = self._confirmed(run.id, until) if is_repeated else self._read(run.id, until)
            is_own = is_repeated and stored.turn == run.turn
            # A run that is saved running may have been renewed since.
            is_made = is_own and stored.changed(claimed_until=run.claimed_until) == run
            if is_made and stored.claim == made.claim:
                self._tell_of(run, is_ready=True)  # since nobody knows, a worker looks
                return made.changed(unread=stored.unread, outgoing=(), entries=())
            is_ours = (stored.turn, stored.claim) == (run.turn, run.claim)
            if not is_ours or stored.state is not RunState.RUNNING:
                break
            if stored.unread != run.unread:  # so more has been posted
                run = run.changed(unread=stored.unread)
                unread = self.unread(run.id, limit=len(stored.unread))
                read, failed = sent_too(run, read, failed, unread)
            elif not is_repeated:
                break
            # Else a standby that did not have it took over in between.
        if is_repeated and stored.turn > run.turn:
            raise StoreError(
                f"cannot tell whether turn {run.turn} was saved: {operation} in "
                f"{self._database.place}: the connection was lost, and the run has gone on since "
                "(get_run shows how the run stands)"
            )
        raise ClaimLost(run.id, run.turn)

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._claim_one(claims.CLAIM, (until, run_id, event_id, now), run_id, now)

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        return self._claim_one(
            claims.CLAIM_FOR_KEY, (until, run_id, event_id, now, key), run_id, now
        )

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        operation = f"find a key of run {run_id!r}"
        rows = self._database.execute(inbox.DIGEST, (run_id, key), operation).rows
        return rows[0][0] if rows else None

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        operation = f"renew the claim on run {run_id!r}"
        parameters = (until, run_id, turn, claim, until, run_id)
        return bool(self._database.execute(claims.RENEW, parameters, operation).rows)

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._claim_one(claims.REVIVE, (until, run_id), run_id, now)

    def release_stale(
        self, *, now: datetime, max_attempts: int, limit: int | None = None
    ) -> list[Run]:
        operation, until = "release stale claims", self._database.end_of_step()
        ask = partial(self._database.execute, operation=operation, until=until)
        ids = [run_id for (run_id,) in ask(self._claimed_until, (now, limit)).rows]
        if not ids:
            return []
        rows = ask(claims.STILL_CLAIMED, (ids, now)).rows
        if len(rows) < len(ids):
            self._forget_claims(ids, ask)
        stale = self._unreadable.claimed(rows, now)
        if not stale:
            return []
        dead = [died_run(run, max_attempts, now) for run in stale]
        released = self._release([released_columns(_ROWS.row_of(run)) for run in dead], now, ask)
        return [run for run in dead if (run.id,) in released]

    def _forget_claims(self, ids: list[str], ask: Callable[..., Answer]) -> None:
        ask(claims.FORGET_CLAIMS, (ids,))

    def _release(
        self, dead: list[tuple[Any, ...]], now: datetime, ask: Callable[..., Answer]
    ) -> list[tuple[Any, ...]]:
        """Let go of dead claims, as `released_columns` has them; return the ids of those it did."""
        parameters = (*map(list, zip(*dead, strict=True)), now)
        return ask(claims.RELEASE, parameters).rows

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        number = new_claim()
        those, names = due.those_to_claim(flows, without)
        parameters = (now, *names, limit, number, until)
        rows = self._claim_many(due.claim_due(those), parameters, number, "claim due runs")
        return in_order_of_deadlines(self._unreadable.claimed(rows, now))

    def find(self, query: Query) -> list[Run]:
        def ask(query: Query) -> list[tuple[Any, ...]]:
            statement, parameters = self._find_statement(query)
            # Each query is planned for its own values: some events are waited for by all runs.
            return self._database.execute(
                statement, parameters, "find runs", is_prepared=False
            ).rows

        return self._unreadable.found(query, ask)

    def delete(self, run_id: str) -> bool:
        operation, is_repeated = f"delete run {run_id!r}", False
        until = self._database.end_of_step()
        while True:
            answer = self._delete_one(run_id, operation, until)
            if answer.rows:
                return True
            is_repeated = is_repeated or answer.is_repeated
            try:
                self._read(run_id, until)
            except UnknownRun:
                if not is_repeated:
                    raise
            else:
                return False
            # The first try had done it, and its answer was lost. If a standby takes over in the
            # middle of this, it may have the run.
            written = self._database.execute(runs.WRITE_SOMETHING, (), operation, until=until)
            if not written.is_repeated:
                return True

    def _delete_one(self, run_id: str, operation: str, until: float) -> Answer:
        return self._in_either(runs.DELETE, months.DELETE, (run_id,), operation, until)

    def rewrite(self, run: Run) -> bool:
        columns = rewritten_columns(_ROWS.row_of(run))
        operation, until = f"rewrite run {run.id!r}", self._database.end_of_step()
        if self._in_either(runs.REWRITE, months.REWRITE, columns, operation, until).rows:
            return True
        self._read(run.id, until)  # raises if there is no such run
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
        if self._listener.listen() or not self._dialect.hears_every_node:
            until = min(until, now + _FIRST_REST)
        asked_at = time()
        answer = self._database.execute(
            waking.NEXT_DEADLINE, (looked_at,), "find the next deadline"
        )
        ((deadline, server),) = answer.rows
        self._clock.note(Reading(asked_at, server, time()))
        self._listener.wait(
            begin=begin,
            looked_at=looked_at,
            now=now,
            until=until if deadline is None else min(until, deadline),
            is_stopped=is_stopped,
        )

    def clock_ahead(self) -> timedelta:
        if not self._clock.is_known:
            asked_at = time()
            ((server,),) = self._database.execute(waking.CLOCK, (), "read the server's clock").rows
            self._clock.note(Reading(asked_at, server, time()))
        return self._clock.ahead

    def within(self, connection: object, *, is_known: bool = False) -> PostgresStore:
        from longterm.store.postgres._within import PostgresWithin  # for few

        return PostgresWithin(self, connection, is_known=is_known)

    def migrate(self) -> int:
        return self._database.on_connection(
            partial(ensure_schema, migrate=True), "migrate the schema"
        )

    def migration_sql(self) -> str:
        return self._database.on_connection(missing_sql, "read the schema's version")

    def must_exist(self) -> None:
        """Make no schema at the first use; that there is none is an error then."""
        self._schema.must_exist = True

    def loop_steps(self) -> TakesStep | None:
        return self._database.take_step if suits_running_loop() else None

    def share_connections(self, budget: Budget) -> None:
        self._database.share(budget)

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
        number, until = new_claim(), self._database.end_of_step()
        operation, parameters = f"claim run {run_id!r}", (number, *parameters)
        while True:
            answer = self._database.execute(statement, parameters, operation, until=until)
            if answer.rows:
                return self._unreadable.claimed_one(answer.rows[0], now)
            if not answer.is_repeated:
                self._read(run_id, until)  # raises if there is no such run
                return None
            stored = self._confirmed(run_id, until)
            if stored.state is RunState.RUNNING:
                # The first try may have claimed it, and its answer was lost.
                return stored if stored.claim == number else None
            # A standby that did not have the claim may have taken over in between.

    def _tell_of(self, run: Run, *, is_ready: bool | None) -> None:
        """Tell resting workers of a run that was just saved, if there is soon work on it."""
        if is_ready or run.deadline is not None:
            at = moment_of_work(run, is_ready=bool(is_ready))
            if at is not None:
                self._waker.tell(at)

    def _confirmed(self, run_id: str, until: float | None = None) -> Run:
        """Return a run as it is, once that can be undone no more."""
        operation = f"confirm run {run_id!r}"
        rows = self._in_either(runs.CONFIRM, months.CONFIRM, (run_id,), operation, until).rows
        if not rows:
            raise UnknownRun(run_id)
        return _ROWS.run_of(rows[0])


def _is_of_one_creation(stored: Run, run: Run) -> bool:
    """Tell whether a stored run was created as another; it may have gone on since."""
    return (stored.flow, stored.created_at) == (run.flow, run.created_at) and (
        stored == run or run.created_at is not None
    )


def _close(database: Database, listener: Listener, waker: Waker) -> None:
    waker.close()
    listener.close()
    database.close()


def fail(database: Database, run_id: str, turn: int, error: str, now: datetime) -> None:
    """Fail a run that cannot be read."""
    database.execute(runs.FAIL, (error, now, now, run_id, turn), f"fail run {run_id!r}")
