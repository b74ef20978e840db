"""The store in one SQLite file: each operation is one statement, and so one transaction.

For one machine: any number of threads and processes may share the file. Offers leases, deadlines,
search and deletion. Holds bytes and text, and never decodes them; all there is can be seen with
`sqlite3 runs.db 'SELECT * FROM runs'`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from longterm._later import later
from longterm.errors import ClaimLost, RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store._rows import (
    COLUMNS,
    UNCLAIMED,
    Rows,
    as_saved,
    in_order_of_deadlines,
    moment_text,
    released_columns,
    rewritten_columns,
)
from longterm.store._unreadable import Unreadable
from longterm.store.base import Query, died_run, kept_key, new_claim
from longterm.store.sqlite._claims import (
    GET,
    Claiming,
    claim_step,
    revive_step,
    unsuspend_step,
)
from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._counts import SQLiteCounts
from longterm.store.sqlite._file import SQLiteFile, schema_sql
from longterm.store.sqlite._history import SQLiteHistory, put_entries
from longterm.store.sqlite._inbox import SQLiteInbox, those_to_claim
from longterm.store.sqlite._outbox import SQLiteOutbox, forget_messages_to
from longterm.store.sqlite._pool import ConnectionPool
from longterm.store.sqlite._progress import SQLiteProgress
from longterm.store.sqlite._queues import SQLiteQueues
from longterm.store.sqlite._saves import keep_key, save_step
from longterm.store.sqlite._shard import SQLiteShard
from longterm.store.sqlite._versions import SQLiteVersions
from longterm.store.sqlite._writer import Writer

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")

_NAMES: Final = ", ".join(COLUMNS)

_CREATE: Final = (
    f"INSERT INTO runs ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)})"
    " ON CONFLICT (id) DO NOTHING"
)
_DIGEST: Final = "SELECT digest FROM deliveries WHERE run = ? AND key = ?"
_RENEW: Final = (
    "UPDATE runs SET claimed_until = ? WHERE id = ? AND turn = ? AND claim IS coalesce(?, claim)"
    " AND state = 'running'"
)
# SQLite keeps no account of how often a value occurs and would guess the index, so it is named.
_STALE: Final = (
    f"SELECT {_NAMES} FROM runs INDEXED BY runs_running"
    " WHERE state = 'running' AND claimed_until < ? LIMIT ?"
)
_RELEASE: Final = (
    f"UPDATE runs SET claimed_until = '{UNCLAIMED}', attempts = ?, state = ?, error = ?,"
    " updated_at = ?, checksum = ?"
    " WHERE id = ? AND turn = ? AND state = 'running' AND claimed_until < ?"
)
_FAIL: Final = (
    "UPDATE runs SET state = 'failed', claimed_until = NULL, error = ?, updated_at = ?"
    " WHERE id = ? AND turn = ? AND state = 'running'"
)
# The index gives the order; a due run of another flow costs a look at its row (0.3 microseconds).
_DUE_OF_ANY: Final = (
    "SELECT id FROM runs INDEXED BY runs_due WHERE state = 'suspended' AND deadline <= ?"
    " AND queue IS NULL"
)
_CLAIM_DUE: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?, claimed_until = ?"
    f" WHERE id IN ({_DUE_OF_ANY}{{those}} ORDER BY deadline, id LIMIT ?) RETURNING {_NAMES}"
)
_OLD: Final = (
    "SELECT id FROM runs INDEXED BY runs_ended"
    " WHERE state NOT IN ('suspended', 'running') AND updated_at < ? LIMIT ?"
)
_ENDED: Final = "SELECT id FROM runs WHERE id = ? AND state NOT IN ('suspended', 'running')"
_REWRITE: Final = (
    "UPDATE runs SET error = ?, stack = ?, response = ?, result = ?, checksum = ?"
    " WHERE id = ? AND turn = ? AND state = ? AND created_at IS ? AND state <> 'running'"
)

_MOST_WAITS: Final = 10_000
"""Of how many claimed runs is remembered what they waited for."""
_SYNCHRONOUS: Final = ("FULL", "NORMAL")
_ROWS: Final = Rows(has_types=False)


class SQLiteStore(
    SQLiteInbox,
    SQLiteOutbox,
    SQLiteQueues,
    SQLiteCounts,
    SQLiteProgress,
    SQLiteHistory,
    SQLiteVersions,
    SQLiteShard,
):
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
        self.path = os.path.realpath(path)  # its log is beside the file itself
        self._file = SQLiteFile(self.path, synchronous.upper(), busy_seconds)
        self._pool = ConnectionPool(self._file.connect)
        self._writer = Writer(self._file, self._pool)
        self._unreadable = Unreadable(_ROWS, partial(fail, self._writer))
        self._waits: dict[str, str | None] = {}
        self._at_exit = weakref.finalize(self, self._pool.close)

    def create(self, run: Run) -> Run:
        # One that is created running is claimed by this very call, and so no more than a claim is.
        is_durable = run.state is not RunState.RUNNING
        if not is_durable:
            run = run.changed(claim=new_claim())
        row, kept = _ROWS.row_of(run), kept_key(run)

        def create(connection: Connection) -> int:
            created = connection.execute(_CREATE, row).rowcount
            if created and kept is not None:
                keep_key(connection, kept)
            if created and run.entries:
                put_entries(connection, run)
            return created

        step = create if kept is None and not run.entries else whole(create)
        if not self._writer.write(step, f"create run {run.id!r}", is_durable=is_durable):
            raise RunExists(run.id)
        if run.state is RunState.RUNNING:
            self._note_wait(run)
        return run.changed(entries=()) if run.entries else run

    def get(self, run_id: str) -> Run:
        rows = self._read(GET, (run_id,), f"get run {run_id!r}")
        if not rows:
            raise UnknownRun(run_id)
        return _ROWS.run_of(rows[0])

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        return self._claim_one(unsuspend_step(run_id, event_id), run_id, datetime.now(UTC))

    def confirm(self, run_id: str) -> Run:
        def read(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.ask(GET, (run_id,))

        # Taken as a step that must last: all that was written before is then on the disk.
        rows = self._writer.write(read, f"confirm run {run_id!r}")
        if not rows:
            raise UnknownRun(run_id)
        return _ROWS.run_of(rows[0])

    def update(self, run: Run) -> Run:
        return self._save(run)

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        return self._save(run, events, kept)

    def _save(
        self, run: Run, read: Sequence[UnreadEvent] = (), failed: UnreadEvent | None = None
    ) -> Run:
        waited_for = self._waits.pop(run.id, None)
        step = save_step(run, _ROWS.row_of(run), read, failed, waited_for=waited_for)
        saved = self._writer.write(step, f"save run {run.id!r}")
        if not saved:
            self.get(run.id)  # raises if there is no such run
            raise ClaimLost(run.id, run.turn)
        if run.state is RunState.RUNNING:
            self._note_wait(run)
        return as_saved(run, saved[0][0])

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        step = claim_step(run_id, event_id, None, now=now, until=until)
        return self._claim_one(step, run_id, now)

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        step = claim_step(run_id, event_id, key, now=now, until=until)
        return self._claim_one(step, run_id, now)

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        rows = self._read(_DIGEST, (run_id, key), f"find a key of run {run_id!r}")
        return rows[0][0] if rows else None

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        operation = f"renew the claim on run {run_id!r}"
        parameters = (moment_text(until), run_id, turn, claim)
        return bool(self._change(_RENEW, parameters, operation, is_durable=False))

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        return self._claim_one(revive_step(run_id, until=until), run_id, now)

    def release_stale(
        self, *, now: datetime, max_attempts: int, limit: int | None = None
    ) -> list[Run]:
        moment = moment_text(now)
        most = -1 if limit is None else limit
        rows = self._read(_STALE, (moment, most), "find stale claims")
        stale = self._unreadable.claimed(rows, now)
        if not stale:
            return []
        dead = [died_run(run, max_attempts, now) for run in stale]
        steps = [(run, (*released_columns(_ROWS.row_of(run)), moment)) for run in dead]

        def release(connection: Connection) -> list[Run]:
            # One that somebody else was faster with is not changed, and not returned.
            return [run for run, step in steps if connection.execute(_RELEASE, step).rowcount]

        return self._writer.write(whole(release), "release stale claims")

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        those, names = those_to_claim(flows, without)
        statement = _CLAIM_DUE.format(those=those)
        parameters = (new_claim(), moment_text(until), moment_text(now), *names, limit)

        def claim(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.ask_leniently(statement, parameters)

        due = self._writer.write(claim, "claim due runs", is_durable=False)
        return in_order_of_deadlines(self._unreadable.claimed(due, now))

    def find(self, query: Query) -> list[Run]:
        from longterm.store.sqlite._find import find_statement

        def ask(query: Query) -> list[tuple[Any, ...]]:
            statement, values = find_statement(query)
            parameters = (
                moment_text(value) if isinstance(value, datetime) else value for value in values
            )
            return self._read(statement, tuple(parameters), "find runs")

        return self._unreadable.found(query, ask)

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        return self._delete(_OLD, (moment_text(saved_before), limit), "delete ended runs")

    def delete(self, run_id: str) -> bool:
        if self._delete(_ENDED, (run_id,), f"delete run {run_id!r}"):
            return True
        self.get(run_id)  # raises if there is no such run
        return False

    def rewrite(self, run: Run) -> bool:
        columns = rewritten_columns(_ROWS.row_of(run))
        if self._change(_REWRITE, columns, f"rewrite run {run.id!r}"):
            return True
        self.get(run.id)  # raises if there is no such run
        return False

    @property
    def target(self) -> str:
        return f"sqlite:///{self.path}"

    def within(self, connection: object) -> SQLiteStore:
        from longterm.store.sqlite._within import SQLiteWithin  # for few

        return SQLiteWithin(self, connection)

    def migrate(self) -> int:
        before = self._file.version()
        with self._pool.loan() as loan, loan:
            self._pool.lend(loan.held)  # whoever opens the file migrates it
        return self._file.version() - before

    def migration_sql(self) -> str:
        return schema_sql(self._file.version())

    def must_exist(self) -> None:
        """Raise if there is no file."""
        if not os.path.exists(self.path):
            raise StoreError(
                f"there is no file {self.path} (check the URL, or run `longterm migrate` first)"
            )

    def close(self) -> None:
        """Close the file; every later step raises. Closing twice is allowed."""
        self._at_exit()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _claim_one(self, step: Claiming, run_id: str, now: datetime) -> Run | None:
        rows = self._writer.write(step, f"claim run {run_id!r}", is_durable=False)
        if rows:
            run = self._unreadable.claimed_one(rows[0], now)
            self._note_wait(run)
            return run
        self.get(run_id)  # raises if there is no such run
        return None

    def _note_wait(self, run: Run) -> None:
        """Remember what a claimed run waits for, so that its save can be the one that fits."""
        if len(self._waits) >= _MOST_WAITS:
            self._waits.clear()
        self._waits[run.id] = run.waiting_for

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        with self._pool.loan() as loan, loan:  # twice, as `Loan` says
            return self._file.take(
                lambda connection: connection.ask(statement, parameters),
                self._pool.lend(loan.held),
                f"{operation} in {self.path}",
            )

    def _delete(self, runs: str, parameters: tuple[object, ...], operation: str) -> int:
        """Delete the runs that a query finds, and what was sent to them; return how many."""

        def delete(connection: Connection) -> int:
            forget_messages_to(connection, runs, parameters)
            return connection.execute(f"DELETE FROM runs WHERE id IN ({runs})", parameters).rowcount

        return self._writer.write(whole(delete), operation)

    def _change(
        self,
        statement: str,
        parameters: tuple[object, ...],
        operation: str,
        *,
        is_durable: bool = True,
    ) -> int:
        """Return how many runs a statement has changed."""
        return self._writer.write(
            lambda connection: connection.execute(statement, parameters).rowcount,
            operation,
            is_durable=is_durable,
        )


def fail(writer: Writer, run_id: str, turn: int, error: str, now: datetime) -> None:
    """Fail a run that cannot be read."""
    parameters = (error, moment_text(now), run_id, turn)
    writer.write(
        lambda connection: connection.execute(_FAIL, parameters).rowcount, f"fail run {run_id!r}"
    )
