"""What a wait is worth when it ends: by an event, without one, or in the turn that began it.

What its author gave for that stands beside the innermost frame's own slots.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeGuard

from longterm._abi import DEFAULT, EVENTS
from longterm._flows.run_turn import Outcome, Suspended
from longterm._flows.wait_result import WaitResult
from longterm.errors import CorruptData, Expired
from longterm.frame import Frame
from longterm.wait import MISSING, Wait, value_of_first, value_without


def keep_wait(frames: list[Frame], wait: Wait) -> None:
    """Put what a wait needs for its end beside the slots of the frame that waits."""
    slots = frames[-1].slots
    if wait.default is not MISSING:
        slots[DEFAULT] = wait.default
    if wait.events:
        slots[EVENTS] = wait.events


def may_end_now(outcome: Outcome) -> TypeGuard[Suspended]:
    """Tell whether a turn ends in a wait that may be over already."""
    return type(outcome) is Suspended and outcome.wait.expires is not None


def is_over(wait: Wait, now: datetime) -> bool:
    """Tell whether the deadline of a wait that begins now is not in the future."""
    deadline = wait.deadline(now)
    return deadline is not None and deadline <= now


def end_of_wait(
    result: WaitResult | None, waiting_for: str | None, slots: dict[str, object]
) -> WaitResult:
    """Return what a wait is worth for its flow.

    Args:
        result: what has come; None: nothing has, until the deadline.
        waiting_for: the name of the event that was waited for, or the names.
        slots: those of the frame that waits.
    """
    if result is None:
        return _without_event(waiting_for, slots)
    return _first_of_several(result, slots) if EVENTS in slots and result.error is None else result


def _without_event(waiting_for: str | None, slots: dict[str, object]) -> WaitResult:
    default = slots.get(DEFAULT, MISSING)
    if default is MISSING:
        return WaitResult(error=Expired(waiting_for or ""))
    return WaitResult(value_without(slots.get(EVENTS), default))


def _first_of_several(result: WaitResult, slots: dict[str, object]) -> WaitResult:
    try:
        return WaitResult(value_of_first(slots[EVENTS], result.name, result.value))
    except ValueError as error:
        raise CorruptData(f"the stored bytes and the run wait for other events: {error}") from None
