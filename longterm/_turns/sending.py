"""How an event is sent: it is stored for its run, which reads it when it waits for it.

Runs no code of the flow, and needs none.
"""

from __future__ import annotations

from typing import Any

from longterm._codec import encode
from longterm._event_names import RESERVED
from longterm._turns.claims import Claims
from longterm._turns.deliveries import Delivery, delivery_of
from longterm._turns.event_size import check_event_size
from longterm._turns.transitions import refusal
from longterm.clock import Clock
from longterm.errors import CannotStore, InboxFull, NotStorable, NotSupported
from longterm.run import Run, RunState
from longterm.store.base import new_claim
from longterm.store.inbox import Inbox
from longterm.unread import Receipt, UnreadEvent, inbox_context

_OVER = (RunState.COMPLETE, RunState.CANCELLED)


class Sending:
    """Sends events to the runs of one engine."""

    def __init__(
        self, claims: Claims, clock: Clock, *, max_event_bytes: int, max_unread: int
    ) -> None:
        """Send events of at most some bytes, to runs that have fewer unread ones than a limit."""
        self._claims = claims
        self._clock = clock
        self._max_event_bytes = max_event_bytes
        self._max_unread = max_unread

    def send(self, run_id: str, event_id: str, value: Any, key: str | None) -> Receipt:
        """Store an event for a run."""
        claims = self._claims
        inbox = claims.inbox
        if inbox is None:
            raise NotSupported(claims.store, "an inbox")
        check_event_size(event_id, value, self._max_event_bytes)
        if key is None:
            # A step of the store whose answer was lost is taken again, and known by this.
            delivery = Delivery(f"{RESERVED}{new_claim():x}", [])
        else:
            delivery = delivery_of(event_id, value, key)
        event = UnreadEvent(
            run_id=run_id,
            event_id=event_id,
            encoded_value=_encoded(run_id, event_id, value),
            key=delivery.key,
            digest=delivery.digests[0] if delivery.digests else "",
            sent_at=self._clock.now(),
        )
        while True:
            number = inbox.post(event, limit=self._max_unread)
            if number is not None:
                return Receipt(run_id=run_id, number=number)
            run = claims.store.get(run_id)
            if self._is_taken(run, delivery):
                return self._receipt(inbox, event)
            if run.state in _OVER:
                raise refusal(run, event_id)
            if len(run.unread) >= self._max_unread:
                raise InboxFull(run_id, self._max_unread)
            # What was in the way is over: it is tried again.

    def _is_taken(self, run: Run, delivery: Delivery) -> bool:
        """Tell whether a run has a delivery, and no failover can undo that."""
        keys = self._claims.keys
        return delivery.is_taken(run, keys) and delivery.is_taken(self._claims.confirmed(run), keys)

    def _receipt(self, inbox: Inbox, event: UnreadEvent) -> Receipt:
        """Return the receipt of an event that the run has, by its key."""
        if event.has_own_key:
            return Receipt(run_id=event.run_id, number=None, is_duplicate=True)
        found = inbox.unread(event.run_id, events=[event.event_id], limit=self._max_unread)
        number = next((sent.number for sent in found if sent.key == event.key), None)
        return Receipt(run_id=event.run_id, number=number)


def _encoded(run_id: str, event_id: str, value: Any) -> bytes:
    try:
        return encode(value, inbox_context(run_id, event_id))
    except NotStorable as error:
        raise CannotStore(f"cannot store the value of event {event_id!r}: {error}") from error
