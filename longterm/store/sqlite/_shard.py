"""What an SQLite file knows of the others, if the runs are spread over several."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._writer import Writer

_NOTE: Final = "SELECT note FROM shard"
_FIRST: Final = "INSERT INTO shard (one, note) VALUES (1, ?) ON CONFLICT DO NOTHING"
_NEXT: Final = "UPDATE shard SET note = ? WHERE note = ?"
_FORGET: Final = "DELETE FROM outbox WHERE receiver = ?"


class SQLiteShard:
    """The part of the store that lets it be one of several."""

    _writer: Writer

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def shard_note(self) -> str | None:
        rows = self._read(_NOTE, (), "read the note of the servers")
        return rows[0][0] if rows else None

    def write_shard_note(self, before: str | None, note: str) -> bool:
        def write(connection: Connection) -> int:
            if before is None:
                return connection.execute(_FIRST, (note,)).rowcount
            return connection.execute(_NEXT, (note, before)).rowcount

        return bool(self._writer.write(write, "write the note of the servers"))

    def forget_sent_to(self, run_ids: Collection[str]) -> int:
        def forget(connection: Connection) -> int:
            return sum(connection.execute(_FORGET, (run_id,)).rowcount for run_id in run_ids)

        return self._writer.write(whole(forget), "forget what was sent to runs")
