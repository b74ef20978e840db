"""What long turns are at, in one SQLite file."""

from __future__ import annotations

from typing import Any, Final

from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._writer import Writer

_NOTE: Final = (
    "INSERT INTO progress (run, turn, note) SELECT id, turn, ? FROM runs"
    " WHERE id = ? AND turn = ? AND state = 'running'"
    " ON CONFLICT (run) DO UPDATE SET turn = excluded.turn, note = excluded.note"
)
_PROGRESS: Final = (
    "SELECT note FROM progress JOIN runs ON runs.id = progress.run AND runs.turn = progress.turn"
    " WHERE runs.id = ? AND state = 'running'"
)


class SQLiteProgress:
    """The part of the store that keeps what long turns are at."""

    _writer: Writer

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def note_progress(self, run_id: str, turn: int, note: str) -> bool:
        def keep(connection: Connection) -> int:
            return connection.execute(_NOTE, (note, run_id, turn)).rowcount

        operation = f"note what run {run_id!r} is at"
        return bool(self._writer.write(keep, operation, is_durable=False))

    def progress(self, run_id: str) -> str | None:
        rows = self._read(_PROGRESS, (run_id,), f"read what run {run_id!r} is at")
        return rows[0][0] if rows else None
