"""Who waits for a connection: a thread, a step in an event loop, or a task before its step.

A pool keeps them in the order in which they came. It puts a connection into what a waiter holds, or
leaves it where whoever is fast finds it, and wakes the waiter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from longterm.store.postgres._loop_step import LoopStep, TaskWait

T = TypeVar("T")

LOOK_SECONDS: Final = 0.1
"""How long a thread waits before it looks whether there is room for a connection."""

_LOOK_SECONDS_IN_LOOP: Final = 5.0
"""The same in an event loop, where hundreds may wait: it is seldom of use, as who gives something
back, or makes room, wakes somebody."""


class ThreadWaiter(Generic[T]):
    """A thread that waits.

    `SimpleQueue` is not for that: on CPython 3.11 a thread was seen to stay in its
    `get(timeout=…)` long after its time, while others took what had come.
    """

    look_seconds = LOOK_SECONDS
    is_owed = False
    """Whether it is handed what comes back. A thread that goes on first makes more of it, so one
    that has just begun to wait only looks whether it is there."""

    def __init__(self, held: list[T]) -> None:
        """Have it wait for something to be put into `held`."""
        self.held = held
        self._lock = threading.Lock()
        self._lock.acquire()
        self.wake: Callable[[], object] = self._lock.release

    def wait(self, seconds: float) -> bool:
        """Wait until it is woken, and no longer than some seconds; return whether it was."""
        is_woken = self._lock.acquire(timeout=seconds)
        self.is_owed = True
        return is_woken


class LoopWaiter(Generic[T]):
    """A step in an event loop that waits, and is handed what it waits for.

    So all have theirs in the order in which they came: in one thread nothing is gained by another.
    """

    look_seconds = _LOOK_SECONDS_IN_LOOP
    is_owed = True

    def __init__(self, held: list[T], step: LoopStep) -> None:
        """Have it wait for something to be put into `held`."""
        self.held = held
        self.wake = call = step.call()
        self.wait = call.wait


class TaskWaiter(Generic[T]):
    """A task that waits before its step begins: what has not begun takes no memory to and fro."""

    look_seconds = _LOOK_SECONDS_IN_LOOP
    is_owed = True

    def __init__(self, held: list[T], wait: TaskWait) -> None:
        """Have it wait for something to be put into `held`."""
        self.held = held
        self.wake = wait
        self.wait = wait.wait


Waiter: TypeAlias = ThreadWaiter[T] | LoopWaiter[T] | TaskWaiter[T]
