"""Runs turns side by side: plain flows in threads, `async def` flows together in one event loop.

A turn that takes too long is given up. Nothing can end its thread: that is left behind, and does
not come back for another turn.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from longterm._turns.due import DueTurn
from longterm._worker.stacks import coroutine_stack, thread_stack
from longterm.errors import TurnTimeout

if TYPE_CHECKING:
    from longterm._worker.event_loop import EventLoop


class Running:
    """A turn under way."""

    def __init__(self, executor: Executor, turn: DueTurn) -> None:
        """Note when it began."""
        self.executor = executor
        self.turn = turn
        self.begun = monotonic()
        self.thread_id = 0
        self.loop: EventLoop | None = None
        self.coroutine: object = None
        self.task: Future[object] | None = None

    def where(self) -> str:
        """Return where it is now, in the author's own lines."""
        if self.loop is None:
            return thread_stack(sys._current_frames().get(self.thread_id))
        if self.loop.is_held():
            return thread_stack(self.loop.frame())
        return coroutine_stack(self.coroutine)


class Executor:
    """Runs up to so many turns at once."""

    def __init__(self, size: int, *, seconds: float | None, on_end: Callable[[], None]) -> None:
        """Run nothing yet.

        Args:
            size: how many turns may run at once.
            seconds: how long each may take; None: for ever.
            on_end: called at the end of each turn, in any thread.
        """
        self._size = size
        self._seconds = seconds
        self._on_end = on_end
        self._running: dict[DueTurn, Running] = {}
        self._loop: EventLoop | None = None
        self._is_closed = False
        self.given_up = 0
        """How many turns were given up; their threads may go on for ever."""
        # All that idle threads know: so the executor can be garbage, and they are told to end.
        self.jobs: SimpleQueue[Running | None] = SimpleQueue()
        self.idle = threading.Semaphore(0)
        _when_gone(self, partial(_end_idle, self.jobs, size))

    @property
    def free(self) -> int:
        """How many turns more may be started now."""
        return self._size - len(self._running)

    @property
    def running(self) -> list[DueTurn]:
        """The turns under way."""
        return list(self._running)

    def start(self, turn: DueTurn) -> None:
        """Start a turn.

        Raises:
            RuntimeError: no thread can be started for it.
        """
        running = self._running[turn] = Running(self, turn)
        try:
            if turn.is_async:
                self._start_in_loop(running)
            else:
                self._start_in_thread(running)
        except BaseException:
            self._running.pop(turn, None)
            raise

    def next_limit(self) -> float | None:
        """Return in how many seconds a turn will have taken too long, at the earliest."""
        if self._seconds is None:
            return None
        begun = min((running.begun for running in self._unsaved()), default=None)
        return None if begun is None else max(0.0, begun + self._seconds - monotonic())

    def give_up_overdue(self) -> None:
        """Fail the runs whose turns take too long, and be free for others."""
        if self._seconds is None:
            return
        for running in self._unsaved():
            if monotonic() - running.begun >= self._seconds:
                self._give_up(running, self._seconds)

    def close(self) -> None:
        """Let the idle threads and the loop end; turns under way go on to their own ends."""
        self._is_closed = True
        _end_idle(self.jobs, self._size)
        self._close_loop()

    def _unsaved(self) -> list[Running]:
        """Return the turns that are not over: a store that is slow to save makes none too long."""
        return [running for running in list(self._running.values()) if not running.turn.is_saving]

    def _start_in_thread(self, running: Running) -> None:
        if self.idle.acquire(blocking=False):
            self.jobs.put(running)
            return
        # The turn is the new thread's first: one that is not started leaves nothing in the queue.
        # It is in a list, since a thread keeps its arguments.
        # Its context is the worker's, as that of the event loop is.
        run = copy_context().run
        threading.Thread(
            target=run, args=(_work, [running]), name="longterm-turn", daemon=True
        ).start()

    def _start_in_loop(self, running: Running) -> None:
        from longterm._worker.event_loop import EventLoop

        if self._loop is None:
            self._loop = EventLoop()
            _when_gone(self, self._loop.close)
        running.loop = self._loop
        running.coroutine = coroutine = running.turn.aadvance()
        running.task = self._loop.start(coroutine)
        running.task.add_done_callback(lambda _: self.ended(running))

    def ended(self, running: Running) -> bool:
        """Note the end of a turn; return whether its thread may come back for another."""
        self._running.pop(running.turn, None)
        self._on_end()
        if self._is_closed:
            self._close_loop()
        return not (self._is_closed or running.turn.is_given_up)

    def _give_up(self, running: Running, seconds: float) -> None:
        running.turn.give_up(TurnTimeout(seconds, running.where()))
        self.given_up += 1
        self._running.pop(running.turn, None)
        if running.task is not None:
            running.task.cancel()
        if self._loop is not None and running.loop is self._loop and self._loop.is_held():
            self._loop.close()  # as soon as it can; the next turn gets another one
            self._loop = None

    def _close_loop(self) -> None:
        loop = self._loop
        if loop is not None and not any(running.task for running in list(self._running.values())):
            self._loop = None
            loop.close()


def _work(first: list[Running]) -> None:
    """Run turns in this thread, until it is told to end or its turn is given up."""
    running: Running | None = first.pop()
    while running is not None:
        running.thread_id = threading.get_ident()
        try:
            running.turn.advance()
        finally:
            may_stay = running.executor.ended(running)
        if not may_stay:
            return
        jobs = running.executor.jobs
        running.executor.idle.release()
        running = None  # and with it the executor
        running = jobs.get()


def _when_gone(executor: Executor, end: Callable[[], None]) -> None:
    """End what serves an executor when it is garbage; at the end of the process all ends anyway."""
    weakref.finalize(executor, end).atexit = False


def _end_idle(jobs: SimpleQueue[Running | None], size: int) -> None:
    for _ in range(size):
        jobs.put(None)
