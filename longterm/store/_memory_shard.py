"""What a store in memory knows of the others, if the runs are spread over several."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from longterm._later import later
from longterm.store._step_lock import StepLock

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")


class MemoryShard:
    """The part of the store that lets it be one of several."""

    _lock: StepLock
    _outbox: dict[str, Message]

    def __init__(self) -> None:
        """Know of no others."""
        super().__init__()
        self._note: str | None = None

    def shard_note(self) -> str | None:
        return self._note

    def write_shard_note(self, before: str | None, note: str) -> bool:
        with self._lock.alone():
            if self._note != before:
                return False
            self._note = note
        return True

    def forget_sent_to(self, run_ids: Collection[str]) -> int:
        with self._lock.alone():
            sent = [one.id for one in self._outbox.values() if one.receiver in run_ids]
            for message_id in sent:
                del self._outbox[message_id]
        return len(sent)
