"""Keeps the generators of a program alive until its run is over.

Python closes a generator that is dropped; a stored run drops all of its own whenever it waits. So
when one is closed would be told by the garbage, and not by the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from inspect import isasyncgenfunction, isgeneratorfunction
from types import AsyncGeneratorType, GeneratorType
from typing import Any
from unittest.mock import patch

from longterm._flows.async_generator import AsyncFlowGenerator
from longterm._flows.generator import FlowGenerator
from tests.property import world

_OURS = (FlowGenerator, AsyncFlowGenerator)


@contextmanager
def held_generators() -> Iterator[list[object]]:
    """Hold every generator that a flow makes, or that is read from stored bytes."""
    held: list[object] = []

    def holding(begin: Callable[..., None]) -> Callable[..., None]:
        def hold(generator: object, *args: Any) -> None:
            held.append(generator)
            begin(generator, *args)

        return hold

    with ExitStack() as stack:
        stack.callback(_let_go, held)
        for kind in _OURS:
            stack.enter_context(patch.object(kind, "__init__", holding(kind.__init__)))
        yield held


def plainly(held: list[object]) -> Callable[[Any], Any]:
    """Return what stands for `deflow` where the author's own code is run."""

    def deflow(function: Any) -> Any:
        if not isgeneratorfunction(function) and not isasyncgenfunction(function):
            return function

        @wraps(function)
        def make(*args: Any, **kwargs: Any) -> Any:
            held.append(function(*args, **kwargs))
            return held[-1]

        return make

    return deflow


def _let_go(held: list[object]) -> None:
    """Close them, unheard: nothing that they do now is compared."""
    world.start_record().halted = True
    for each in held:
        running = each._running if isinstance(each, _OURS) else each
        for _ in range(100):  # it may yield, or raise what it likes
            with suppress(BaseException):
                if isinstance(running, GeneratorType) and running.gi_frame is not None:
                    running.close()
                elif isinstance(running, AsyncGeneratorType) and running.ag_frame is not None:
                    _step_on(running.aclose())
                else:
                    break


def _step_on(awaitable: Any) -> None:
    for _ in range(100):
        awaitable.send(None)
