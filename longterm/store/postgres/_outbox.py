"""What turns have sent, in a Postgres database, until it is delivered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._later import later
from longterm.run import Run
from longterm.store._message_rows import messages_of, row_of
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import outbox as sql

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")


class PostgresOutbox:
    """The part of the store that keeps what turns send until it is delivered."""

    _database: Database

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        answer = self._database.execute(sql.CLAIM_OUTGOING, (now, limit, until), "claim messages")
        return messages_of(answer.rows)

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        answer = self._database.execute(sql.PUT_OFF, (until, message_id), "put off a message")
        return bool(answer.rows)

    def forget_outgoing(self, message_id: str) -> bool:
        answer = self._database.execute(sql.FORGET_OUTGOING, (message_id,), "forget a message")
        return bool(answer.rows) or answer.is_repeated


def columns_of_messages(run: Run) -> list[list[Any]]:
    """Return what a turn sends as a list for each column, as `unnest` takes it."""
    return [list(column) for column in zip(*map(row_of, run.outgoing), strict=True)]
