"""The statements of what turns have sent."""

from __future__ import annotations

from typing import Final, LiteralString

CLAIM_OUTGOING: Final[LiteralString] = (
    "WITH due AS MATERIALIZED (SELECT id, due_at AS was FROM longterm.outbox WHERE due_at <= %s"
    " ORDER BY due_at, sender, number LIMIT %s FOR UPDATE SKIP LOCKED)"
    " UPDATE longterm.outbox SET due_at = %s FROM due WHERE outbox.id = due.id"
    " RETURNING outbox.id, sender, number, receiver, kind, name, body, key, digest, sent_at,"
    " due.was, checksum, traceparent"
)
PUT_OFF: Final[LiteralString] = "UPDATE longterm.outbox SET due_at = %s WHERE id = %s RETURNING id"
FORGET_OUTGOING: Final[LiteralString] = "DELETE FROM longterm.outbox WHERE id = %s RETURNING id"
