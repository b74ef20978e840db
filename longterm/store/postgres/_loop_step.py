"""One step of the store in the thread of an event loop, which goes on with other tasks meanwhile.

The step runs in a greenlet. Where it has to wait, it goes back to whoever let it go on, and a
callback of the loop lets it go on again: so the loop brings it to its end, whatever becomes of the
task that asked for it. Only this file knows greenlets.
"""

from __future__ import annotations

import math
import threading
import weakref
from asyncio import AbstractEventLoop, CancelledError, Future, get_running_loop
from asyncio.events import _get_running_loop
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from greenlet import GreenletExit, getcurrent, greenlet
from psycopg.abc import PQGen

from longterm.store.postgres._sockets import sockets_of

R = TypeVar("R")
T = TypeVar("T")

_TICK_SECONDS: Final = 0.1
"""How exactly the ends of waits are kept: a timer for each would take longer than the wait."""

_MOST_IDLE: Final = 64
"""So many greenlets are kept for the steps to come: to make one takes longer than to use it."""


class LoopStep:
    """One step, from its begin to its end."""

    __slots__ = (
        *("_crew", "_worker", "end", "error", "function", "has_waited_long", "is_given_up"),
        *("is_over", "loop", "reserved", "result"),
    )

    def __init__(
        self,
        function: Callable[[], Any],
        loop: AbstractEventLoop,
        reserved: list[Any] | None = None,
        *,
        has_waited_long: bool = False,
    ) -> None:
        """Begin it, and go on until it waits or is over; it has its caller's context variables.

        Args:
            function: the step.
            loop: the loop that runs in this thread.
            reserved: a place for a connection, or none; None: it did not wait for one.
            has_waited_long: whether it did, and there was none in time.
        """
        self.reserved = reserved
        self.has_waited_long = has_waited_long
        self.function = function
        self.loop = loop
        self.is_over = False
        self.is_given_up = False
        """Whether its loop was closed while it waited."""
        self.result: Any = None
        self.error: BaseException | None = None
        """What it has raised."""
        self.end: Future[None] | None = None
        """What its task waits for; a step that waits for nothing needs none."""
        self._crew = crew = crew_of(loop)
        worker = crew.idle.pop() if crew.idle else _Worker()
        self._worker: Any = worker  # whose types do not say that it has a parent
        worker.step, worker.gr_context = self, copy_context()
        self.go_on()

    def go_on(self, news: object = None) -> None:
        """Let it go on until it waits again, or is over; it is told the news that it waits for.

        Only for its loop.
        """
        worker, here = self._worker, getcurrent()
        if worker.parent is not here:
            worker.parent = here
        worker.switch(news)
        if self.is_over:
            if len(self._crew.idle) < _MOST_IDLE and not worker.dead:
                worker.gr_context = None
                self._crew.idle.append(worker)
            if self.end is not None and not self.end.done():
                self.end.set_result(None)

    def give_up(self) -> None:
        """End it where it waits."""
        self._worker.parent = getcurrent()
        self._worker.throw(GreenletExit)

    def outcome(self) -> Any:
        """Return what it has returned, or raise what it has raised."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self.result

    def wait(self, deadline: float) -> Any:
        """Wait until something lets it go on; return the news, None soon after a deadline."""
        crew = self._crew
        crew.limit(self, deadline, self.loop)
        try:
            return self._worker.parent.switch()
        except BaseException:
            self.is_given_up = True
            raise
        finally:
            crew.waiting.pop(self, None)

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        timer = self.loop.call_later(seconds, self.go_on)
        try:
            self.wait(math.inf)
        finally:
            timer.cancel()

    def call(self) -> Call:
        """Return what it can wait for."""
        return Call(self)

    def wait_for_server(self, generator: PQGen[R], socket: int, seconds: float) -> R:
        """Bring what psycopg does on a session to its end, as its own `wait` does.

        Raises:
            psycopg.OperationalError: the time is over.
        """
        deadline, sockets = monotonic() + seconds, self._crew.sockets
        try:
            wanted = next(generator)
            while True:
                sockets.watch(socket, wanted, self)
                try:
                    ready = self.wait(deadline)
                except BaseException:
                    sockets.forget(socket)
                    raise
                if ready is None:
                    sockets.forget(socket)
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = generator.send(ready)
        except StopIteration as end:
            result: R = end.value
            return result

    def call_in_thread(self, function: Callable[..., R], *args: Any) -> R:
        """Call what can only block in a thread of its own, and wait for its end.

        A thread of the loop's pool may have to wait for others of the application.
        """
        outcomes: list[tuple[Any, BaseException | None]] = []
        call = Call(self)

        def work() -> None:
            try:
                outcomes.append((function(*args), None))
            except BaseException as error:
                outcomes.append((None, error))
            call()

        threading.Thread(target=work, name="longterm-connect", daemon=True).start()
        call.wait(math.inf)
        result: R
        result, error = outcomes.pop()
        if error is not None:
            raise error
        return result


class Call:
    """What a step waits for that somebody else says, in whatever thread."""

    __slots__ = ("_is_awaited", "_step", "is_made")

    def __init__(self, step: LoopStep) -> None:
        """Have it not said yet."""
        self._step = step
        self.is_made = self._is_awaited = False

    def __call__(self) -> None:
        """Say it."""
        self.is_made = True
        loop = self._step.loop
        if _get_running_loop() is loop:
            loop.call_soon(self._arrive)
            return
        with suppress(RuntimeError):  # the loop is closed, and the step has ended with it
            loop.call_soon_threadsafe(self._arrive)

    def wait(self, seconds: float) -> bool:
        """Wait for it for some seconds; return whether it was said."""
        if not self.is_made:
            self._is_awaited = True
            try:
                self._step.wait(monotonic() + seconds)
            finally:
                self._is_awaited = False
        return self.is_made

    def _arrive(self) -> None:
        if self._is_awaited:
            self._step.go_on()


class TaskWait:
    """What a task waits for, before its step, that somebody else says, in whatever thread."""

    __slots__ = ("_crew", "_future", "_is_made", "_loop")

    def __init__(self) -> None:
        """Have it not said yet."""
        self._loop = get_running_loop()
        self._crew = crew_of(self._loop)
        self._is_made = False
        self._future: Future[None] | None = None

    def __call__(self) -> None:
        """Say it."""
        self._is_made = True
        if _get_running_loop() is self._loop:
            self.go_on()
            return
        with suppress(RuntimeError):  # the loop is closed, and the task has ended with it
            self._loop.call_soon_threadsafe(self.go_on)

    async def wait(self, seconds: float) -> bool:
        """Wait for it for some seconds; return whether it was said."""
        if not self._is_made:
            self._future = self._loop.create_future()
            self._crew.limit(self, monotonic() + seconds, self._loop)
            try:
                await self._future
            finally:
                self._crew.waiting.pop(self, None)
        return self._is_made

    def go_on(self) -> None:
        """Let the task go on."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def give_up(self) -> None:
        """Leave the task to whoever has closed its loop."""


class _Worker(greenlet):  # type: ignore[misc]  # it comes without types
    """A greenlet that runs steps, one after the other."""

    step: LoopStep | None = None

    def __init__(self) -> None:
        """Have it run nothing yet."""
        super().__init__(_run_steps)


def _run_steps(_: object) -> None:
    """Run the step that this greenlet was given, until it is given no more."""
    worker: Any = getcurrent()
    while (step := worker.step) is not None:
        try:
            step.result = step.function()
        except BaseException as error:
            step.error = error
        step.is_over, worker.step = True, None
        if isinstance(step.error, GreenletExit):  # the loop is gone, and this with it
            return
        del step
        worker.parent.switch()


class Crew:
    """What the steps of one event loop share: those who run them, and who looks at the time."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        """Have nobody yet.

        Raises:
            NotImplementedError: the loop can watch no sockets.
        """
        self.loop = weakref.ref(loop)
        end = _EndOfLoop()
        weakref.finalize(end, _give_up, weakref.ref(self), threading.get_ident())
        self.sockets = sockets_of(loop, end)
        self.waiting: dict[LoopStep | TaskWait, float] = {}
        """Until when each waits."""
        self.is_ticking = False
        self.idle: list[_Worker] = []

    def limit(self, who: LoopStep | TaskWait, deadline: float, loop: AbstractEventLoop) -> None:
        """Let somebody go on who waits, soon after a deadline."""
        self.waiting[who] = deadline
        if not self.is_ticking:
            self._tick_later(loop)

    def _tick_later(self, loop: AbstractEventLoop) -> None:
        self.is_ticking = True
        loop.call_later(_TICK_SECONDS, self._tick, loop)

    def _tick(self, loop: AbstractEventLoop) -> None:
        self.is_ticking = False
        now = monotonic()
        for step, deadline in list(self.waiting.items()):
            if deadline <= now and self.waiting.get(step) is deadline:
                step.go_on()
        if self.waiting and not self.is_ticking:
            self._tick_later(loop)


class _EndOfLoop:
    """What is kept by nothing but its loop."""


def _give_up(crew: weakref.ref[Crew], thread: int) -> None:
    """Let the steps end that wait in a loop which was closed: nothing else lets them go on.

    Only those of closed coroutines can be left. What they hold is given back.
    """
    found = crew()
    if found is not None and thread == threading.get_ident():  # no greenlet runs elsewhere
        for step in list(found.waiting):
            step.give_up()


class _Here(threading.local):
    """What belongs to this thread: no greenlet runs in another one."""

    crew: Crew | None = None


_here: Final = _Here()


def crew_of(loop: AbstractEventLoop) -> Crew:
    """Return what the steps of the loop share that runs in this thread.

    Raises:
        NotImplementedError: it can watch no sockets.
    """
    crew = _here.crew
    if crew is None or crew.loop() is not loop:
        crew = _here.crew = Crew(loop)
    return crew


def current_step() -> LoopStep | None:
    """Return the step that this code is part of; None: it may block its thread."""
    worker = getcurrent()
    if type(worker) is not _Worker:
        return None
    step: LoopStep | None = worker.step
    # What was given up, since its loop is no more, can only block.
    return None if step is None or step.is_given_up else step


async def take_step(
    function: Callable[[], T],
    reserved: list[Any] | None = None,
    *,
    has_waited_long: bool = False,
) -> T:
    """Take a step in the running loop; a task that is cancelled meanwhile waits for its end.

    So nothing goes on behind the caller's back. Only a coroutine that is closed waits for nothing.
    """
    step = LoopStep(function, get_running_loop(), reserved, has_waited_long=has_waited_long)
    cancelled = None
    while not step.is_over:
        step.end = step.loop.create_future()
        try:
            await step.end
        except CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    result: T = step.outcome()
    return result
