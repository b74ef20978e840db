"""Run blocking steps in threads, for asynchronous code."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking function in a thread; a task that is cancelled meanwhile waits for its end.

    So nothing goes on behind the caller's back. Only a coroutine that is closed waits for nothing.
    """
    import asyncio  # only for those who use it

    call = partial(copy_context().run, _outcome, function, *args, **kwargs)
    thread = asyncio.get_running_loop().run_in_executor(None, call)
    cancelled = None
    while not thread.done():
        try:
            await asyncio.wait([thread])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    outcome: tuple[Any, BaseException | None] = thread.result()
    result: R = outcome[0]
    if outcome[1] is not None:
        raise outcome[1]
    return result


def _outcome(
    function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> tuple[R | None, BaseException | None]:
    """Call a function, and return what came of it: a future takes no `StopIteration`."""
    try:
        return function(*args, **kwargs), None
    except BaseException as error:
        return None, error
