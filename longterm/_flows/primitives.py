"""What an author writes inside a flow: `suspend`, `respond`, `set_index`, `call`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from longterm._flows.context import current, current_turn
from longterm._names import check_fact, event_name
from longterm.errors import InvalidDeadline, NotInRun
from longterm.run import Fact
from longterm.wait import MISSING, Wait

P = ParamSpec("P")
R = TypeVar("R")


def suspend(
    event_id: str, *, expires: datetime | timedelta | None = None, default: Any = MISSING
) -> Any:
    """Wait for an event from outside, days or months if need be; return its value.

    The run is stored and costs nothing until `process_event(run_id, event_id, value)` goes on.

    Args:
        event_id: the name of the event, a string of 1 to 500 characters.
        expires: when to give up waiting: an aware moment, or how long from now.
        default: what the wait is worth then; without it `Expired` is raised here.

    Raises:
        Expired: the moment came before the event, and there is no default.
        InvalidEventId, InvalidDeadline: an argument is not what it should be.
        NotInRun: no run is under way.
    """
    event_id = event_name(event_id)
    if expires is not None:
        expires = _checked(expires)
    elif default is not MISSING:
        raise InvalidDeadline("a default needs a moment at which it comes", expires)
    turn = current.get()
    if turn is None:
        raise NotInRun("suspend")
    return turn.suspend(Wait(event_id, expires, default))


def _checked(expires: object) -> datetime | timedelta:
    """Return a moment in UTC, or a length of time, that every store can hold the end of."""
    if isinstance(expires, timedelta):
        Wait("", expires).deadline(datetime.now(UTC))
        return expires
    try:
        if not isinstance(expires, datetime):
            raise InvalidDeadline("it is neither a moment nor a length of time", expires)
        if expires.utcoffset() is None:
            raise InvalidDeadline("the moment has no time zone", expires)
        return expires.astimezone(UTC)
    except OverflowError:
        raise InvalidDeadline("it would not be in the years 1 to 9999", expires) from None


def set_index(**facts: Fact) -> None:
    """Set facts by which this run can be found: `set_index(patient=4711)`.

    They stay until they are set anew, and are saved with the turn.

    Raises:
        InvalidFact: a value is not a string, a number, a bool or None, or takes too much room.
        NotInRun: no run is under way.
    """
    turn = current_turn("set_index")
    for name, value in facts.items():
        check_fact(name, value)
    turn.index.update(facts)


def respond(*values: Any) -> None:
    """Say something to the caller of this turn: each value is one response, in order.

    The caller finds them on the returned run, as `run.response`. They are gone when the next turn
    begins. Helpers that a flow calls may respond too.

    Raises:
        NotInRun: no run is under way.
    """
    current_turn("respond").responses.extend(values)


def call(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that may be a flow, where the compiler cannot see that it is one.

    Write `call(handlers[kind], order)` inside a larger expression; as a statement of its own
    (`reply = handlers[kind](order)`) a call needs no such help.
    """
    return function(*args, **kwargs)
