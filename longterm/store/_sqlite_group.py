"""Group commit: threads leave their steps to one of them, which takes all that have gathered.

SQLite admits one writer at a time, and each transaction costs, most of all if it waits for the
disk. So a thread that comes while another one leads leaves its step and sleeps; then one of those
who sleep leads (DeWitt et al., "Implementation techniques for main memory database systems", 1984).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

Action: TypeAlias = Callable[[sqlite3.Connection], Any]
"""Statements of which one at most changes something; returns what came of it."""


class Step:
    """What one thread wants written, and what came of it."""

    __slots__ = ("_sleeper", "action", "error", "leads", "result")

    def __init__(self, action: Action) -> None:
        """Want something written."""
        self.action = action
        self.result: Any = None
        self.error: Exception | None = None
        self.leads = False
        """Whether its thread is the one that writes now."""
        self._sleeper: threading.Lock | None = None

    def will_sleep(self) -> None:
        """Prepare its thread's sleep, so that it can be ended before it begins."""
        self._sleeper = threading.Lock()
        self._sleeper.acquire()

    def sleep(self) -> None:
        """Sleep until woken; not at all if there is nothing to wait for."""
        sleeper = self._sleeper
        if sleeper is not None:
            sleeper.acquire()

    def wake(self) -> None:
        """Let its thread go on, if it sleeps."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.release()


class Group:
    """The threads that have steps to take at the same time."""

    def __init__(self, take: Callable[[list[Step]], None]) -> None:
        """Have steps taken by a function that notes in each what came of it."""
        self._take = take
        self._lock = threading.Lock()
        self._waiting: list[Step] = []
        self._is_led = False

    def take(self, step: Step) -> None:
        """Return when a step was taken, by this thread or by another."""
        try:
            with self._lock:
                if self._is_led:
                    step.will_sleep()
                    self._waiting.append(step)
                else:
                    self._is_led = step.leads = True
            step.sleep()
            if step.leads:
                self._lead(step)
        except BaseException:  # an interrupt
            self._abandon(step)
            raise

    def is_led_with(self, waiting: int) -> bool:
        """Tell whether a thread leads while so many wait; for tests."""
        return self._is_led and len(self._waiting) == waiting

    def _lead(self, own: Step) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        if own not in batch:  # nobody led before
            batch.append(own)
        try:
            self._take(batch)
        except BaseException:
            for each in batch:
                each.error = each.error or sqlite3.OperationalError("interrupted")
            raise
        finally:
            self._hand_over(own)
            for each in batch:
                each.wake()

    def _hand_over(self, own: Step) -> None:
        with self._lock:
            own.leads = False
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].wake()
            else:
                self._is_led = False

    def _abandon(self, step: Step) -> None:
        with self._lock:
            if step in self._waiting:
                self._waiting.remove(step)
        if step.leads:
            self._hand_over(step)
