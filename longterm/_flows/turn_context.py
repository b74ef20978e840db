"""The context variables of a turn: a copy of its caller's, gone when the turn has ended.

What a flow sets would otherwise be there in its next turn if that ran in the same thread or task,
and not there in another process.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Generator
from contextvars import Context, copy_context
from typing import Any

from longterm._flows.context import Turn, current


def context_of_turn(turn: Turn) -> Context:
    """Return a copy of the present context, in which a turn is the current one."""
    context = copy_context()
    context.run(current.set, turn)
    if turn.observed is not None:
        context.run(turn.observed.enter)
    decimal = sys.modules.get("decimal")  # who has not imported it has set nothing of it
    if decimal is not None:
        # Its variable holds an object that is changed in place: `getcontext().prec = 50`.
        context.run(decimal.setcontext, decimal.getcontext().copy())
    return context


class InContext:
    """Awaits something within a context, in the task of whoever awaits this.

    A task of its own could be given a context, but is another task to all that asks for the present
    one: time limits, locks, the cancellation from outside.
    """

    def __init__(self, context: Context, awaitable: Awaitable[Any]) -> None:
        """Take what is to be awaited."""
        self.context = context
        self.awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        """Take step after step within the context, and between them wait as the steps ask for.

        As PEP 380 says of `yield from`, with each step in the context.
        """
        steps = self.awaitable.__await__()
        step, value = steps.send, None
        while True:
            try:
                awaited = self.context.run(step, value)
            except StopIteration as end:
                return end.value
            try:
                step, value = steps.send, (yield awaited)
            except GeneratorExit:
                self.context.run(steps.close)
                raise
            except BaseException as error:
                step, value = steps.throw, error
