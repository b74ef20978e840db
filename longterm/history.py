"""One row of the history of a run: what came, who sent it, and what the turn made of it.

Plain data. What the author's code made is held as encoded bytes, as in `Run`, so that a store never
decodes; `value`, `response` and `error` decode when they are asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._codec import decode, decode_list, decode_text
from longterm.unread import inbox_context

if TYPE_CHECKING:
    from longterm._codec.seal import Context

__all__ = ["HistoryEntry"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """What came to a run, and what became of it.

    A turn has one with the number 0, for what began it. What it has read besides, in waits that
    were over at once, has others: 1, 2, and so on; and a forced cancel in its middle has the last.
    """

    run_id: str
    turn: int
    number: int = 0
    event: str
    """The event's name. What is no event has a name too: `longterm.start`, `longterm.deadline` (the
    wait ended by itself), `longterm.step` and `longterm.checkpoint` (gone on with),
    `longterm.cancel`, `longterm.throw`, `longterm.retry`, `longterm.discard`, `longterm.fork`,
    `longterm.rewind`."""
    encoded_value: bytes | None = field(default=None, repr=False)
    actor: str | None = None
    """Who sent it, as `acting_as` said; `run:ID` if a run did; None: nobody has said."""
    sent_at: datetime
    """When it was sent, or the turn began without (aware, UTC)."""
    saved_at: datetime
    """When the turn was saved."""
    outcome: str | None
    """The state in which the run was saved; `running`: in the middle of its turn, which has not
    been saved again since. None of what was read besides."""
    waiting_for: str | None = None
    """What the run waited for then, as `Run.waiting_for`."""
    encoded_response: bytes | None = field(default=None, repr=False)
    encoded_error: str | None = field(default=None, repr=False)
    revision: int
    """The revision at which the turn found the run; 0 for the turn in which it was created."""
    before: str | None = field(default=None, repr=False)
    """What the run was at this revision, but for its stack, as JSON; None if that is not kept."""
    stack: bytes | None = field(default=None, repr=False)
    """The continuation that the run had at this revision. Lists of entries leave it out."""

    @property
    def has_frames(self) -> bool:
        """Whether a run can be forked from, or rewound to, its `revision`."""
        return self.before is not None

    @property
    def value(self) -> Any:
        """What the event brought; None if it brought nothing."""
        if self.encoded_value is None:
            return None
        return decode(self.encoded_value, entry_context(self, "value"))

    @property
    def response(self) -> list[Any]:
        """What the turn said to its caller, in order."""
        if self.encoded_response is None:
            return []
        return decode_list(self.encoded_response, entry_context(self, "response"))

    @property
    def error(self) -> str | None:
        """Why the run failed in this turn; None if it did not."""
        if self.encoded_error is None:
            return None
        return decode_text(self.encoded_error, entry_context(self, "error"))

    @property
    def state_before(self) -> dict[str, Any]:
        """What the run was at the revision, but for its stack; empty if that is not kept."""
        found: dict[str, Any] = {} if self.before is None else json.loads(self.before)
        return found

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the history of its run."""
        return self.turn, self.number

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON can hold it, but for its frames; see `Run.to_dict`."""
        from longterm._run_json import entry_as_json

        return entry_as_json(self)


def entry_context(entry: HistoryEntry, column: str) -> Context:
    """Return what the seal of an entry's bytes in a column binds them to.

    Of what was sealed before, that is where it stood then: an inbox, or the run itself.
    """
    if column == "value":
        return inbox_context(entry.run_id, entry.event)
    if column == "stack":
        state = entry.state_before
        return column, entry.run_id, state["saved_turn"], state["waiting_for"] or ""
    return column, entry.run_id, entry.turn, ""
