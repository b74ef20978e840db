"""Run one turn of a flow: from a callable to its result, or to the frames it waits with.

No store, no clock, no I/O: the engine brings what to run and saves what comes out.
"""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, TypeAlias

from longterm._flows.context import LiveTurn, current, running_task, swallowed
from longterm._flows.continuation import capture
from longterm._flows.rt import Suspend
from longterm.frame import Frame
from longterm.wait import Wait


@dataclass(frozen=True, slots=True)
class Completed:
    """The flow returned."""

    result: Any


# Not frozen, as `Wait` is not.
@dataclass(slots=True)
class Suspended:
    """The flow waits, with these frames."""

    wait: Wait
    frames: list[Frame]


Outcome: TypeAlias = Completed | Suspended


def run_turn(turn: LiveTurn, entry: Callable[[], Any]) -> Outcome:
    """Run a flow until it waits or ends.

    Raises:
        CannotSuspend: it came to wait where its stack cannot be stored.
        Exception: whatever the author's code lets out.
    """
    token = current.set(turn)
    try:
        result = entry()
    except Suspend as suspension:
        return _suspended(turn, suspension)
    except BaseException as error:
        _check_reached(turn, error)
        raise
    finally:
        current.reset(token)
    _check_reached(turn, None)
    return Completed(result)


async def arun_turn(turn: LiveTurn, entry: Callable[[], Awaitable[Any]]) -> Outcome:
    """Run an `async def` flow until it waits or ends; see `run_turn`."""
    turn.task = running_task()
    token = current.set(turn)
    try:
        result = await entry()
    except Suspend as suspension:
        return _suspended(turn, suspension)
    except BaseException as error:
        _check_reached(turn, error)
        raise
    finally:
        current.reset(token)
    _check_reached(turn, None)
    return Completed(result)


def _suspended(turn: LiveTurn, suspension: Suspend) -> Suspended:
    if suspension is not turn.pending:
        raise suspension
    frames = capture(suspension)
    # The traceback holds the dead frames, and they hold it: let go of both now.
    suspension.__traceback__ = None
    return Suspended(suspension.wait, frames)


def _check_reached(turn: LiveTurn, error: BaseException | None) -> None:
    """Refuse a turn that goes on, or ends, although it was told to wait."""
    if turn.pending is not None:
        raise swallowed(turn.pending) from error


def event_value(value: Any) -> Callable[[], Any]:
    """Return a callable that gives the event's value and leaves no entry in tracebacks."""
    return repeat(value).__next__


def event_error(error: BaseException) -> Callable[[], Any]:
    """Return a callable that raises an exception and leaves no entry in tracebacks."""
    return partial(codecs.strict_errors, error)  # type: ignore[arg-type]
