"""Run one turn of a flow: from a callable to its result, or to the frames it waits with.

No store, no clock, no I/O: the engine brings what to run and saves what comes out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from longterm._flows.context import LiveTurn, current, running_task, swallowed
from longterm._flows.continuation import capture
from longterm._flows.rt import Suspend
from longterm.errors import Cancelled
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

    The context is put back as it was by calls of C functions alone, which no signal can interrupt.

    Raises:
        CannotSuspend: it came to wait where its stack cannot be stored.
        Exception: whatever the author's code lets out.
    """
    before = current.get()
    try:
        current.set(turn)
        result = entry()
    except Suspend as suspension:
        return _suspended(turn, suspension)
    except BaseException as error:
        _check_reached(turn, error)
        raise
    finally:
        current.set(before)
    _check_reached(turn, None)
    return Completed(result)


async def arun_turn(turn: LiveTurn, entry: Callable[[], Awaitable[Any]]) -> Outcome:
    """Run an `async def` flow until it waits or ends; see `run_turn`."""
    turn.task = running_task()
    before = current.get()
    try:
        current.set(turn)
        result = await entry()
    except Suspend as suspension:
        return _suspended(turn, suspension)
    except BaseException as error:
        _check_reached(turn, error)
        raise
    finally:
        current.set(before)
    _check_reached(turn, None)
    return Completed(result)


def _suspended(turn: LiveTurn, suspension: Suspend) -> Suspended:
    if suspension is not turn.pending:
        raise suspension
    frames = capture(suspension)
    # The traceback holds the dead frames, and they hold it: let go of both now.
    suspension.__traceback__ = None
    return Suspended(suspension.wait, frames)


_NO_INTERRUPTS: Final = (Exception, Cancelled, BaseExceptionGroup)


def _check_reached(turn: LiveTurn, error: BaseException | None) -> None:
    """Refuse a turn that goes on, or ends, although it was told to wait.

    An interrupt (Ctrl-C, the cancellation of a task) may come while the stack unwinds.
    """
    if turn.pending is not None and (error is None or isinstance(error, _NO_INTERRUPTS)):
        raise swallowed(turn.pending) from error
