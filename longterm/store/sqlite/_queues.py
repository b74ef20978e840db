"""The queues in one SQLite file. It has one writer at a time, so what was counted stays so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from longterm.run import Run
from longterm.store._queue_rows import queue_of, queue_row, status_of
from longterm.store._rows import COLUMNS, moment_text
from longterm.store._shares import Ledger, slots_left, take_in_turn
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.queues import Queue, QueueStatus
from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._inbox import those_to_claim
from longterm.store.sqlite._writer import Writer

_DECLARED: Final = "name, concurrency, per_partition, rate, rate_seconds"
_GET: Final = f"SELECT {_DECLARED} FROM queues WHERE name = ?"
_DECLARE: Final = (
    f"INSERT INTO queues ({_DECLARED}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
    " concurrency = excluded.concurrency, per_partition = excluded.per_partition,"
    " rate = excluded.rate, rate_seconds = excluded.rate_seconds"
)
_LEDGERS: Final = (
    f"SELECT {_DECLARED}, next_partition, served_at, window_began, window_taken FROM queues"
    " ORDER BY served_at NULLS FIRST, name"
)
_NOTE: Final = (
    "UPDATE queues SET next_partition = ?, served_at = ?, window_began = ?, window_taken = ?"
    " WHERE name = ?"
)
# Of what waited for its time first, as much as one step can take.
_BEGIN_TO_WAIT: Final = (
    "UPDATE runs SET queued_at = deadline, deadline = NULL WHERE id IN (SELECT id FROM runs"
    " INDEXED BY runs_delayed WHERE state = 'suspended' AND queue IS NOT NULL AND deadline <= ?"
    " ORDER BY deadline LIMIT 1000)"
)
_HELD: Final = (
    "SELECT count(*) FROM runs INDEXED BY runs_in_slots WHERE state = 'running' AND queue = ?"
)
_HELD_OF_PARTITION: Final = f"{_HELD} AND partition = ?"
_WAITING: Final = (
    "FROM runs INDEXED BY runs_queued WHERE state = 'suspended' AND queued_at IS NOT NULL"
    " AND queue = ?"
)
_NEXT_PARTITION: Final = (
    f"SELECT partition {_WAITING} AND partition >= ? ORDER BY partition LIMIT 1"
)
_TAKE: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?, claimed_until = ? WHERE id ="
    f" (SELECT id {_WAITING} AND partition = ?{{those}} ORDER BY queued_at LIMIT 1)"
    f" RETURNING {', '.join(COLUMNS)}"
)
_STATUSES: Final = (
    f"WITH waiting (queue, since) AS (SELECT queue, queued_at FROM runs INDEXED BY runs_queued"
    " WHERE state = 'suspended' AND queued_at IS NOT NULL UNION ALL"
    " SELECT queue, deadline FROM runs INDEXED BY runs_delayed"
    " WHERE state = 'suspended' AND queue IS NOT NULL AND deadline <= ?),"
    " held (queue) AS (SELECT queue FROM runs INDEXED BY runs_in_slots"
    " WHERE state = 'running' AND queue IS NOT NULL)"
    f" SELECT {_DECLARED}, (SELECT count(*) FROM waiting WHERE queue = name),"
    " (SELECT count(*) FROM held WHERE queue = name),"
    " (SELECT min(since) FROM waiting WHERE queue = name) FROM queues ORDER BY name"
)


class SQLiteQueues:
    """The part of the store that gives out the slots of queues."""

    _writer: Writer
    _unreadable: Unreadable

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; the store does it."""
        raise NotImplementedError

    def declare_queue(self, queue: Queue) -> Queue | None:
        def declare(connection: Connection) -> list[tuple[Any, ...]]:
            known = connection.ask(_GET, (queue.name,))
            connection.execute(_DECLARE, queue_row(queue))
            return known

        known = self._writer.write(whole(declare), f"declare queue {queue.name!r}")
        return queue_of(known[0]) if known else None

    def declared_queue(self, name: str) -> Queue | None:
        rows = self._read(_GET, (name,), f"read queue {name!r}")
        return queue_of(rows[0]) if rows else None

    def claim_queued(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        ledgers = self._read(_LEDGERS, (), "read the queues")  # whoever has none locks nothing
        if not any(queues is None or row[0] in queues for row in ledgers):
            return []

        those = those_to_claim(flows, without)

        def claim(connection: Connection) -> list[tuple[Any, ...]]:
            connection.execute(_BEGIN_TO_WAIT, (moment_text(now),))
            claimed: list[tuple[Any, ...]] = []
            for row in connection.ask(_LEDGERS, ()):
                if queues is None or row[0] in queues:
                    shares = _Shares(connection, queue_of(row), until, those)
                    claimed += shares.take(_ledger_of(row), limit - len(claimed), now)
            return claimed

        rows = self._writer.write(whole(claim), "claim queued runs", is_durable=False)
        return self._unreadable.claimed(rows, now)

    def queue_statuses(self, *, now: datetime) -> list[QueueStatus]:
        rows = self._read(_STATUSES, (moment_text(now),), "count queued runs")
        return [status_of((*row[:-1], _moment(row[-1]))) for row in rows]


class _Shares:
    """The partitions of one queue, within one step."""

    def __init__(
        self,
        connection: Connection,
        queue: Queue,
        until: datetime,
        those: tuple[str, list[str]],
    ) -> None:
        """Take runs; `those` is what is said of their flows and positions, and its parameters."""
        self._connection = connection
        self._queue = queue
        condition, self._those = those
        self._take = _TAKE.format(those=condition)
        self._claim = (new_claim(), moment_text(until))

    def take(self, ledger: Ledger, limit: int, now: datetime) -> list[tuple[Any, ...]]:
        name = self._queue.name
        slots = slots_left(self._queue, ledger, limit, now, lambda: self._count(_HELD, name))
        taken = take_in_turn(ledger, slots, now, self._find, self._take_one)
        if taken:
            moments = map(moment_text, (ledger.served_at, ledger.window_began))
            values = (ledger.next_partition, *moments, ledger.window_taken, name)
            self._connection.execute(_NOTE, values)
        return taken

    def _find(self, at: str) -> str | None:
        rows = self._connection.ask(_NEXT_PARTITION, (self._queue.name, at))
        return rows[0][0] if rows else None

    def _take_one(self, partition: str) -> tuple[Any, ...] | None:
        most, place = self._queue.per_partition, (self._queue.name, partition)
        if most is not None and self._count(_HELD_OF_PARTITION, *place) >= most:
            return None
        parameters = (*self._claim, *place, *self._those)
        rows = self._connection.ask_leniently(self._take, parameters)
        return rows[0] if rows else None

    def _count(self, statement: str, *parameters: str) -> int:
        number: int = self._connection.ask(statement, parameters)[0][0]
        return number


def _ledger_of(row: Sequence[Any]) -> Ledger:
    next_partition, served_at, window_began, window_taken = row[5:]
    return Ledger(next_partition, _moment(served_at), _moment(window_began), window_taken)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
