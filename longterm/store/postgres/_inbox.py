"""The inboxes of runs in a Postgres database: events go in, and come out in their order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from longterm._later import later
from longterm.run import Run
from longterm.store._event_rows import checksum_of, event_of
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.inbox import in_order_of_saves
from longterm.store.postgres import _statements as sql
from longterm.store.postgres._database import Database

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")


class PostgresInbox:
    """The part of the store that keeps events until they are read."""

    _database: Database
    _unreadable: Unreadable

    def _confirmed(self, run_id: str) -> Run:
        """Return a run, once what it says is safe; the store does it."""
        raise NotImplementedError

    def get(self, run_id: str) -> Run:
        """Return a run; the store does it."""
        raise NotImplementedError

    def post(self, event: UnreadEvent, *, limit: int) -> int | None:
        operation = f"send an event to run {event.run_id!r}"
        kept = (event.key, event.digest, event.sent_at)
        parameters = (
            *(event.event_id, event.run_id, limit, event.key),
            *(event.event_id, event.encoded_value, *kept, checksum_of(event)),
            *kept,
        )
        answer = self._database.execute(sql.POST, parameters, operation)
        if answer.rows:
            return int(answer.rows[0][0])
        self.get(event.run_id)  # raises if there is no such run
        return None

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        operation = f"read the inbox of run {run_id!r}"
        if events is None:
            answer = self._database.execute(sql.UNREAD_OF_ANY, (run_id, after, limit), operation)
        else:
            parameters = (run_id, after, list(events), limit)
            answer = self._database.execute(sql.UNREAD_NAMED, parameters, operation)
        return [event_of(row) for row in answer.rows]

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
    ) -> list[Run]:
        operation = "claim runs with unread events"
        if flows is None:
            answer = self._database.execute(
                sql.CLAIM_UNREAD_OF_ANY, (limit, new_claim(), until), operation
            )
        else:
            parameters = (list(flows), limit, new_claim(), until)
            answer = self._database.execute(sql.CLAIM_UNREAD_OF_FLOWS, parameters, operation)
        return in_order_of_saves(self._unreadable.claimed(answer.rows, now))

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        parameters = (event.encoded_value, checksum_of(event), event.run_id, event.number)
        operation = f"rewrite an event of run {event.run_id!r}"
        return bool(self._database.execute(sql.REWRITE_UNREAD, parameters, operation).rows)
