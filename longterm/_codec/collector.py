"""Rest for the garbage collector while many objects are made and none is garbage."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

WORTH_IT_BYTES: Final = 8_192
"""How long an input is, at least, of which so much is made that the rest is worth its cost."""


def with_collector_at_rest(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function, and keep the collector from running meanwhile.

    No `with`: Python handles signals when a function of its own begins, and what a handler raises
    at the beginning of an `__exit__` would leave the collector off for the life of the process. The
    C functions here are called before that.
    """
    was_on = gc.isenabled()
    try:
        if was_on:
            gc.disable()
        return function(*args, **kwargs)
    finally:
        if was_on:
            gc.enable()
