"""An event in the inbox of a run, as stores keep it and as callers see it.

Plain data. Its value is encoded, so that a store never decodes; `UnreadEvent.value` decodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._codec import decode, decode_text, encode_text
from longterm._event_names import RESERVED

if TYPE_CHECKING:
    from longterm._codec.seal import Context

__all__ = ["Receipt", "UnreadEvent"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadEvent:
    """An event that a run was sent and has not read, or has refused."""

    run_id: str
    event_id: str
    """The event's name."""
    encoded_value: bytes = field(repr=False)
    key: str
    """By what the run knows the delivery again: the sender's key, or one that was drawn for it."""
    digest: str = field(default="", repr=False)
    """What tells the content of the delivery from others; empty if that is not known."""
    sent_at: datetime
    """When it was sent (aware, UTC)."""
    number: int = 0
    """Its place among all events that were sent to the run, from 1 on. The store gives it. One that
    has failed the run by `process_event` comes before these: 0, or less."""
    traceparent: str | None = field(default=None, repr=False)
    """Where its sender stood in a trace; None: in none."""
    encoded_refusal: str | None = field(default=None, repr=False)
    """What `refusal` says; as plain text, unless there is a payload codec."""
    actor: str | None = None
    """Who sent it, as `acting_as` said; `run:ID` if a run did; None: nobody has said."""

    @property
    def value(self) -> Any:
        """The event's value, which the flow's `suspend` will return."""
        return decode(self.encoded_value, inbox_context(self.run_id, self.event_id))

    @property
    def refusal(self) -> str | None:
        """Why the turn that read it has refused it; None: it is unread."""
        if self.encoded_refusal is None:
            return None
        return decode_text(self.encoded_refusal, inbox_context(self.run_id, self.event_id))

    def with_refusal(self, reason: str) -> UnreadEvent:
        """Return it as it is kept once a turn has refused it."""
        context = inbox_context(self.run_id, self.event_id)
        return replace(self, encoded_refusal=encode_text(reason, context))

    @property
    def has_own_key(self) -> bool:
        """Whether the sender gave the key."""
        return not self.key.startswith(RESERVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """The answer to `send`: the event is stored."""

    run_id: str
    number: int | None
    """The event's place among all that were sent to the run, from 1 on; None for a duplicate, and
    if the store's own answer was lost and the run has read the event since."""
    is_duplicate: bool = False
    """Whether the run had been sent, or given, the same before under the key; nothing happened."""


def inbox_context(run_id: str, event_id: str) -> Context:
    """Return what the seal of an unread event binds it to."""
    return "inbox", run_id, None, event_id
