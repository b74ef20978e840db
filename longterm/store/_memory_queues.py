"""The queues of the store in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from longterm.run import Run, RunState
from longterm.store._shares import Ledger, slots_left, take_in_turn
from longterm.store._step_lock import StepLock
from longterm.store.queues import Queue, QueueStatus

_EVER = datetime.min.replace(tzinfo=UTC)


class MemoryQueues:
    """The part of the store that gives out the slots of queues."""

    _lock: StepLock
    _runs: dict[str, Run]

    def __init__(self) -> None:
        """Begin with no queues."""
        super().__init__()
        self._queues: dict[str, tuple[Queue, Ledger]] = {}

    def _claimed(self, run: Run, until: datetime, attempts: int) -> Run:
        """Claim a run; the store does it."""
        raise NotImplementedError

    def declare_queue(self, queue: Queue) -> Queue | None:
        with self._lock.alone():
            before, ledger = self._queues.get(queue.name, (None, Ledger()))
            self._queues[queue.name] = queue, ledger
        return before

    def declared_queue(self, name: str) -> Queue | None:
        with self._lock.alone():
            known = self._queues.get(name)
        return None if known is None else known[0]

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
        claimed: list[Run] = []
        with self._lock.alone():
            found = [
                (queue, ledger)
                for name, (queue, ledger) in self._queues.items()
                if queues is None or name in queues
            ]
            found.sort(key=lambda both: (both[1].served_at or _EVER, both[0].name))
            for queue, ledger in found:
                slots = slots_left(
                    *(queue, ledger, limit - len(claimed), now),
                    lambda name=queue.name: self._held(name),  # type: ignore[misc]
                )
                if slots > 0:
                    waiting = self._waiting(queue.name, now, flows, without)
                    find, take = self._shares(queue, waiting, until)
                    claimed += take_in_turn(ledger, slots, now, find, take)
        return claimed

    def queue_statuses(self, *, now: datetime) -> list[QueueStatus]:
        with self._lock.alone():
            return [
                self._status(queue, now)
                for _, (queue, _) in sorted(self._queues.items(), key=lambda item: item[0])
            ]

    def _status(self, queue: Queue, now: datetime) -> QueueStatus:
        waiting = [run for runs in self._waiting(queue.name, now).values() for run in runs]
        since = (run.deadline for run in waiting if run.deadline is not None)
        return QueueStatus(
            queue=queue,
            waiting=len(waiting),
            running=self._held(queue.name),
            oldest=min(since, default=None),
        )

    def _held(self, name: str, partition: str | None = None) -> int:
        return sum(
            run.state is RunState.RUNNING
            and run.queue == name
            and partition in (None, run.partition)
            for run in self._runs.values()
        )

    def _waiting(
        self,
        name: str,
        now: datetime,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> dict[str, deque[Run]]:
        """Return what waits in a queue by its partitions, the oldest first."""
        waiting = [
            run
            for run in self._runs.values()
            if run.queue == name
            and run.state is RunState.SUSPENDED
            and run.deadline is not None
            and run.deadline <= now
            and (flows is None or run.flow in flows)
            and run.position not in without
        ]
        waiting.sort(key=lambda run: (run.deadline, run.id))
        shares: dict[str, deque[Run]] = defaultdict(deque)
        for run in waiting:
            shares[run.partition].append(run)
        return shares

    def _shares(
        self, queue: Queue, waiting: dict[str, deque[Run]], until: datetime
    ) -> tuple[Callable[[str], str | None], Callable[[str], Run | None]]:
        names = sorted(waiting)

        def find(at: str) -> str | None:
            place = bisect_left(names, at)
            return names[place] if place < len(names) else None

        def take(partition: str) -> Run | None:
            most = queue.per_partition
            if not waiting[partition] or (
                most is not None and self._held(queue.name, partition) >= most
            ):
                return None
            run = waiting[partition].popleft()
            return self._claimed(run, until, run.attempts)

        return find, take
