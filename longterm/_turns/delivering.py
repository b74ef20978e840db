"""How what a turn has sent reaches its receivers, once the turn is saved.

The process that saved it delivers; should it die, whoever looks later. A message may be delivered
twice and has its effect once: a run has the id that the message names, and an event has its key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from longterm._event_names import START, child_of, event_of_child
from longterm._signals import is_of_signal
from longterm._turns.claims import Claims
from longterm._turns.outgoing import run_of
from longterm._turns.sending import NO_LIMIT, Sending
from longterm.clock import Clock
from longterm.errors import KeyReused, RunExists, RunNotSuspended, UnknownRun
from longterm.message import Message, MessageKind
from longterm.store.outbox import Outbox
from longterm.unread import UnreadEvent

_log = logging.getLogger("longterm")

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(hours=1)
"""Pauses between two tries. One to a run that is not there is given up after the longest."""
_AT_ONCE: Final = 100
_BEGINNING: Final = (MessageKind.START, MessageKind.SPAWN)


class Delivering:
    """Delivers the messages of one engine's store."""

    def __init__(self, outbox: Outbox, claims: Claims, clock: Clock, sending: Sending) -> None:
        """Deliver what a store keeps."""
        self._outbox = outbox
        self._claims = claims
        self._clock = clock
        self._sending = sending
        self.next_try: datetime | None = None
        """When to look for the first message that this process has put off; None: it has none."""

    def deliver(self, messages: Iterable[Message]) -> list[str]:
        """Deliver messages in their order; return the ids of the runs that have got one.

        What cannot be delivered now is tried again later, by whoever finds it; nothing is raised,
        since the turn that has sent it is saved.
        """
        return self._deliver_in_order(messages, {})

    def deliver_due(self) -> list[str]:
        """Deliver what processes that died have left; return the ids of the runs reached."""
        reached: list[str] = []
        waiting: dict[str, datetime] = {}
        now = self._claims.now()
        until = now + self._claims.lease
        self.next_try = None
        while True:
            found = self._outbox.claim_outgoing(now=now, until=until, limit=_AT_ONCE)
            reached += self._deliver_in_order(found, waiting)
            if len(found) < _AT_ONCE:
                return reached
            # A receiver that has to wait does so for those of the next hundred as well: else they
            # would come before.
            if not waiting:
                self.next_try = now
                return reached

    def _deliver_in_order(
        self, messages: Iterable[Message], waiting: dict[str, datetime]
    ) -> list[str]:
        """Deliver messages; `waiting` are the receivers that have to wait, and until when."""
        reached: list[str] = []
        for message in messages:
            # Its messages keep their order; but the one that begins it waits for none of them.
            # Numbers begin anew with each turn, so a cancel of a later turn can come before it.
            if message.receiver in waiting and message.kind not in _BEGINNING:
                self._put_off(message, waiting[message.receiver])
                continue
            try:
                if self._deliver(message):
                    reached.append(message.receiver)
                self._outbox.forget_outgoing(message.id)
            except Exception as error:
                if is_of_signal(error):
                    raise
                waiting[message.receiver] = self._next_try(message, error)
                self._put_off(message, waiting[message.receiver])
        return reached

    def _deliver(self, message: Message) -> bool:
        """Deliver a message; tell whether anything has come of it."""
        try:
            if message.kind in _BEGINNING:
                self._begin(message)
            elif message.kind is MessageKind.CANCEL:
                actor, trace = _actor_of(message), message.traceparent
                self._sending.send_cancel(message.receiver, message.key, actor, trace)
            else:
                self._sending.post(_event_of(message), limit=_limit_of(message))
        except RunExists:
            return False
        except (KeyReused, RunNotSuspended, UnknownRun) as error:
            # The message that begins it may be on its way: perhaps nobody has looked for hours, so
            # what counts is when this try was meant to be.
            tried_at = min(message.due_at, self._clock.now())
            if isinstance(error, UnknownRun) and tried_at - message.sent_at < _LONGEST:
                raise
            _log.log(
                logging.DEBUG if _is_of_family(message) else logging.WARNING,
                "run %s: its message to run %s came to nothing: %s",
                *(message.sender, message.receiver, type(error).__name__),
            )
            return False
        return True

    def _begin(self, message: Message) -> None:
        run, recording = run_of(message), self._claims.recording
        if recording is not None:
            run = recording.noted(run, START, run, actor=_actor_of(message))
        self._claims.store.create(run)

    def _next_try(self, message: Message, error: Exception) -> datetime:
        """Return when to try again; each pause is as long as the message is on its way already."""
        now = self._clock.now()
        pause = min(max(now - message.sent_at, _SHORTEST), _LONGEST)
        _log.warning(
            "run %s: its message to run %s cannot be delivered now (%s): it is tried again in %g s",
            *(message.sender, message.receiver, type(error).__name__, pause.total_seconds()),
        )
        return now + pause

    def _put_off(self, message: Message, until: datetime) -> None:
        try:
            self._outbox.put_off(message.id, until=until)
            self.next_try = until if self.next_try is None else min(self.next_try, until)
        except Exception as another:  # it stays due, and is found
            if is_of_signal(another):
                raise
            _log.debug("message %s stays due: %s", message.id, another)


def _is_of_family(message: Message) -> bool:
    """Tell whether parent and child say by it that they are over: often the other is over too."""
    return message.kind is MessageKind.CANCEL or child_of(message.name) is not None


def _limit_of(message: Message) -> int | None:
    """Return how many unread events its receiver may have; the ends of children always come."""
    return NO_LIMIT if child_of(message.name) is not None else None


def _event_of(message: Message) -> UnreadEvent:
    return UnreadEvent(
        run_id=message.receiver,
        event_id=message.name,
        encoded_value=message.body,
        key=message.key,
        digest=message.digest,
        sent_at=message.sent_at,
        actor=_actor_of(message),
        traceparent=message.traceparent,
    )


def _actor_of(message: Message) -> str:
    """Return who has sent a message: a run, as its children's events name it."""
    return event_of_child(message.sender)
