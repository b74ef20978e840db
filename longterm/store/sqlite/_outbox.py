"""What turns have sent, in one SQLite file, until it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from longterm._later import later
from longterm.run import Run
from longterm.store._message_rows import COLUMNS, messages_of, row_of
from longterm.store._rows import moment_text
from longterm.store.sqlite._connection import Connection, whole
from longterm.store.sqlite._writer import Writer

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")

_NAMES: Final = ", ".join(COLUMNS)
_PUT: Final = (
    f"INSERT INTO outbox ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)})"
    " ON CONFLICT (id) DO NOTHING"
)
_DUE: Final = (
    f"SELECT {_NAMES} FROM outbox WHERE due_at <= ? ORDER BY due_at, sender, number LIMIT ?"
)
_PUT_OFF: Final = "UPDATE outbox SET due_at = ? WHERE id = ?"
_FORGET: Final = "DELETE FROM outbox WHERE id = ?"
_FORGET_THOSE_TO: Final = "DELETE FROM outbox WHERE receiver IN ({runs})"
_ID: Final = COLUMNS.index("id")


class SQLiteOutbox:
    """The part of the store that keeps what turns send until it is delivered."""

    _writer: Writer

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        due, moment = (moment_text(now), limit), moment_text(until)

        def claim(connection: Connection) -> list[tuple[Any, ...]]:
            rows = connection.ask_leniently(_DUE, due)
            for row in rows:
                connection.execute(_PUT_OFF, (moment, row[_ID]))
            return rows

        return messages_of(self._writer.write(whole(claim), "claim messages", is_durable=False))

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        return self._change_message(_PUT_OFF, (moment_text(until), message_id))

    def forget_outgoing(self, message_id: str) -> bool:
        return self._change_message(_FORGET, (message_id,))

    def _change_message(self, statement: str, parameters: tuple[object, ...]) -> bool:
        def change(connection: Connection) -> int:
            return connection.execute(statement, parameters).rowcount

        return bool(self._writer.write(change, "change a message", is_durable=False))


def forget_messages_to(connection: Connection, runs: str, parameters: Sequence[object]) -> None:
    """Forget what was sent to the runs that a query finds, in the transaction that deletes them.

    A message that begins one would begin it anew.
    """
    connection.execute(_FORGET_THOSE_TO.format(runs=runs), parameters)


def put_messages(connection: Connection, run: Run) -> None:
    """Keep what a turn sends, in the transaction that saves its run."""
    for message in run.outgoing:
        row = row_of(message)
        moments = (moment_text(message.sent_at), moment_text(message.due_at))
        connection.execute(_PUT, (*row[:-4], *moments, *row[-2:]))
