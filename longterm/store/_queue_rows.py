"""A queue as a row of a table, as SQL stores have it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from longterm.store.queues import Queue, QueueStatus


def queue_row(queue: Queue) -> tuple[str, int | None, int | None, int | None, float | None]:
    """Return how a queue was declared: name, concurrency, per_partition, rate, rate_seconds."""
    most, time = queue.rate or (None, None)
    seconds = None if time is None else time.total_seconds()
    return queue.name, queue.concurrency, queue.per_partition, most, seconds


def queue_of(row: Sequence[Any]) -> Queue:
    """Return the queue of a row that begins with these columns."""
    name, concurrency, per_partition, most, seconds = row[:5]
    rate = None if most is None else (most, timedelta(seconds=seconds))
    return Queue(name=name, concurrency=concurrency, per_partition=per_partition, rate=rate)


def status_of(row: Sequence[Any]) -> QueueStatus:
    """Return what is in a queue, of which the last three columns are waiting, running, oldest."""
    waiting, running, oldest = row[5:]
    return QueueStatus(queue=queue_of(row), waiting=waiting, running=running, oldest=oldest)
