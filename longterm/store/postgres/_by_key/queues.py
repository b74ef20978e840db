"""The queues of a distributed store: a run is chosen by reads, given a slot, and claimed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from longterm.run import Run
from longterm.store._queue_rows import queue_of
from longterm.store._shares import Ledger, slots_left, take_in_turn
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.postgres._by_key.slots import Holders, Slot, holders, read, written
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import slots as sql
from longterm.store.postgres._statements.due import those_to_claim
from longterm.store.queues import Queue

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_MOST_DELAYED: Final = 100
_OPERATION: Final = "claim queued runs"


@dataclass(slots=True)
class _Row:
    """A queue's row as it was read, and as it is to be written."""

    version: int | None = None
    slots: list[Slot] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)


class ByKeyQueues:
    """The part of a distributed store that gives out the slots of queues."""

    _database: Database
    _unreadable: Unreadable

    def _claim_as_found(
        self, run_id: str, turn: int, number: int, until: datetime, end: float
    ) -> tuple[Any, ...] | None:
        """Claim a run as it was found; the store does it."""
        raise NotImplementedError

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
        end = self._database.end_of_step()
        declared = [queue_of(row) for row in self._ask(sql.QUEUES, (), end)]
        wanted = [queue for queue in declared if queues is None or queue.name in queues]
        if not wanted:
            return []
        for run_id, turn in self._ask(sql.DELAYED, (now, _MOST_DELAYED), end):
            self._ask(sql.BEGIN_TO_WAIT, (run_id, turn, now), end)
        served = {name: at for name, at in self._ask(sql.LEDGERS, (), end) if at is not None}
        wanted.sort(key=lambda queue: (served.get(queue.name, _EVER), queue.name))
        rows: list[tuple[Any, ...]] = []
        for queue in wanted:
            serving = _Serving(self, queue, now, end, those_to_claim(flows, without))
            rows += serving.claim(limit - len(rows), until)
        return self._unreadable.claimed(rows, now)

    def _ask(
        self, statement: LiteralString, parameters: tuple[object, ...], end: float
    ) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, parameters, _OPERATION, until=end).rows


class _Serving:
    """One queue, out of which runs are claimed once."""

    def __init__(
        self,
        store: ByKeyQueues,
        queue: Queue,
        now: datetime,
        end: float,
        those: tuple[LiteralString, list[list[str]]],
    ) -> None:
        """Serve a queue of a store; `those` says of which flows and positions, with parameters."""
        self._store, self._queue, self._now, self._end = store, queue, now, end
        self._oldest: LiteralString = sql.oldest(those[0])
        self._names = those[1]
        self._is_limited = (queue.concurrency, queue.per_partition, queue.rate) != (None,) * 3

    def claim(self, limit: int, until: datetime) -> list[tuple[Any, ...]]:
        """Claim runs; return their rows."""
        rows: list[tuple[Any, ...]] = []
        while len(rows) < limit:
            row = self._row()
            chosen = self._chosen(row, limit - len(rows))
            if not chosen:
                break
            if self._is_written(row) or not self._is_limited:
                claimed = self._claimed(chosen, until)
                rows += claimed
                if len(claimed) == len(chosen):
                    break
        return rows

    def _chosen(self, row: _Row, limit: int) -> list[Slot]:
        """Choose runs, and note in the row of the queue what it is when they are given a slot."""
        self._holders = held = self._held(row)
        self._most = limit = slots_left(self._queue, row.ledger, limit, self._now, held.count)
        self._found: dict[str, deque[Slot]] = {}
        chosen = take_in_turn(row.ledger, limit, self._now, self._next_partition, self._take)
        self._window = row.ledger.window_began
        row.slots = [*held.slots, *chosen] if self._is_counted else []
        return chosen

    @property
    def _is_counted(self) -> bool:
        return self._queue.concurrency is not None or self._queue.per_partition is not None

    def _held(self, row: _Row) -> Holders:
        if not self._is_counted:
            return Holders({}, [], [])
        name = self._queue.name
        ids = [slot.run_id for slot in row.slots]
        found = holders(name, row.slots, self._ask(sql.HOLDERS, (name, ids)))
        turned_away = [
            slot
            for slot in found.late
            if slot.is_late(self._now) and self._ask(sql.TURN_AWAY, (slot.run_id, slot.turn))
        ]
        for slot in turned_away:
            found.slots.remove(slot)
            del found.partitions[slot.run_id]
        return found

    def _next_partition(self, at: str) -> str | None:
        rows = self._ask(sql.NEXT_PARTITION, (self._queue.name, at))
        return rows[0][0] if rows else None

    def _take(self, partition: str) -> Slot | None:
        """Choose the oldest run of a partition that nobody was given a slot for."""
        held, most = self._holders, self._queue.per_partition
        if most is not None and held.count(partition) >= most:
            return None
        if partition not in self._found:
            # Those that others are about to claim still wait.
            asked = self._most + len(held.late)
            rows = self._ask(self._oldest, (self._queue.name, partition, *self._names, asked))
            self._found[partition] = deque(
                Slot(run_id, turn, partition, self._now.isoformat())
                for run_id, turn in rows
                if run_id not in held.partitions
            )
        if not self._found[partition]:
            return None
        slot = self._found[partition].popleft()
        held.partitions[slot.run_id] = partition
        return slot

    def _claimed(self, chosen: list[Slot], until: datetime) -> list[tuple[Any, ...]]:
        number = new_claim()
        rows, lost = [], []
        for slot in chosen:
            claim = (slot.run_id, slot.turn, number, until, self._end)
            row = self._store._claim_as_found(*claim)
            if row is None:
                lost.append(slot)
            else:
                rows.append(row)
        if lost and self._is_limited:
            self._give_back(lost)
        return rows

    def _give_back(self, lost: list[Slot]) -> None:
        """Give slots back whose runs somebody else has claimed."""
        while True:
            row = self._row()
            left = [slot for slot in row.slots if slot not in lost]
            if self._is_counted and left == row.slots:
                return  # whoever came in between saw that they are over
            row.slots = left
            if row.ledger.window_began == self._window:
                row.ledger.window_taken -= len(lost)
            if self._is_written(row):
                return

    def _row(self) -> _Row:
        rows = self._ask(sql.LEDGER, (self._queue.name,))
        if not rows:
            return _Row()
        version, held, *ledger = rows[0]
        return _Row(version, read(held), Ledger(*ledger))

    def _is_written(self, row: _Row) -> bool:
        """Write the row of the queue, unless somebody else has since it was read."""
        version, ledger, name = new_claim(), row.ledger, self._queue.name
        noted = (ledger.next_partition, ledger.served_at, ledger.window_began, ledger.window_taken)
        values = (version, written(row.slots), *noted, name)
        if row.version is None:
            found = self._ask(sql.FIRST_LEDGER, values)
        else:
            found = self._ask(sql.NEXT_LEDGER, (*values, row.version))
        # The answer of a first try may have been lost.
        return bool(found) or self._row().version == version

    def _ask(
        self, statement: LiteralString, parameters: tuple[object, ...]
    ) -> list[tuple[Any, ...]]:
        return self._store._ask(statement, parameters, self._end)
