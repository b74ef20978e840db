"""The statements of what a server knows of the others."""

from __future__ import annotations

from typing import Final, LiteralString

SHARD_NOTE: Final[LiteralString] = "SELECT note FROM longterm.shard"
FIRST_SHARD_NOTE: Final[LiteralString] = (
    "INSERT INTO longterm.shard (one, note) VALUES (1, %s) ON CONFLICT DO NOTHING RETURNING one"
)
NEXT_SHARD_NOTE: Final[LiteralString] = (
    "UPDATE longterm.shard SET note = %s WHERE note = %s RETURNING one"
)
FORGET_SENT_TO: Final[LiteralString] = (
    "DELETE FROM longterm.outbox WHERE receiver = ANY (%s) RETURNING id"
)
