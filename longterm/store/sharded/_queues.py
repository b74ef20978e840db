"""Queues over several servers: each gives out its own share of a queue."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from longterm.run import Run
from longterm.store.queues import Queue, QueueStatus
from longterm.store.sharded._asking import Asking
from longterm.store.sharded._shares import declared, shares_of, whole


class ShardedQueues(Asking):
    """The part of the store that has queues."""

    def declare_queue(self, queue: Queue) -> Queue | None:
        names = [server.name for server in self._servers.told()]
        shares = dict(zip(names, shares_of(queue, len(names)), strict=True))
        before = self._servers.try_each(lambda store: store.declared_queue(queue.name))
        # What is as it was needs nothing of a server that is away.
        if any(shares[name] != share for name, share in before.items()):
            for name, share in shares.items():
                self._servers.at(name).step(declared(share))
        known = [share for share in before.values() if share is not None]
        return whole(known) if known else None

    def declared_queue(self, name: str) -> Queue | None:
        found = self._servers.try_each(lambda store: store.declared_queue(name))
        shares = [share for share in found.values() if share is not None]
        return whole(shares) if shares else None

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
        return self._gather(
            limit,
            lambda store, most: store.claim_queued(
                now=now, until=until, limit=most, flows=flows, queues=queues, without=without
            ),
        )

    def queue_statuses(self, *, now: datetime) -> list[QueueStatus]:
        known: dict[str, list[QueueStatus]] = {}
        for statuses in self._ask_each(lambda store: store.queue_statuses(now=now)):
            for status in statuses:
                known.setdefault(status.queue.name, []).append(status)
        return [
            QueueStatus(
                queue=whole([status.queue for status in statuses]),
                waiting=sum(status.waiting for status in statuses),
                running=sum(status.running for status in statuses),
                oldest=min((s.oldest for s in statuses if s.oldest is not None), default=None),
            )
            for _, statuses in sorted(known.items())
        ]
