"""What a store offers whose steps can be taken in an event loop, without a thread for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class TakesStep(Protocol):
    """Takes steps in the running event loop."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Call a function that uses the store; the loop goes on with other tasks meanwhile.

        A task that is cancelled meanwhile waits for its end.
        """
        ...


class StepsInLoop(Protocol):
    """A store that waits in an event loop without holding it up."""

    def loop_steps(self) -> TakesStep | None:
        """Return what takes steps in the loop that runs in this thread; None: threads are to."""
        ...
