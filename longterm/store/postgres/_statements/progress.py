"""The statements of what long turns are at."""

from __future__ import annotations

from typing import Final, LiteralString

NOTE_PROGRESS: Final[LiteralString] = (
    "INSERT INTO longterm.progress (run, turn, note) SELECT id, turn, %s FROM longterm.runs"
    " WHERE id = %s AND turn = %s AND state = 'running'"
    " ON CONFLICT (run) DO UPDATE SET turn = excluded.turn, note = excluded.note RETURNING turn"
)
PROGRESS: Final[LiteralString] = (
    "SELECT note FROM longterm.progress JOIN longterm.runs"
    " ON runs.id = progress.run AND runs.turn = progress.turn"
    " WHERE runs.id = %s AND state = 'running'"
)
