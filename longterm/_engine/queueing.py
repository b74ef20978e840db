"""How an engine declares queues, and what is in them."""

from __future__ import annotations

import logging
from datetime import timedelta

from longterm._engine.parts import Parts
from longterm._names import partition_name, queue_name
from longterm.errors import InvalidQueue, NotSupported
from longterm.store.queues import Queue, Queues, QueueStatus

_log = logging.getLogger("longterm")

_LARGEST = 2**31 - 1
"""Every store can hold it."""


class Queueing(Parts):
    """The part of an engine that knows queues."""

    def queue(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        per_partition: int | None = None,
        rate: tuple[int, timedelta] | None = None,
    ) -> Queue:
        """Declare a queue: how many of its runs may be carried on at once, over all processes.

        It is stored, and all processes obey it. Declared again, it has the new limits from then on,
        and a change is logged. A run waits in it by `start(flow, queue=name)`, and holds a slot
        while its turn runs, not while it waits for an event. What the limits mean: docs/queues.md.

        Args:
            name: the queue's name: printable text of 1 to 100 characters.
            concurrency: how many runs may hold a slot at once.
            per_partition: how many of one partition may.
            rate: how many may begin in a length of time: `(500, timedelta(minutes=1))`.

        Raises:
            InvalidQueue: an argument is not what it should be.
            NotSupported: the store has no queues.
        """
        queue = checked_queue(name, concurrency, per_partition, rate)
        self._declare(queue)
        return queue

    def _declare(self, queue: Queue) -> None:
        before = self._queue_store.declare_queue(queue)
        if before is not None and before != queue:
            limits = (_limits(before), _limits(queue))
            _log.warning("queue %r was %s, and is %s from now on", queue.name, *limits)
        self._claims.known_queues.add(queue.name)

    def queues(self) -> list[QueueStatus]:
        """Return what is in each queue now, in the order of their names.

        Raises:
            NotSupported: the store has no queues.
        """
        return self._queue_store.queue_statuses(now=self.clock.now())

    def _place(self, queue: str | None, partition: str | None) -> tuple[str | None, str]:
        """Return the queue and the partition in which a run is to wait.

        Raises:
            UnknownQueue: the queue was never declared.
            InvalidQueue: one is no name, or there is a partition and no queue.
        """
        if queue is None:
            if partition is not None:
                raise InvalidQueue("partition", partition, "give the queue, too: queue='mail'")
            return None, ""
        name = queue_name(queue)
        self._claims.check_queue(name)
        return name, partition_name(partition)

    @property
    def _queue_store(self) -> Queues:
        if not isinstance(self.store, Queues):
            raise NotSupported(self.store, "queues")
        return self.store


def checked_queue(name: object, concurrency: object, per_partition: object, rate: object) -> Queue:
    """Return a queue as it is to be declared.

    Raises:
        InvalidQueue: an argument is not what it should be.
    """
    return Queue(
        name=queue_name(name, "name"),
        concurrency=_checked_count("concurrency", concurrency),
        per_partition=_checked_count("per_partition", per_partition),
        rate=_checked_rate(rate),
    )


def _checked_count(argument: str, count: object) -> int | None:
    if count is None or (type(count) is int and 0 < count <= _LARGEST):
        return count
    raise InvalidQueue(argument, count, f"give a number from 1 to {_LARGEST}, or leave it out")


def _checked_rate(rate: object) -> tuple[int, timedelta] | None:
    if rate is None:
        return None
    match rate:
        case (int() as most, timedelta() as time) if type(most) is int:
            if 0 < most <= _LARGEST and time > timedelta(0):
                return most, time
    raise InvalidQueue("rate", rate, "give a number and a timedelta, as one tuple")


def _limits(queue: Queue) -> str:
    """Return how a queue is limited, for people."""
    limits = {
        "concurrency": queue.concurrency,
        "per_partition": queue.per_partition,
        "rate": None if queue.rate is None else f"{queue.rate[0]} in {queue.rate[1]}",
    }
    said = [f"{name}={limit}" for name, limit in limits.items() if limit is not None]
    return ", ".join(said) or "unlimited"
