"""The store contract about what turns send to other runs: the outbox of a run.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from longterm._later import later

if TYPE_CHECKING:
    from longterm.message import Message
else:
    Message = later("longterm.message", "Message")

__all__ = ["Outbox"]


@runtime_checkable
class Outbox(Protocol):
    """A store with an inbox that keeps what turns send until it has been delivered.

    `update` and `update_read` keep the messages in `run.outgoing`, in the same step as the run:
    they are there if and only if the run was saved. What they return has no `outgoing`.
    A message does not end with its sender's run: it stays when that is deleted. It goes with the
    run that it is for: whoever deletes that deletes what was sent to it in the same step, since a
    message that begins a run would begin it anew.
    """

    def claim_outgoing(self, *, now: datetime, until: datetime, limit: int) -> list[Message]:
        """Return messages whose `due_at` is not after `now`, and put them off until a moment.

        In the order of `due_at`, sender and number. Several callers at once get different ones.
        One that cannot be read is left out, named in the log, and put off like the others.
        """
        ...

    def put_off(self, message_id: str, *, until: datetime) -> bool:
        """Make a message due at a moment; False if it is there no more."""
        ...

    def forget_outgoing(self, message_id: str) -> bool:
        """Forget a message that was delivered; False if it is there no more.

        Need not be durable: one that comes back is delivered once more, and its receiver knows it.
        """
        ...
