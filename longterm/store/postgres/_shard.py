"""What a Postgres database knows of the other servers, if the runs are spread over several."""

from __future__ import annotations

from collections.abc import Collection

from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import shard as sql


class PostgresShard:
    """The part of the store that lets it be one of several."""

    _database: Database

    def shard_note(self) -> str | None:
        rows = self._database.execute(sql.SHARD_NOTE, (), "read the note of the servers").rows
        return rows[0][0] if rows else None

    def write_shard_note(self, before: str | None, note: str) -> bool:
        statement = sql.FIRST_SHARD_NOTE if before is None else sql.NEXT_SHARD_NOTE
        parameters = (note,) if before is None else (note, before)
        answer = self._database.execute(statement, parameters, "write the note of the servers")
        return bool(answer.rows) or (answer.is_repeated and self.shard_note() == note)

    def forget_sent_to(self, run_ids: Collection[str]) -> int:
        operation = "forget what was sent to runs"
        return len(self._database.execute(sql.FORGET_SENT_TO, (list(run_ids),), operation).rows)
