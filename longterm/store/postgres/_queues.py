"""The queues of a Postgres database: each claim is one call of a function there."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, LiteralString

from longterm.run import Run
from longterm.store._queue_rows import queue_of, queue_row, status_of
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import queues as sql
from longterm.store.queues import Queue, QueueStatus


class PostgresQueues:
    """The part of the store that gives out the slots of queues."""

    _database: Database
    _unreadable: Unreadable

    def _claim_many(
        self,
        statement: LiteralString,
        parameters: tuple[object, ...],
        number: int,
        operation: str,
    ) -> list[tuple[Any, ...]]:
        """Return the rows of the runs that a statement claims under a number; the store does it."""
        raise NotImplementedError

    def declare_queue(self, queue: Queue) -> Queue | None:
        parameters = (queue.name, *queue_row(queue))
        operation = f"declare queue {queue.name!r}"
        ((name, *limits),) = self._database.execute(sql.DECLARE_QUEUE, parameters, operation).rows
        return queue_of((name, *limits)) if name else None

    def declared_queue(self, name: str) -> Queue | None:
        operation = f"read queue {name!r}"
        rows = self._database.execute(sql.DECLARED_QUEUE, (name,), operation).rows
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
        number = new_claim()
        wanted = (
            None if names is None else list(names) for names in (flows, queues, without or None)
        )
        parameters = (now, until, limit, *wanted, number)
        rows = self._claim_many(sql.CLAIM_QUEUED, parameters, number, "claim queued runs")
        return self._unreadable.claimed(rows, now)

    def queue_statuses(self, *, now: datetime) -> list[QueueStatus]:
        rows = self._database.execute(sql.QUEUE_STATUSES, (now,), "count queued runs").rows
        return [status_of(row) for row in rows]
