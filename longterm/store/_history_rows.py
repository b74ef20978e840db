"""An entry of a history as a row of a table: what SQL stores have in common. Knows no database.

Each row carries two checksums, as lists of entries leave the stack out: one of that, and one of
all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString
from zlib import crc32

from longterm.errors import UnreadableRun
from longterm.store._rows import moment_text

if TYPE_CHECKING:
    from longterm.history import HistoryEntry

COLUMNS: Final[tuple[LiteralString, ...]] = (
    *("run", "turn", "number", "event", "value", "actor", "sent_at", "saved_at", "outcome"),
    *("waiting_for", "response", "error", "revision", "before", "checksum"),
    *("stack_checksum", "stack"),
)
"""The columns in the order of a row; the stack comes last, and is read only if it is needed."""

LISTED: Final = COLUMNS[:-2]
"""The columns of a row without its stack."""

REWRITTEN: Final[tuple[LiteralString, ...]] = (
    *("value", "response", "error", "checksum", "stack_checksum", "stack"),
)
"""The columns that are encoded, or depend on those."""


def row_of(entry: HistoryEntry) -> tuple[Any, ...]:
    """Return the columns of an entry; its moments stay moments."""
    return (
        *(entry.run_id, entry.turn, entry.number, entry.event, entry.encoded_value, entry.actor),
        *(entry.sent_at, entry.saved_at, entry.outcome, entry.waiting_for),
        *(entry.encoded_response, entry.encoded_error, entry.revision, entry.before),
        *(checksum_of(entry), stack_checksum(entry.stack), entry.stack),
    )


def rewritten_columns(entry: HistoryEntry) -> tuple[Any, ...]:
    """Return of an entry what is written when its bytes get another form."""
    return (
        *(entry.encoded_value, entry.encoded_response, entry.encoded_error),
        *(checksum_of(entry), stack_checksum(entry.stack), entry.stack),
    )


def checksum_of(entry: HistoryEntry) -> int:
    """Return the checksum of all of an entry but its stack; None and empty are told apart."""
    texts = (
        *(entry.run_id, entry.turn, entry.number, entry.event, entry.actor),
        *(moment_text(entry.sent_at), moment_text(entry.saved_at), entry.outcome),
        *(entry.waiting_for, entry.encoded_error, entry.revision, entry.before),
    )
    found = crc32(repr(texts).encode("utf-8", "surrogatepass"))
    for data in (entry.encoded_value, entry.encoded_response):
        found = crc32(b"-" if data is None else b"%d:%b" % (len(data), data), found)
    return found


def stack_checksum(stack: bytes | None) -> int | None:
    """Return the checksum of a stack."""
    return None if stack is None else crc32(stack)


def entry_of(row: Sequence[Any]) -> HistoryEntry:
    """Return the entry of a row, with or without its stack.

    Raises:
        UnreadableRun: the row is not what was written.
    """
    from longterm.history import HistoryEntry  # most processes read none

    entry = None
    try:
        (run_id, turn, number, event, value, actor, sent_at, saved_at, outcome) = row[:9]
        (waiting_for, response, error, revision, before, kept, *rest) = row[9:]
        stack_kept, stack = rest or (None, None)
        entry = HistoryEntry(
            run_id=run_id,
            turn=turn,
            number=number,
            event=event,
            encoded_value=_bytes(value),
            actor=actor,
            sent_at=_moment(sent_at),
            saved_at=_moment(saved_at),
            outcome=outcome,
            waiting_for=waiting_for,
            encoded_response=_bytes(response),
            encoded_error=error,
            revision=revision,
            before=before,
            stack=_bytes(stack),
        )
        if checksum_of(entry) != kept or stack_checksum(entry.stack) != stack_kept:
            entry = None
    except (TypeError, ValueError, AttributeError):
        entry = None
    if entry is None:
        reason = f"turn {row[1]!r} in its history is not what was saved"
        raise UnreadableRun(row[0] if isinstance(row[0], str) else repr(row[0]), reason)
    return entry


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
