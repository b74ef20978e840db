"""What a turn sends to another run: a call that begins it, an event, a cancel. Plain data.

A message is saved with its turn, and brought to its receiver afterwards. It may be brought twice,
and has its effect once: what it begins has the id of the receiver, and an event has a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["Message", "MessageKind"]


class MessageKind(StrEnum):
    """What a message does; the value is what stores write."""

    START = "start"
    """Begins a run."""
    SPAWN = "spawn"
    """Begins a run that is a child of the sender."""
    EVENT = "event"
    """Sends an event, as `Engine.send` does."""
    CANCEL = "cancel"
    """Cancels a run, as `Engine.cancel` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One thing that a turn sends, as its sender's store keeps it until it is delivered."""

    id: str
    """Drawn at random: no other message has it. That of an event without a key of its own is the
    key of its delivery."""
    sender: str
    """The id of the run whose turn sends it."""
    number: int
    """Its place among all that the turn sends: they are delivered in this order."""
    receiver: str
    """The id of the run that it is for."""
    kind: MessageKind
    name: str = ""
    """The flow of a run that it begins, as `module:qualname`; or the event's name."""
    body: bytes = field(default=b"", repr=False)
    """The encoded call of a run that it begins, as the run's stack; or the event's value."""
    key: str = ""
    """An event's key: the flow's, or the message's own id."""
    digest: str = field(default="", repr=False)
    """What tells the content of a delivery from others; empty if that is not known."""
    traceparent: str | None = field(default=None, repr=False)
    """Where the turn that sends it stands in a trace; None: nobody observes it."""
    sent_at: datetime
    """When it was sent (aware, UTC)."""
    due_at: datetime
    """When whoever finds it is to deliver it; until then the sender's own process does."""
