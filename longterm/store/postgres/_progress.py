"""What long turns are at, in a Postgres database."""

from __future__ import annotations

from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import progress as sql


class PostgresProgress:
    """The part of the store that keeps what long turns are at."""

    _database: Database

    def note_progress(self, run_id: str, turn: int, note: str) -> bool:
        operation = f"note what run {run_id!r} is at"
        parameters = (note, run_id, turn)
        return bool(self._database.execute(sql.NOTE_PROGRESS, parameters, operation).rows)

    def progress(self, run_id: str) -> str | None:
        operation = f"read what run {run_id!r} is at"
        rows = self._database.execute(sql.PROGRESS, (run_id,), operation).rows
        return rows[0][0] if rows else None
