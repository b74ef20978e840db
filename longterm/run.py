"""A run: one execution of a flow, as stores keep it and as callers see it.

Plain data. What the author's code made (the stack of frames, the result, the response) is held
as encoded bytes, so that a store never decodes; `Run.result` and `Run.response` decode when asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from longterm.codec import decode


class RunState(str, Enum):
    """Where a run is in its life; the value is what stores write."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of a flow, from its start to its end, over any time.

    A store may return a subclass with fields of its own; they survive every turn, since the
    engine only ever makes changed copies with `dataclasses.replace`.
    """

    id: str
    flow: str
    """The flow it executes, as `module:qualname`."""
    state: RunState
    turn: int = 1
    """Turns begun so far. A claim adds one, so it also fences: only the newest claim can save."""
    waiting_for: str | None = None
    """The event that a suspended run needs."""
    stack: bytes | None = None
    """The continuation: the encoded frames of before the current turn."""
    encoded_response: bytes | None = None
    encoded_result: bytes | None = None
    error: str | None = None
    """Why a failed run failed: the author's exception as text, traceback included."""

    @property
    def result(self) -> Any:
        """What the flow returned; None while it has not."""
        return None if self.encoded_result is None else decode(self.encoded_result)

    @property
    def response(self) -> list[Any]:
        """What the last turn said to its caller, in order."""
        return [] if self.encoded_response is None else decode(self.encoded_response)
