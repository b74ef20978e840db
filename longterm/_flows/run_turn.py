"""Run one turn of a flow: from a callable to its result, or to the frames it waits with.

No store, no clock, no I/O: the engine brings what to run and saves what comes out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from longterm._flows.context import LiveTurn, running_task, swallowed
from longterm._flows.continuation import capture
from longterm._flows.in_parts import InParts, leave_out
from longterm._flows.rt import Suspend
from longterm._flows.turn_context import InContext, context_of_turn
from longterm.errors import Cancelled
from longterm.frame import Frame
from longterm.wait import Wait


@dataclass(slots=True, eq=False, repr=False)
class Completed:
    """The flow returned."""

    result: Any


@dataclass(slots=True, eq=False, repr=False)
class Suspended:
    """The flow waits, with these frames."""

    wait: Wait
    frames: list[Frame]


Outcome: TypeAlias = Completed | Suspended


def run_turn(turn: LiveTurn, start: Callable[[], Any]) -> Outcome:
    """Run a flow until it waits or ends, in a context of its own.

    The context is entered and left by C functions, which no signal interrupts: its handler runs
    between two instructions of Python code
    (https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers).

    Args:
        turn: what the flow's `suspend` and `respond` talk to.
        start: calls the flow, or goes on with it where it waited.

    Raises:
        CannotSuspend: it came to wait where its stack cannot be stored.
        Exception: whatever the author's code lets out.
    """
    context = context_of_turn(turn)
    try:
        result = context.run(start)
    except Suspend as suspension:
        return _suspended(turn, suspension)
    except BaseException as error:
        if type(start) is InParts:
            leave_out(error)
        _check_not_swallowed(turn, error)
        raise
    _check_not_swallowed(turn, None)
    return Completed(result)


async def arun_turn(turn: LiveTurn, start: Callable[[], Awaitable[Any]]) -> Outcome:
    """Run an `async def` flow until it waits or ends; see `run_turn`."""
    turn.task = running_task()
    context = context_of_turn(turn)
    try:
        result = await InContext(context, context.run(start))
    except Suspend as suspension:
        # Its traceback names this frame, that of the steps in the context, and then the flow's.
        here = suspension.__traceback__
        suspension.__traceback__ = here.tb_next if here else None
        return _suspended(turn, suspension)
    except BaseException as error:
        _check_not_swallowed(turn, error)
        raise
    _check_not_swallowed(turn, None)
    return Completed(result)


def _suspended(turn: LiveTurn, suspension: Suspend) -> Suspended:
    if suspension is not turn.pending:
        raise suspension  # of another turn, inside which this one runs
    frames = capture(suspension)
    turn.keep_generators()
    # The traceback holds the dead frames, and they hold it: let go of both now.
    suspension.__traceback__ = None
    return Suspended(suspension.wait, frames)


_RAISED_BY_CODE: Final = (Exception, Cancelled, BaseExceptionGroup)
"""What code raises that caught a suspension: a group is what a `TaskGroup` makes of one.

Others interrupt the flow from outside (`KeyboardInterrupt`, `asyncio.CancelledError`), and may come
while the stack unwinds.
"""


def _check_not_swallowed(turn: LiveTurn, error: BaseException | None) -> None:
    """Refuse a turn that has returned, or raised an error, although it was told to wait.

    Raises:
        CannotSuspend: the author's code caught the suspension.
    """
    if turn.pending is not None and (error is None or isinstance(error, _RAISED_BY_CODE)):
        raise swallowed(turn.pending) from error
