"""What a wait is worth when it ends: by an event, without one, or in the turn that began it.

What its author gave for that stands beside the innermost frame's own slots.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from longterm._abi import DEFAULT, EVENTS, GATHERED, TYPE, UNTIL
from longterm._flows.wait_result import WaitResult
from longterm.child import Child
from longterm.errors import CorruptData, Expired
from longterm.frame import Frame
from longterm.wait import MISSING, Wait, value_of_first, value_without


def keep_wait(frames: list[Frame], wait: Wait, deadline: datetime | None = None) -> None:
    """Put what a wait needs for its end beside the slots of the frame that waits."""
    slots = frames[-1].slots
    if wait.default is not MISSING:
        slots[DEFAULT] = wait.default
    if deadline is not None:
        slots[UNTIL] = deadline
    if wait.events:
        slots[EVENTS] = wait.events
    if wait.check is not MISSING:
        slots[TYPE] = wait.check
    if wait.is_for_all:
        slots.setdefault(GATHERED, {})


def deadline_of(frames: list[Frame]) -> datetime | None:
    """Return when the wait of stored frames ends by itself; None: never."""
    until = frames[-1].slots.get(UNTIL)
    return until if isinstance(until, datetime) else None


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

    Raises:
        InvalidValue: the value that has come does not fit the type that is waited for.
        CannotCheck: that cannot be told here.
        CorruptData: the stored bytes are not of this wait.
    """
    if result is None:
        return _without_event(waiting_for, slots)
    if result.error is not None:
        return result
    if GATHERED in slots:
        gathered, names = _gathered(slots)
        return WaitResult([gathered[name] for name in names])
    if not (EVENTS in slots or TYPE in slots):
        return result
    what: object = result.name
    value = result.value
    if EVENTS in slots:
        what, value = _first_of_several(slots[EVENTS], result.name, value)
    if TYPE in slots:
        from longterm._turns.checks import checked_value  # most values can be anything

        value = checked_value(what, value, slots[TYPE])
    return WaitResult((what, value) if EVENTS in slots else value)


def missing_after(result: WaitResult, slots: dict[str, object]) -> tuple[str, ...]:
    """Keep a result that has come beside the slots of a frame that waits for all of several.

    Returns:
        The names of the events that have not come yet.
    """
    gathered, names = _gathered(slots)
    gathered[result.name] = result.value
    return tuple(name for name in names if name not in gathered)


def _gathered(slots: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    gathered, children = slots.get(GATHERED), slots.get(EVENTS)
    if type(gathered) is dict and type(children) is tuple:
        names = [child.event_id for child in children if type(child) is Child]
        if len(names) == len(children):
            return gathered, names
    raise CorruptData("the stored bytes do not say which children are waited for")


def _without_event(waiting_for: str | None, slots: dict[str, object]) -> WaitResult:
    default = slots.get(DEFAULT, MISSING)
    if default is MISSING:
        return WaitResult(error=Expired(waiting_for or ""))
    return WaitResult(value_without(slots.get(EVENTS), default))


def _first_of_several(events: object, name: str, value: Any) -> tuple[object, Any]:
    try:
        return value_of_first(events, name, value)
    except ValueError as error:
        raise CorruptData(f"the stored bytes and the run wait for other events: {error}") from None
