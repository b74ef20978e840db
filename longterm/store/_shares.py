"""How the slots of a queue are shared out: partitions take turns. Knows no store.

The function `longterm.claim_of_queue` in the Postgres store's `0012_queues.sql` does the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from longterm.store.queues import Queue

T = TypeVar("T")


@dataclass(slots=True)
class Ledger:
    """What a store notes of a queue beside its declaration."""

    next_partition: str = ""
    """Where the turns of the partitions begin."""
    served_at: datetime | None = None
    """When a run was taken from it last."""
    window_began: datetime | None = None
    """When the time of its rate began."""
    window_taken: int = 0
    """How many runs were taken since."""


def slots_left(
    queue: Queue, ledger: Ledger, limit: int, now: datetime, running: Callable[[], int]
) -> int:
    """Return how many runs may be taken; begins the time of a rate anew once it is over.

    Args:
        queue: the queue.
        ledger: what is noted of it.
        limit: how many are wanted.
        now: the present moment.
        running: counts the slots that are held.
    """
    if queue.rate is not None:
        most, seconds = queue.rate
        # A clock that was set wrong for a moment does not close a queue for years.
        if ledger.window_began is None or abs(now - ledger.window_began) >= seconds:
            ledger.window_began, ledger.window_taken = now, 0
        limit = min(limit, most - ledger.window_taken)
    if queue.concurrency is not None and limit > 0:
        limit = min(limit, queue.concurrency - running())
    return limit


def take_in_turn(
    ledger: Ledger,
    slots: int,
    now: datetime,
    find: Callable[[str], str | None],
    take: Callable[[str], T | None],
) -> list[T]:
    """Take a run of each partition in turn, and note that.

    Args:
        ledger: what is noted of the queue.
        slots: how many to take at most.
        now: the present moment.
        find: returns the first partition, from a text on, of which a run waits; None: none does.
        take: takes the oldest run of a partition; None: it can have no slot.
    """
    taken: list[T] = []
    begin, more = ledger.next_partition, []
    for is_before in (False, True):  # from where it is whose turn, then those before it
        at = "" if is_before else begin
        while len(taken) < slots:
            partition = find(at)
            if partition is None or (is_before and partition >= begin):
                break
            at = after(partition)
            if (run := take(partition)) is not None:
                taken.append(run)
                more.append(partition)
                ledger.next_partition = at
    while more and len(taken) < slots:
        for partition in list(more):
            if len(taken) == slots:
                break
            if (run := take(partition)) is None:
                more.remove(partition)
            else:
                taken.append(run)
                ledger.next_partition = after(partition)
    if taken:
        ledger.served_at = now
        ledger.window_taken += len(taken)
    return taken


def after(partition: str) -> str:
    """Return the first text after a partition that can be one: none of them has a U+0000."""
    return partition + "\1"
