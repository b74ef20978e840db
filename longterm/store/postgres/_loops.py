"""Whether steps of the store can be taken in an event loop, without a thread for each.

That needs greenlet, which the extra `postgres` installs, and a loop that can watch a socket:
asyncio's on Windows cannot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from longterm.store.postgres._loop_step import LoopStep

T = TypeVar("T")

try:
    from longterm.store.postgres import _loop_step
except ImportError:  # without greenlet
    _crew_of: Callable[[asyncio.AbstractEventLoop], object] | None = None
    current_step: Callable[[], LoopStep | None] = partial(next, repeat(None))
else:
    _crew_of, current_step = _loop_step.crew_of, _loop_step.current_step

_suits: dict[type, bool] = {}
"""The kinds of loops, and whether they can watch a socket."""


def suits_running_loop() -> bool:
    """Tell whether steps can be taken in the loop that runs in this thread."""
    if _crew_of is None:
        return False
    loop = asyncio.get_running_loop()
    suits = _suits.get(type(loop))
    if suits is None:
        suits = _suits[type(loop)] = _can_watch(_crew_of, loop)
    return suits


def sleep(seconds: float) -> None:
    """Wait for some seconds; a step in a loop does not hold it up."""
    step = current_step()
    if step is None:
        time.sleep(seconds)
    else:
        step.sleep(seconds)


def without_loop(function: Callable[..., T]) -> Callable[..., T]:
    """Return a function that blocks no loop: in a step of one, it is called in a thread."""

    def call(*args: Any) -> T:
        step = current_step()
        return function(*args) if step is None else step.call_in_thread(function, *args)

    return call


def _can_watch(
    crew_of: Callable[[asyncio.AbstractEventLoop], object], loop: asyncio.AbstractEventLoop
) -> bool:
    try:
        crew_of(loop)
    except NotImplementedError:
        return False
    return True
