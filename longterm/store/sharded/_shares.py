"""How the limits of a queue are shared out among servers: their sum is what was declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from longterm.errors import StoreError
from longterm.store.queues import Queue
from longterm.store.sharded._server import Server, ShardStore

_LIMITS: Final = ("concurrency", "per_partition", "rate")


def shares_of(queue: Queue, count: int) -> list[Queue]:
    """Return what each of so many servers may give out of a queue.

    Raises:
        StoreError: it is less than one each: runs that wait there would wait for ever.
    """
    for name in _LIMITS:
        most = _most(queue, name)
        if most is not None and most < count:
            raise StoreError(
                f"queue {queue.name!r} has {name}={most}, and each of {count} servers needs at "
                f"least one of it (allow {count}, or keep what is in it on one server)"
            )
    return [_share(queue, number, count) for number in range(count)]


def whole(shares: Sequence[Queue]) -> Queue:
    """Return the queue that some shares are of."""
    first = shares[0]
    sums = [
        None if _most(first, name) is None else sum(_most(share, name) or 0 for share in shares)
        for name in _LIMITS
    ]
    return _with_limits(first, sums)


def _share(queue: Queue, number: int, count: int) -> Queue:
    limits = (_most(queue, name) for name in _LIMITS)
    return _with_limits(
        queue,
        [most if most is None else most // count + (number < most % count) for most in limits],
    )


def _with_limits(queue: Queue, limits: Sequence[int | None]) -> Queue:
    concurrency, per_partition, most = limits
    rate = queue.rate if most is None or queue.rate is None else (most, queue.rate[1])
    return replace(queue, concurrency=concurrency, per_partition=per_partition, rate=rate)


def _most(queue: Queue, name: str) -> int | None:
    limit: int | tuple[int, timedelta] | None = getattr(queue, name)
    return limit[0] if isinstance(limit, tuple) else limit


def share_out(servers: Sequence[Server], now: datetime) -> None:
    """Share out all queues anew among some servers, of which some are new.

    Raises:
        StoreError: a queue is too small for so many, or a server is away.
    """
    known: dict[str, list[Queue]] = {}
    for server in servers:
        for status in server.step(lambda store: store.queue_statuses(now=now)):
            known.setdefault(status.queue.name, []).append(status.queue)
    for shares in known.values():
        if len(shares) < len(servers):
            for server, share in zip(servers, shares_of(whole(shares), len(servers)), strict=True):
                server.step(declared(share))


def declared(share: Queue) -> Callable[[ShardStore], object]:
    """Return the step that declares a server's share."""
    return lambda store: store.declare_queue(share)
