"""What turns have sent. The key of a message is its sender, with which it stands, and its id."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from longterm._later import later
from longterm.store._message_rows import messages_of
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._statements import by_key

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")

_MOST_NOTED: Final = 10_000
"""So many messages can be in the hands of one process, before it asks who sent one."""


class Senders:
    """Who sent the messages that this process has in hand: their ids do not say."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[str, str] = OrderedDict()

    def note(self, message_id: str, sender: str) -> None:
        """Note who sent a message."""
        self._known[message_id] = sender
        while len(self._known) > _MOST_NOTED:
            self._known.popitem(last=False)

    def of(self, message_id: str) -> str | None:
        """Return who sent a message, if that is known."""
        return self._known.get(message_id)


class ByKeyOutbox:
    """The part of a distributed store that keeps what turns send until it is delivered."""

    _database: Database
    _senders: Senders

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
        sender = self._senders.of(message_id)
        if sender is not None:
            return sender
        rows = self._database.execute(by_key.SENDER, (message_id,), "find a message").rows
        return rows[0][0] if rows else None
