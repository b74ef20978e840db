"""An event of an inbox as JSON: what the commands print, and what web interfaces send."""

from __future__ import annotations

from typing import Any

from longterm._codec import describe
from longterm.errors import CorruptData
from longterm.unread import UnreadEvent, inbox_context


def unread_as_json(event: UnreadEvent) -> dict[str, Any]:
    """Return an event that a run has not read, or has refused, as JSON can hold it."""
    reason = reason_of(event)
    return {
        "number": event.number,
        "event": event.event_id,
        "key": event.key if event.has_own_key else None,
        "sent_at": event.sent_at.isoformat(),
        "value": value_of(event),
        **({} if reason is None else {"refusal": reason}),
    }


def value_of(event: UnreadEvent) -> str:
    """Return the value of an event as text, without the code of its classes."""
    context = inbox_context(event.run_id, event.event_id)
    try:
        return describe(event.encoded_value, context).rstrip()
    except CorruptData as error:
        return f"({error})"


def reason_of(event: UnreadEvent) -> str | None:
    """Return why an event was refused; None: it is unread."""
    try:
        return event.refusal
    except CorruptData as error:
        return f"({error})"
