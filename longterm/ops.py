"""What an author writes inside a flow: `suspend`, `respond`, `call`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from longterm.errors import InvalidEventId
from longterm.turn import current_turn

P = ParamSpec("P")
R = TypeVar("R")


def suspend(event_id: str) -> Any:
    """Wait for an event from outside, days or months if need be; return its value.

    The run is stored and costs nothing until `process_event(run_id, event_id, value)` goes on.

    Args:
        event_id: the name of the event, any string but the empty one.

    Raises:
        InvalidEventId: the event id is not such a string.
        NotInRun: no run is under way.
    """
    if not isinstance(event_id, str) or not event_id:
        raise InvalidEventId(event_id)
    return current_turn("suspend").suspend(event_id)


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
