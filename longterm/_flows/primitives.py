"""What an author writes inside a flow: `suspend`, `respond`, `set_index`, `call`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from longterm._flows.context import current_turn
from longterm.errors import InvalidDeadline, InvalidEventId, InvalidFact
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
        event_id: the name of the event, any string but the empty one.
        expires: when to give up waiting: an aware moment, or how long from now.
        default: what the wait is worth then; without it `Expired` is raised here.

    Raises:
        Expired: the moment came before the event, and there is no default.
        InvalidEventId, InvalidDeadline: an argument is not what it should be.
        NotInRun: no run is under way.
    """
    if not isinstance(event_id, str) or not event_id:
        raise InvalidEventId(event_id)
    if expires is None:
        if default is not MISSING:
            raise InvalidDeadline("a default needs a moment at which it comes", expires)
    elif isinstance(expires, datetime):
        if expires.utcoffset() is None:
            raise InvalidDeadline("the moment has no time zone", expires)
    elif not isinstance(expires, timedelta):
        raise InvalidDeadline("it is neither a moment nor a length of time", expires)
    return current_turn("suspend").suspend(Wait(event_id, expires, default))


def set_index(**facts: Fact) -> None:
    """Set facts by which this run can be found: `set_index(patient=4711)`.

    They stay until they are set anew, and are saved with the turn.

    Raises:
        InvalidFact: a value is not a string, a number, a bool or None.
        NotInRun: no run is under way.
    """
    turn = current_turn("set_index")
    for name, value in facts.items():
        if type(value) not in (str, int, float, bool, type(None)):
            raise InvalidFact(name, value)
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
