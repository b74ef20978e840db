"""`await suspend(…)` in the author's own code: awaited or not, it is the value of the event."""

from __future__ import annotations

import dis
from types import FrameType
from typing import Any

from longterm._flows.wait_result import Ready


def given_to(frame: FrameType | None, value: Any) -> Any:
    """Return what a call in a frame is to return, so that the frame gets a value of it.

    Where the call is awaited, as the next instruction shows, that is something to be awaited.
    """
    return Ready(value) if frame is not None and _awaits(frame) else value


def _awaits(frame: FrameType) -> bool:
    steps = {step.offset: step for step in dis.get_instructions(frame.f_code)}
    later = iter(sorted(offset for offset in steps if offset > frame.f_lasti))
    step = steps.get(next(later, -1))
    while step is not None and step.opname == "JUMP_FORWARD":  # to the end of an `if … else …`
        step = steps.get(step.argval)
    return step is not None and step.opname == "GET_AWAITABLE"
