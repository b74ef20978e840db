"""Take blocking steps for asynchronous code: in threads, or in its loop where the store can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from longterm.store._loop_steps import TakesStep
from longterm.store.base import RunStore

P = ParamSpec("P")
R = TypeVar("R")


def in_store(
    store: RunStore, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> Awaitable[R]:
    """Run a function that blocks where it uses a store, and nowhere else.

    In the event loop if the store can wait there, else in a thread; see `in_thread`. A flow's code
    is not for here: it may block as it likes.
    """
    # Asked of its class: what wraps a store, and passes all on that it does not know, may block.
    find = getattr(type(store), "loop_steps", None)
    take: TakesStep | None = None if find is None else find(store)
    if take is None:
        return in_thread(function, *args, **kwargs)
    return take(partial(function, *args, **kwargs))


def has_loop_steps(store: RunStore) -> bool:
    """Tell whether a store can wait in an event loop, if the loop suits it."""
    return hasattr(type(store), "loop_steps")


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
