"""The histories of runs, in one SQLite file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from longterm._later import later
from longterm.run import Run
from longterm.store._history_rows import (
    COLUMNS,
    LISTED,
    REWRITTEN,
    checksum_of,
    entry_of,
    rewritten_columns,
    row_of,
    stack_checksum,
)
from longterm.store._rows import moment_text
from longterm.store.history import FIRST, Place
from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._writer import Writer

if TYPE_CHECKING:
    from longterm.history import HistoryEntry
else:
    HistoryEntry = later("longterm.history", "HistoryEntry")

_NAMES: Final = ", ".join(COLUMNS)
_PUT: Final = f"INSERT OR REPLACE INTO history ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
_ENTRIES: Final = (
    f"SELECT {', '.join(LISTED)} FROM history WHERE run = ? AND (turn, number) > (?, ?)"
    " ORDER BY turn, number LIMIT ?"
)
_ENTRY: Final = f"SELECT {_NAMES} FROM history WHERE run = ? AND turn = ? AND number = ?"
_ENTRY_AT: Final = (
    f"SELECT {_NAMES} FROM history WHERE run = ? AND revision = ? AND stack_checksum IS NOT NULL"
    " ORDER BY turn, number LIMIT 1"
)
_REWRITE: Final = (
    f"UPDATE history SET {', '.join(f'{name} = ?' for name in REWRITTEN)}"
    " WHERE run = ? AND turn = ? AND number = ? AND checksum = ? AND stack_checksum IS ?"
)
_FORGET: Final = (
    "DELETE FROM history WHERE rowid IN (SELECT rowid FROM history INDEXED BY history_by_age"
    " WHERE saved_at < ? LIMIT ?)"
)


class SQLiteHistory:
    """The part of the store that keeps what came to runs, turn by turn."""

    _writer: Writer

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def entries(self, run_id: str, *, after: Place = FIRST, limit: int = 100) -> list[HistoryEntry]:
        rows = self._read(_ENTRIES, (run_id, *after, limit), f"read the history of run {run_id!r}")
        return [entry_of(row) for row in rows]

    def entry(self, run_id: str, place: Place) -> HistoryEntry | None:
        rows = self._read(_ENTRY, (run_id, *place), f"read the history of run {run_id!r}")
        return entry_of(rows[0]) if rows else None

    def entry_at(self, run_id: str, revision: int) -> HistoryEntry | None:
        rows = self._read(_ENTRY_AT, (run_id, revision), f"read the history of run {run_id!r}")
        return entry_of(rows[0]) if rows else None

    def rewrite_entry(self, was: HistoryEntry, entry: HistoryEntry) -> bool:
        parameters = (
            *rewritten_columns(entry),
            *(was.run_id, was.turn, was.number, checksum_of(was), stack_checksum(was.stack)),
        )

        def rewrite(connection: Connection) -> int:
            return connection.execute(_REWRITE, parameters).rowcount

        return bool(self._writer.write(rewrite, f"rewrite the history of run {was.run_id!r}"))

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        parameters = (moment_text(saved_before), limit)

        def forget(connection: Connection) -> int:
            return connection.execute(_FORGET, parameters).rowcount

        return self._writer.write(forget, "forget old entries of histories")


def put_entries(connection: Connection, run: Run) -> None:
    """Keep what a save adds to the history of its run, in the transaction of the save."""
    for entry in run.entries:
        row = [*row_of(entry)]
        for place in _MOMENTS:
            row[place] = moment_text(row[place])
        connection.execute(_PUT, tuple(row))


_MOMENTS: Final = (COLUMNS.index("sent_at"), COLUMNS.index("saved_at"))
