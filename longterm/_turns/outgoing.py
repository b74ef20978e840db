"""What the flow of one turn sends to other runs. It is saved with the turn, and delivered after.

So a turn that is refused or fails sends nothing, and no turn touches two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from longterm._event_names import START
from longterm._flows.flow import Flow
from longterm._turns.deliveries import (
    Delivery,
    delivery_of,
    encoded_value,
    unnamed_delivery,
)
from longterm._turns.event_size import check_event_size
from longterm._turns.starts import Start, later_run
from longterm.child import Child
from longterm.errors import AlreadyTaken, NotSupported, TooManyChildren
from longterm.message import Message, MessageKind
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.store.outbox import Outbox
from longterm.unread import Receipt

MOST_CHILDREN: Final = 1000
"""How many open children a run may have: their ids stand in its row."""


class Outgoing:
    """The messages of one turn, and the children that are open after it."""

    def __init__(
        self,
        run: Run,
        store: RunStore,
        now: Callable[[], datetime],
        startable: Callable[[Callable[..., Any]], Flow],
        *,
        max_bytes: int,
        max_event_bytes: int,
    ) -> None:
        """Begin with the open children of a run, and with nothing sent.

        Args:
            run: the run as it was when its turn began.
            store: where its messages are kept.
            now: the engine's clock.
            startable: returns the flow of a function, if other processes can find it.
            max_bytes: what the call of a run that is begun may take.
            max_event_bytes: what the value of an event may take.

        Raises:
            NotSupported: the store keeps no messages.
        """
        if not isinstance(store, Outbox):
            raise NotSupported(store, "an outbox")
        self._run = run
        self._now = now
        self._startable = startable
        self._max_bytes = max_bytes
        self._max_event_bytes = max_event_bytes
        self._messages: list[Message] = []
        self._number = 0
        self.children = list(run.children)
        """The ids of the children that are open, oldest first."""
        self.traceparent: str | None = None
        """Where the turn stands in a trace, if somebody observes it."""

    def spawn(
        self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Child[Any]:
        if len(self.children) >= MOST_CHILDREN:
            raise TooManyChildren(self._run.id, MOST_CHILDREN)
        begun = self._begin(MessageKind.SPAWN, flow, args, kwargs)
        self.children.append(begun.receiver)
        return Child(begun.receiver)

    def start(self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Run:
        return run_of(self._begin(MessageKind.START, flow, args, kwargs))

    def start_once(
        self, run_id: str, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        """Start a run under an id, unless there is one of that id."""
        self._begin(MessageKind.START, flow, args, kwargs, run_id)

    def send(self, run_id: str, event_id: str, value: Any, key: str | None) -> Receipt:
        check_event_size(event_id, value, self._max_event_bytes)
        delivery = None if key is None else delivery_of(event_id, value, key)
        body = encoded_value(run_id, event_id, value)
        self._add(MessageKind.EVENT, run_id, event_id, body, delivery)
        return Receipt(run_id=run_id, number=None)

    def cancel(self, run_id: str) -> None:
        self._add(MessageKind.CANCEL, run_id)

    def tell(self, run_id: str, event_id: str, body: bytes) -> None:
        """Send a run an event whose value is encoded already."""
        self._add(MessageKind.EVENT, run_id, event_id, body)

    def check_open(self, child: Child[Any]) -> None:
        if child.run_id not in self.children:
            raise AlreadyTaken(child.run_id)

    def take(self, child_id: str) -> None:
        """Note that the end of a child was read."""
        self.children.remove(child_id)

    def forget(self) -> None:
        """Send nothing of what the flow has sent, and have the children of before."""
        self._messages.clear()
        self.children = list(self._run.children)

    def saved(self, run: Run) -> None:
        """Note that what was sent so far is saved, in the middle of the turn."""
        self._run = run

    def sent(self, until: datetime) -> tuple[Message, ...]:
        """Return what was sent since this was asked last; it is the process's own until a moment.

        Later whoever finds a message delivers it.
        """
        messages, self._messages = self._messages, []
        trace = self.traceparent
        return tuple(replace(message, due_at=until, traceparent=trace) for message in messages)

    def _begin(
        self,
        kind: MessageKind,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        run_id: str | None = None,
    ) -> Message:
        start = Start(self._startable(function), function, tuple(args), kwargs, run_id)
        now = self._now()
        run = later_run(start, now=now, due=now, max_bytes=self._max_bytes)
        return self._add(kind, run.id, run.flow, run.stack or b"")

    def _add(
        self,
        kind: MessageKind,
        receiver: str,
        name: str = "",
        body: bytes = b"",
        delivery: Delivery | None = None,
    ) -> Message:
        own = unnamed_delivery()
        delivery = delivery or own
        now = self._now()
        message = Message(
            id=own.key,
            sender=self._run.id,
            number=self._number,
            receiver=receiver,
            kind=kind,
            name=name,
            body=body,
            key=delivery.key,
            digest=delivery.digests[0] if delivery.digests else "",
            sent_at=now,
            due_at=now,
        )
        self._number += 1
        self._messages.append(message)
        return message


def run_of(message: Message) -> Run:
    """Return the run that a message begins: it waits for its start, and is due."""
    return Run(
        id=message.receiver,
        flow=message.name,
        state=RunState.SUSPENDED,
        saved_turn=1,
        waiting_for=START,
        stack=message.body,
        created_at=message.sent_at,
        updated_at=message.sent_at,
        deadline=message.sent_at,
        parent=message.sender if message.kind is MessageKind.SPAWN else None,
        traceparent=message.traceparent,
    )
