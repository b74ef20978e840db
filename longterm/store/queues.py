"""The store contract about queues: runs that wait for a slot, of which so many run at once.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from longterm.run import Run

__all__ = ["Queue", "QueueStatus", "Queues"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """A queue as it was declared: how much of it may run at once, over all processes."""

    name: str
    concurrency: int | None = None
    """How many runs may hold a slot at once; None: any number."""
    per_partition: int | None = None
    """How many of one partition may; None: any number."""
    rate: tuple[int, timedelta] | None = None
    """How many may begin in such a time; None: any number. The time begins with the first of them,
    and once it is over, with the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueStatus:
    """What is in a queue now."""

    queue: Queue
    waiting: int
    """How many runs wait for a slot; those that are to begin later do not count."""
    running: int
    """How many slots are held."""
    oldest: datetime | None
    """Since when the oldest of those that wait does; None if none does."""


@runtime_checkable
class Queues(Protocol):
    """A store with deadlines and leases that keeps queues, and gives out their slots.

    It keeps `queue` and `partition` of each run. A suspended run with a queue **waits for a slot**
    from its deadline on, and `Deadlines.claim_due` leaves it out. It **holds a slot** while it is
    running: until a save, the release of a dead claim, or a deletion ends that.
    """

    def declare_queue(self, queue: Queue) -> Queue | None:
        """Store how a queue is limited from now on; return what it was, None if it is new.

        What the queue has counted for its rate goes on.
        """
        ...

    def declared_queue(self, name: str) -> Queue | None:
        """Return a queue as it was declared last; None if it never was."""
        ...

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
        """Claim runs that wait for a slot and can have one, as `Deadlines.claim_due` does.

        Only from these queues; None: from any that is declared. The queue from which none was taken
        for the longest time comes first. In a queue, partitions take turns: one run of each, its
        oldest, beginning after the partition that was served last; then one more of each.

        No queue ever has more slots given out than it allows, however many callers there are at
        once; nor is a run left waiting that could have had one of `limit`, unless another caller is
        taking runs from its queue in this moment.
        """
        ...

    def queue_statuses(self, *, now: datetime) -> list[QueueStatus]:
        """Return what is in each declared queue, in the order of their names."""
        ...
