"""The histories of runs, in a Postgres database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._later import later
from longterm.run import Run
from longterm.store._history_rows import (
    checksum_of,
    entry_of,
    rewritten_columns,
    row_of,
    stack_checksum,
)
from longterm.store.history import FIRST, Place
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import history as sql

if TYPE_CHECKING:
    from longterm.history import HistoryEntry
else:
    HistoryEntry = later("longterm.history", "HistoryEntry")


class PostgresHistory:
    """The part of the store that keeps what came to runs, turn by turn."""

    _database: Database

    def entries(self, run_id: str, *, after: Place = FIRST, limit: int = 100) -> list[HistoryEntry]:
        operation = f"read the history of run {run_id!r}"
        answer = self._database.execute(sql.ENTRIES, (run_id, *after, limit), operation)
        return [entry_of(row) for row in answer.rows]

    def entry(self, run_id: str, place: Place) -> HistoryEntry | None:
        operation = f"read the history of run {run_id!r}"
        rows = self._database.execute(sql.ENTRY, (run_id, *place), operation).rows
        return entry_of(rows[0]) if rows else None

    def entry_at(self, run_id: str, revision: int) -> HistoryEntry | None:
        operation = f"read the history of run {run_id!r}"
        rows = self._database.execute(sql.ENTRY_AT, (run_id, revision), operation).rows
        return entry_of(rows[0]) if rows else None

    def rewrite_entry(self, was: HistoryEntry, entry: HistoryEntry) -> bool:
        operation = f"rewrite the history of run {was.run_id!r}"
        parameters = (
            *rewritten_columns(entry),
            *(was.run_id, was.turn, was.number, checksum_of(was), stack_checksum(was.stack)),
        )
        return bool(self._database.execute(sql.REWRITE_ENTRY, parameters, operation).rows)

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        operation = "forget old entries of histories"
        answer = self._database.execute(sql.FORGET_ENTRIES, (saved_before, limit), operation)
        return len(answer.rows)


def columns_of_entries(run: Run) -> list[list[Any]]:
    """Return what a save adds to a history as a list for each column, as `unnest` takes it."""
    return [list(column) for column in zip(*map(row_of, run.entries), strict=True)]
