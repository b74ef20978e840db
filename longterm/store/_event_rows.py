"""An event in an inbox as a row of a table: what SQL stores have in common. Knows no database.

Each row carries a checksum of what was posted, as that of a run does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString
from zlib import crc32

from longterm.errors import UnreadableRun
from longterm.store._rows import moment_text

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent

COLUMNS: Final[tuple[LiteralString, ...]] = (
    *("run", "number", "event", "value", "key", "digest", "sent_at", "checksum", "actor"),
    "traceparent",
)
"""The columns that a post writes."""

READ: Final[tuple[LiteralString, ...]] = (*COLUMNS, "refused")
"""The columns in the order of a row that is read."""


def checksum_of(event: UnreadEvent) -> int:
    """Return the checksum of an event; the number is the store's to give.

    Where it comes from in a trace is no part of what was sent, and counts for nothing.
    """
    texts = (
        event.run_id,
        event.event_id,
        event.key,
        event.digest,
        moment_text(event.sent_at) or "",
        *(() if event.actor is None else (event.actor,)),
    )
    found = crc32(event.encoded_value, crc32("\0".join(texts).encode("utf-8", "surrogatepass")))
    refusal = event.encoded_refusal
    return found if refusal is None else crc32(refusal.encode("utf-8", "surrogatepass"), found ^ 1)


def event_of(row: Sequence[Any]) -> UnreadEvent:
    """Return the event of a row, whose moment is text or a moment.

    Raises:
        UnreadableRun: the row is not what was written.
    """
    from longterm.unread import UnreadEvent  # most processes read none

    run_id, number, name, value, key, digest, sent_at, kept, actor, traceparent, refusal = row
    event = None
    try:
        event = UnreadEvent(
            run_id=run_id,
            event_id=name,
            encoded_value=bytes(value),
            key=key,
            digest=digest,
            sent_at=datetime.fromisoformat(sent_at) if isinstance(sent_at, str) else sent_at,
            number=number,
            traceparent=traceparent,
            encoded_refusal=refusal,
            actor=actor,
        )
        if checksum_of(event) != kept:
            event = None
    except (TypeError, ValueError, AttributeError):
        event = None
    if event is None:
        reason = f"event {number!r} in its inbox is not what was sent"
        raise UnreadableRun(run_id if isinstance(run_id, str) else repr(run_id), reason)
    return event
