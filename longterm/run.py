"""A run: one execution of a flow, as stores keep it and as callers see it.

Plain data. What the author's code made (the stack of frames, the result, the response) is held
as encoded bytes, so that a store never decodes; `Run.result` and `Run.response` decode when asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from longterm._codec import decode, decode_list, decode_text, encode_text
from longterm.errors import CorruptData

if TYPE_CHECKING:
    from longterm._codec.seal import Context

Fact: TypeAlias = str | int | float | bool | None
"""What a run's index may hold."""


class RunState(StrEnum):
    """Where a run is in its life; the value is what stores write."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({RunState.COMPLETE, RunState.FAILED, RunState.CANCELLED})
"""The states in which a run takes no more turns by itself."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of a flow, from its start to its end, over any time.

    A store may return a subclass with fields of its own (a dataclass without slots); they survive
    every turn, since the engine only ever makes copies with `changed`.

    Its `repr` is for logs: it has no bytes and no values of a flow's.
    """

    id: str
    """A UUID of version 7, as 32 hexadecimal digits: ids sort by when their runs began."""
    flow: str
    """The flow it executes, as `module:qualname`."""
    state: RunState
    turn: int = 1
    """Turns begun so far. A claim adds one, so it also fences: only the newest claim can save."""
    saved_turn: int | None = field(default=None, repr=False)
    """The turn whose save wrote the bytes below; a seal names it. None: the store does not keep it,
    or the run is of a longterm before 0.2."""
    waiting_for: str | None = None
    """The event that a suspended run needs; every suspended run waits for one."""
    stack: bytes | None = field(default=None, repr=False)
    """The continuation: the encoded frames of before the current turn."""
    encoded_response: bytes | None = field(default=None, repr=False)
    encoded_result: bytes | None = field(default=None, repr=False)
    encoded_error: str | None = field(default=None, repr=False)
    """What `error` says; as plain text, unless there is a payload codec."""
    created_at: datetime | None = field(default=None, repr=False)
    """When it was started (aware, UTC, like all its moments)."""
    updated_at: datetime | None = field(default=None, repr=False)
    """When its last turn was saved; a suspended run waits since then."""
    deadline: datetime | None = field(default=None, repr=False)
    """When its wait ends by itself; None: never."""
    claimed_until: datetime | None = field(default=None, repr=False)
    """Until when the claim of a running run holds, on a store that has leases."""
    attempts: int = field(default=0, repr=False)
    """How many turns in a row have died with their process."""
    delivery: str | None = field(default=None, repr=False)
    """The key of the delivery that began the last turn, if it carried one."""
    index: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """The facts by which the run can be found, as its flow set them."""

    def changed(self, **fields: Any) -> Self:
        """Return a copy with other values in some fields.

        What `dataclasses.replace` does, at a quarter of its cost: a turn makes several.
        """
        known = vars(self)
        changed = known | fields
        if len(changed) > len(known):
            raise TypeError(f"a run has no field {', '.join(changed.keys() - known.keys())}")
        copy = object.__new__(type(self))
        object.__setattr__(copy, "__dict__", changed)  # it is frozen
        return copy

    @property
    def result(self) -> Any:
        """What the flow returned; None while it has not."""
        if self.encoded_result is None:
            return None
        return decode(self.encoded_result, context_of(self, "result"))

    @property
    def response(self) -> list[Any]:
        """What the last turn said to its caller, in order."""
        if self.encoded_response is None:
            return []
        return decode_list(self.encoded_response, context_of(self, "response"))

    @property
    def error(self) -> str | None:
        """Why a failed run failed: the author's exception as text, traceback included.

        Of a suspended run, why a worker could not carry it on. It is for people: where it cannot be
        read, for want of a key for example, it says so instead.
        """
        if self.encoded_error is None:
            return None
        try:
            return decode_text(self.encoded_error, context_of(self, "error"))
        except CorruptData as error:
            return f"(the error cannot be read: {error})"

    def with_error(self, error: str) -> Self:
        """Return a copy with another error."""
        return self.changed(encoded_error=encode_text(error, context_of(self, "error")))


def context_of(run: Run, column: str) -> Context:
    """Return what the seal of a run's bytes in a column binds them to."""
    # Bound to its event, a stack cannot be made to take another event for the one it waits for.
    event = run.waiting_for or "" if column == "stack" else ""
    return column, run.id, run.saved_turn, event
