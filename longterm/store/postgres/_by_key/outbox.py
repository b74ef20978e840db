"""What turns have sent. The key of a message is its sender, with which it stands, and its id."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from longterm._later import later
from longterm.store._message_rows import messages_of
from longterm.store._remembered import Remembered
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._statements import by_key

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")


class ByKeyOutbox:
    """The part of a distributed store that keeps what turns send until it is delivered."""

    _database: Database
    _senders: Remembered
    """Who sent the messages that this process has in hand: their ids do not say."""

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        operation, end = "claim messages", self._database.end_of_step()
        found = self._database.execute(by_key.DUE_MESSAGES, (now, limit), operation, until=end).rows
        claimed = []
        for message_id, sender, was in found:
            parameters = (until, sender, message_id, was, was)
            answer = self._database.execute(by_key.CLAIM_MESSAGE, parameters, operation, until=end)
            claimed += answer.rows
            self._senders.note(message_id, sender)
        return messages_of(claimed)

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        sender = self._sender(message_id)
        if sender is None:
            return False
        parameters = (until, sender, message_id)
        return bool(self._database.execute(by_key.PUT_OFF, parameters, "put off a message").rows)

    def forget_outgoing(self, message_id: str) -> bool:
        sender = self._sender(message_id)
        if sender is None:
            return False
        answer = self._forget(sender, message_id)
        return bool(answer.rows) or answer.is_repeated

    def _forget(self, sender: str, message_id: str) -> Answer:
        parameters = (sender, message_id)
        return self._database.execute(by_key.FORGET_MESSAGE, parameters, "forget a message")

    def _sender(self, message_id: str) -> str | None:
        sender = self._senders.get(message_id)
        if sender is not None:
            return sender
        rows = self._database.execute(by_key.SENDER, (message_id,), "find a message").rows
        return rows[0][0] if rows else None
