"""The inboxes of runs in a Postgres database: events go in, and come out in their order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from longterm._later import later
from longterm.run import Run
from longterm.store._event_rows import checksum_of, event_of
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.inbox import BEFORE_ALL, in_order_of_saves
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import claims, due
from longterm.store.postgres._statements import inbox as sql
from longterm.store.postgres._waker import NOW, Tells

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")


class PostgresInbox:
    """The part of the store that keeps events until they are read, and those that are refused."""

    _database: Database
    _unreadable: Unreadable
    _waker: Tells

    def _confirmed(self, run_id: str, until: float | None = None) -> Run:
        """Return a run, once what it says is safe; the store does it."""
        raise NotImplementedError

    def _claim_many(
        self,
        statement: LiteralString,
        parameters: tuple[object, ...],
        number: int,
        operation: str,
    ) -> list[tuple[Any, ...]]:
        """Return the rows of the runs that a statement claims under a number."""
        until = self._database.end_of_step()
        answer = self._database.execute(statement, parameters, operation, until=until)
        if not answer.is_repeated:
            return answer.rows
        # Those of the first try, whose answer was lost, have the number too.
        return self._database.execute(claims.CLAIMED, (number,), operation, until=until).rows

    def _read(self, run_id: str, until: float | None = None) -> Run:
        """Return a run; the store does it."""
        raise NotImplementedError

    def post(self, event: UnreadEvent, *, limit: int, revision: int | None = None) -> int | None:
        operation = f"send an event to run {event.run_id!r}"
        kept = (event.key, event.digest, event.sent_at)
        parameters = (
            *(event.event_id, event.event_id, event.run_id, limit, event.key),
            *(() if revision is None else (revision,)),
            *(event.event_id, event.encoded_value, *kept, checksum_of(event), event.actor),
            event.traceparent,
            *kept,
        )
        statement = sql.POST if revision is None else sql.POST_AT
        until = self._database.end_of_step()
        answer = self._database.execute(statement, parameters, operation, until=until)
        if answer.rows:
            number, _, is_ready = answer.rows[0]
            if is_ready:
                self._waker.tell(NOW)
            return int(number)
        self._read(event.run_id, until)  # raises if there is no such run
        return None

    def unread(
        self,
        run_id: str,
        *,
        events: Collection[str] | None = None,
        after: int = BEFORE_ALL,
        limit: int = 100,
    ) -> list[UnreadEvent]:
        operation = f"read the inbox of run {run_id!r}"
        if events is None:
            answer = self._database.execute(sql.UNREAD_OF_ANY, (run_id, after, limit), operation)
        else:
            parameters = (run_id, after, list(events), limit)
            answer = self._database.execute(sql.UNREAD_NAMED, parameters, operation)
        return [event_of(row) for row in answer.rows]

    def refused(
        self, run_id: str, *, after: int = BEFORE_ALL, limit: int = 100
    ) -> list[UnreadEvent]:
        operation = f"read what run {run_id!r} has refused"
        answer = self._database.execute(sql.REFUSED, (run_id, after, limit), operation)
        return [event_of(row) for row in answer.rows]

    def forget_refused(self, run_id: str, number: int) -> bool:
        operation = f"forget an event of run {run_id!r}"
        answer = self._database.execute(sql.FORGET_REFUSED, (run_id, number), operation)
        return bool(answer.rows) or answer.is_repeated

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        operation, number = "claim runs with unread events", new_claim()
        those, names = due.those_to_claim(flows, without)
        parameters = (*names, limit, number, until)
        rows = self._claim_many(due.claim_unread(those), parameters, number, operation)
        return in_order_of_saves(self._unreadable.claimed(rows, now))

    def forget_keys(self, *, taken_before: datetime) -> int:
        moments = (taken_before, taken_before, taken_before)
        return len(self._database.execute(sql.FORGET_KEYS, moments, "forget old keys").rows)

    def rewrite_unread(self, event: UnreadEvent) -> bool:
        parameters = (
            *(event.encoded_value, event.encoded_refusal, checksum_of(event)),
            *(event.run_id, event.number, event.encoded_refusal is None),
        )
        operation = f"rewrite an event of run {event.run_id!r}"
        return bool(self._database.execute(sql.REWRITE_UNREAD, parameters, operation).rows)


def columns_of_refused(events: Collection[UnreadEvent]) -> list[list[Any]]:
    """Return what is written of events that are refused as a list for each column."""
    rows = [(event.number, event.encoded_refusal, checksum_of(event)) for event in events]
    return [list(column) for column in zip(*rows, strict=True)]
