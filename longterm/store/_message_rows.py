"""A message as a row of a table: what SQL stores have in common. Knows no database.

Each row carries a checksum of what was sent, as that of a run does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from zlib import crc32

from longterm.message import Message, MessageKind
from longterm.store._rows import moment_text

COLUMNS: Final[tuple[LiteralString, ...]] = (
    *("id", "sender", "number", "receiver", "kind", "name", "body", "key", "digest"),
    *("sent_at", "due_at", "checksum", "traceparent"),
)
"""The columns in the order of a row."""


def row_of(message: Message) -> tuple[Any, ...]:
    """Return the columns of a message; its moments stay moments."""
    return (
        *(message.id, message.sender, message.number, message.receiver, message.kind.value),
        *(message.name, message.body, message.key, message.digest),
        *(message.sent_at, message.due_at, checksum_of(message), message.traceparent),
    )


def checksum_of(message: Message) -> int:
    """Return the checksum of a message.

    When it is due changes, and counts for nothing; nor does where it comes from in a trace.
    """
    texts = (
        *(message.id, message.sender, str(message.number), message.receiver, message.kind.value),
        *(message.name, message.key, message.digest, moment_text(message.sent_at) or ""),
    )
    return crc32(message.body, crc32("\0".join(texts).encode("utf-8", "surrogatepass")))


def messages_of(rows: Iterable[Sequence[Any]]) -> list[Message]:
    """Return the messages of rows, in the order of `due_at`, sender and number.

    One that is not what was written is left out, and named in the log.
    """
    messages = []
    for row in rows:
        message = _message_of(row)
        if message is None:
            logging.getLogger("longterm").warning(
                "message %r of run %r is not what was sent; it is left out", row[0], row[1]
            )
        else:
            messages.append(message)
    return sorted(messages, key=lambda message: (message.due_at, message.sender, message.number))


def _message_of(row: Sequence[Any]) -> Message | None:
    (message_id, sender, number, receiver, kind, name, body, key, digest, *rest) = row
    sent, due, kept, traceparent = rest
    try:
        message = Message(
            id=message_id,
            sender=sender,
            number=number,
            receiver=receiver,
            kind=MessageKind(kind),
            name=name,
            body=bytes(body),
            key=key,
            digest=digest,
            traceparent=traceparent,
            sent_at=_moment(sent),
            due_at=_moment(due),
        )
        return message if checksum_of(message) == kept else None
    except (TypeError, ValueError, AttributeError):
        return None


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
