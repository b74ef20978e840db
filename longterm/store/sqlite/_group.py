"""Group commit: threads leave their steps to one of them, which takes all that have gathered.

SQLite admits one writer at a time, and each transaction costs, most of all if it waits for the
disk. So a thread that comes while another one leads leaves its step and sleeps; then one of those
who sleep leads (DeWitt et al., "Implementation techniques for main memory database systems", 1984).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from longterm.store.sqlite._connection import Connection

Action: TypeAlias = Callable[[Connection], Any]
"""Statements of which one at most changes something; returns what came of it."""


class Step:
    """What one thread wants written, and what came of it."""

    is_taken = False
    """Whether it is in the file, though perhaps not on the disk."""
    result: Any = None
    error: Exception | None = None
    batch: Sequence[Step] = ()
    """The steps that its thread takes, if that leads; its own is one of them."""
    _sleeper: threading.Lock | None = None

    def __init__(self, action: Action) -> None:
        """Want something written."""
        self.action = action

    @property
    def is_settled(self) -> bool:
        """Whether it was taken, or cannot be."""
        return self.is_taken or self.error is not None

    def take(self, result: Any) -> None:
        """Note what came of it."""
        self.result, self.is_taken = result, True

    def will_sleep(self) -> None:
        """Prepare its thread's sleep, so that it can be ended before it begins."""
        self._sleeper = threading.Lock()
        self._sleeper.acquire()

    def sleep(self) -> None:
        """Sleep until woken; not at all if there is nothing to wait for."""
        if self._sleeper is not None:
            self._sleeper.acquire()

    def wake(self) -> None:
        """Let its thread go on, if it sleeps; any number of times."""
        if self._sleeper is not None and self._sleeper.locked():
            with suppress(RuntimeError):  # another thread was quicker
                self._sleeper.release()


class Group:
    """The threads that have steps to take at the same time."""

    def __init__(self, take: Callable[[Sequence[Step]], None]) -> None:
        """Have steps taken by a function that notes in each what came of it."""
        self._take = take
        self._lock = threading.Lock()
        self._waiting: list[Step] = []
        self._leader: Step | None = None

    def take(self, step: Step) -> None:
        """Return when a step was taken, by this thread or by another, or cannot be."""
        try:
            with self._lock:
                if self._leader is None:
                    self._leader = step
                    step.batch = [step]
                else:
                    step.will_sleep()
                    self._waiting.append(step)
            if not step.batch:
                step.sleep()
            if self._leader is step:
                if not step.batch:
                    with self._lock:
                        step.batch, self._waiting = self._waiting, []
                self._take(step.batch)
                if len(step.batch) == 1:
                    with self._lock:
                        if not self._waiting:  # most often
                            self._leader = None
                            return
                self._let_go(step)
        except BaseException:  # an interrupt, which can come anywhere
            self._let_go(step)
            raise

    def is_led_with(self, waiting: int) -> bool:
        """Tell whether a thread leads while so many wait; for tests."""
        return self._leader is not None and len(self._waiting) == waiting

    def _let_go(self, own: Step) -> None:
        """Let another thread lead, and those go on whose steps are settled; may be repeated.

        What an interrupted leader has left is the next one's to take.
        """
        with self._lock:
            settled = [step for step in own.batch if step.is_settled and step is not own]
            left = [step for step in own.batch if not step.is_settled]
            waiting = [step for step in (*left, *self._waiting) if step is not own]
            own.batch, self._waiting = settled, waiting
            if self._leader is own:
                self._leader = waiting[0] if waiting else None
            if self._leader is not None:
                self._leader.wake()
        for step in settled:
            step.wake()
