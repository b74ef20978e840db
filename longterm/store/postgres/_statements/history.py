"""The statements of histories."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store._history_rows import COLUMNS as HISTORY_COLUMNS
from longterm.store._history_rows import LISTED, REWRITTEN

HISTORY_NAMES: Final[LiteralString] = ", ".join(HISTORY_COLUMNS)
ENTRIES: Final[LiteralString] = (
    f"SELECT {', '.join(LISTED)} FROM longterm.history WHERE run = %s"
    " AND (turn, number) > (%s, %s) ORDER BY turn, number LIMIT %s"
)
ENTRY: Final[LiteralString] = (
    f"SELECT {HISTORY_NAMES} FROM longterm.history WHERE run = %s AND turn = %s AND number = %s"
)
ENTRY_AT: Final[LiteralString] = (
    f"SELECT {HISTORY_NAMES} FROM longterm.history WHERE run = %s AND revision = %s"
    " AND stack_checksum IS NOT NULL ORDER BY turn, number LIMIT 1"
)
REWRITE_ENTRY: Final[LiteralString] = (
    "UPDATE longterm.history SET "
    + ", ".join(
        [
            name + " = " + ("%b" if name in ("value", "response", "stack") else "%s")
            for name in REWRITTEN
        ]
    )
    + " WHERE run = %s AND turn = %s AND number = %s AND checksum = %s"
    " AND stack_checksum IS NOT DISTINCT FROM %s RETURNING turn"
)
FORGET_ENTRIES: Final[LiteralString] = (
    "DELETE FROM longterm.history WHERE (run, turn, number) IN (SELECT run, turn, number"
    " FROM longterm.history WHERE saved_at < %s ORDER BY saved_at LIMIT %s FOR UPDATE SKIP LOCKED)"
    " RETURNING turn"
)
