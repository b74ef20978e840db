"""How an event is sent: it is stored for its run, which reads it when it waits for it.

Runs no code of the flow, and needs none.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Final

from longterm._actor import acting
from longterm._event_names import CANCEL, THROW, child_of
from longterm._flows.wait_result import WaitResult
from longterm._turns.attempts import frames_of
from longterm._turns.claims import Claims
from longterm._turns.deliveries import (
    Delivery,
    delivery_of,
    encoded_value,
    kept_event,
    unnamed_delivery,
)
from longterm._turns.event_size import check_event_size
from longterm._turns.transitions import check_revision, refusal
from longterm._turns.waits import end_of_wait
from longterm.clock import Clock
from longterm.errors import (
    Cancelled,
    CannotStore,
    InboxFull,
    InvalidValue,
    LongtermError,
    NotSupported,
    StaleEvent,
)
from longterm.run import Run, RunState
from longterm.store.base import takes
from longterm.store.inbox import Inbox
from longterm.unread import Receipt, UnreadEvent

_OVER = (RunState.COMPLETE, RunState.CANCELLED)
NO_LIMIT: Final = sys.maxsize


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

    def send(
        self,
        run_id: str,
        event_id: str,
        value: Any,
        key: str | None = None,
        revision: int | None = None,
    ) -> Receipt:
        """Store an event for a run; with a revision, only while it rests there."""
        inbox = self._inbox()
        if revision is not None and not takes(inbox.post, "revision"):
            raise NotSupported(inbox, "posts to a revision of a run")
        check_event_size(event_id, value, self._max_event_bytes)
        delivery = unnamed_delivery() if key is None else delivery_of(event_id, value, key)
        if "pydantic" in sys.modules:  # else this process has no use for types
            self._check(run_id, event_id, value, delivery)
        encoded = encoded_value(run_id, event_id, value)
        event = kept_event(run_id, event_id, encoded, delivery, self._clock.now(), acting())
        return self._send(inbox, event, delivery, self._max_unread, revision)

    def send_cancel(
        self,
        run_id: str,
        key: str | None = None,
        actor: str | None = None,
        traceparent: str | None = None,
    ) -> Receipt:
        """Cancel a run without running its code: whatever it does now, it reads this next.

        A suspended run can go on then (`DueTurns.go_on`, or a worker).

        Raises:
            UnknownRun: the store has no such run.
            RunComplete, RunNotSuspended: the run is complete, or cancelled.
            NotSupported: the store keeps no events.
        """
        return self.send_error(run_id, Cancelled(run_id), key, actor, traceparent)

    def send_error(
        self,
        run_id: str,
        error: BaseException,
        key: str | None = None,
        actor: str | None = None,
        traceparent: str | None = None,
    ) -> Receipt:
        """Store an exception, which is raised at the next wait of a run, before any other event.

        A second `Cancelled` is a duplicate of the one that is unread. It comes from an actor, if
        one is given, else from whoever is acting.

        Raises:
            CannotStore: the exception cannot be stored, or is neither an `Exception` nor a
                `Cancelled`: nobody is there to take what ends a program (`SystemExit`).
            Exception: what `send_cancel` raises too.
        """
        inbox = self._inbox()
        is_cancel = isinstance(error, Cancelled)
        if not is_cancel and not isinstance(error, Exception):
            raise CannotStore(
                f"cannot store {type(error).__name__} for run {run_id!r}, which is in the middle "
                "of a turn (throw an Exception, or wait until the run is suspended)"
            )
        event_id = CANCEL if is_cancel else THROW
        delivery = unnamed_delivery() if key is None else Delivery(key, [])
        encoded = encoded_value(run_id, event_id, error)
        now = self._clock.now()
        event = kept_event(run_id, event_id, encoded, delivery, now, actor or acting())
        # One with a key is stored in any case, so that it is known when it comes again; those that
        # are unread together are read as one.
        if is_cancel and key is None and CANCEL in self._claims.store.get(run_id).unread:
            return Receipt(run_id=run_id, number=None, is_duplicate=True)
        if key is None:
            return self._send(inbox, event, delivery, NO_LIMIT)
        # It is a message of a turn, which is observed itself.
        return self._post(inbox, replace(event, traceparent=traceparent), delivery, NO_LIMIT)

    def _inbox(self) -> Inbox:
        inbox = self._claims.inbox
        if inbox is None:
            raise NotSupported(self._claims.store, "an inbox")
        return inbox

    def post(self, event: UnreadEvent, *, limit: int | None) -> Receipt:
        """Store an event that is encoded already, such as one of a message.

        Args:
            event: the event; its key says whether it was stored before.
            limit: how many unread ones its run may have; None: as many as for any.

        Raises:
            Exception: what `send` raises.
        """
        delivery = Delivery(event.key, [event.digest] if event.digest else [])
        most = self._max_unread if limit is None else limit
        return self._post(self._inbox(), event, delivery, most)

    def _send(
        self,
        inbox: Inbox,
        event: UnreadEvent,
        delivery: Delivery,
        limit: int,
        revision: int | None = None,
    ) -> Receipt:
        """Store an event of somebody who is no turn."""
        if self._claims.observer is None:
            return self._post(inbox, event, delivery, limit, revision)
        with self._claims.observer.send(event.run_id, event.event_id) as traceparent:
            event = replace(event, traceparent=traceparent)
            return self._post(inbox, event, delivery, limit, revision)

    def _post(
        self,
        inbox: Inbox,
        event: UnreadEvent,
        delivery: Delivery,
        limit: int,
        revision: int | None = None,
    ) -> Receipt:
        while True:
            if revision is None:
                number = inbox.post(event, limit=limit)
            else:
                number = inbox.post(event, limit=limit, revision=revision)
            if number is not None:
                return Receipt(run_id=event.run_id, number=number)
            run = self._claims.store.get(event.run_id)
            if self._is_taken(run, delivery):
                return self._receipt(inbox, event)
            if run.state in _OVER:
                raise refusal(run, event.event_id)
            if revision is not None:
                self._check_rest(run, event.event_id, revision)
            ends = sum(child_of(name) is not None for name in run.unread)
            if len(run.unread) - ends >= limit:
                raise InboxFull(event.run_id, limit)
            if ends and limit < NO_LIMIT:  # those of children count for nothing
                number = inbox.post(event, limit=limit + ends)
                if number is not None:
                    return Receipt(run_id=event.run_id, number=number)
            # What was in the way is over: it is tried again.

    def _check_rest(self, run: Run, event_id: str, revision: int) -> None:
        if run.state is not RunState.SUSPENDED:
            raise refusal(run, event_id)
        check_revision(run, revision, self._claims.store)
        if run.next_unread is not None:
            raise StaleEvent(run.id, revision, revision)

    def _check(self, run_id: str, event_id: str, value: Any, delivery: Delivery) -> None:
        """Check what a run reads at once, if it says a type and all that its frames hold is here.

        Raises:
            InvalidValue: the run waits for something else, and does not know the delivery.
        """
        run = self._claims.store.get(run_id)
        forms = {} if run.wants is None else run.wants.get("events", {})
        if run.state is not RunState.SUSPENDED or event_id not in forms or run.next_unread:
            return
        assert run.stack is not None
        try:
            slots = frames_of(run.stack, run, self._claims.store)[-1].slots
            end_of_wait(WaitResult(value, name=event_id), run.waiting_for, slots)
        except InvalidValue:
            if not self._is_taken(run, delivery):
                raise
        except LongtermError:  # the turn itself says so, where the flow's code is
            return

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
