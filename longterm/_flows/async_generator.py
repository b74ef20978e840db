"""The asynchronous generators that flows make: as those of `generator`, but they are awaited.

Each step is Python's own awaitable of Python's own generator, so nothing of longterm stands in a
traceback, and an event loop knows the generator as it knows any other (PEP 525). One that is
unwound to be stored has ended for the loop, which closes at its end those that have not.

One may wait inside itself, when it is awaited for a value, as those of `generator` do. It cannot
while it is closed: Python's own awaitable of `aclose` would have to be made again half done.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from opcode import opname
from types import AsyncGeneratorType, CodeType, FrameType, TracebackType
from typing import Any, Final, TypeAlias, cast

from longterm._flows.generator import Asked, Kept, StoredGenerator, call_of, linked, note
from longterm._flows.rt import Suspend
from longterm.frame import Frame

Running: TypeAlias = "AsyncGeneratorType[Any, Any]"


class AsyncFlowGenerator(StoredGenerator, AsyncGenerator[Any, Any]):
    """An asynchronous generator whose frame can be stored. It does what Python's own would do."""

    __slots__ = ()
    _python = "async_generator"
    _running: Running | None

    def __anext__(self) -> Awaitable[Any]:  # type: ignore[override]
        """Return what runs to the next `yield`, and gives what that gives out."""
        return (self._running or self._resumed()).__anext__()

    def asend(self, value: Any, /) -> Awaitable[Any]:  # type: ignore[override]
        """Return what runs on with the value of the `yield` that it waits at."""
        return (self._running or self._resumed()).asend(value)

    def athrow(  # type: ignore[override]
        self, error: Any, value: Any = None, traceback: TracebackType | None = None, /
    ) -> Awaitable[Any]:
        """Return what raises an exception where it waits."""
        given = [part for part in (value, traceback) if part is not None]
        return (self._running or self._resumed()).athrow(error, *given)

    def aclose(self) -> Awaitable[None]:  # type: ignore[override]
        """Return what ends it: where it waits, `GeneratorExit` is raised."""
        return (self._running or self._resumed()).aclose()

    @property
    def is_running(self) -> bool:
        """Whether it is awaited at this moment: by a task of its own, if its run is suspended."""
        return self._running is not None and self._running.ag_running

    def has_left(self, code: CodeType) -> bool:
        """Tell whether it ran this code, and an exception has come out of it."""
        running = self._running
        return running is not None and running.ag_code is code and running.ag_frame is None

    def put_back(self, make: Callable[[], Running]) -> Callable[[], Awaitable[Any]]:
        """Take what makes Python's generator of its frame; return what asks it to go on.

        Raises:
            CorruptData: it does not wait inside itself.
        """
        self._asked_again(make)
        return self.__anext__

    def keep(self) -> Kept | Asked:
        """Give up Python's generator, and keep what is left to do.

        One that is running stays as it is.
        """
        running = self._running
        if running is None or running.ag_running:
            return self._kept
        self._kept = _kept_of(running, self._function)
        self._running = None
        if isinstance(self._kept, Frame):
            _unwind(running)
        return self._kept

    def _resumed(self) -> Running:
        kept = self._kept
        if isinstance(kept, Frame):
            running: Running = linked[0].make(kept)
            _step(running.__anext__())  # to the `yield`, through the blocks around it
        elif isinstance(kept, Asked):
            running = kept.made()
        elif kept is None:
            running = cast("Running", _ended())
            _step(running.aclose())
        else:
            function, args, kwargs = kept
            running = function.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]
        self._running, self._kept = running, None
        note(self)
        return running


def _kept_of(running: Running, function: Callable[..., Any]) -> Kept:
    frame = running.ag_frame
    if frame is None:
        return None
    return linked[0].save(frame) if _has_begun(running, frame) else call_of(frame, function)


def _has_begun(running: Running, frame: FrameType) -> bool:
    if sys.version_info >= (3, 12):
        return running.ag_suspended
    return opname[frame.f_code.co_code[frame.f_lasti]] != "RETURN_GENERATOR"


def _unwind(running: Running) -> None:
    """Unwind a generator as a suspension unwinds the stack: no `finally` runs."""
    try:
        _step(running.athrow(Suspend.__new__(Suspend)))
    except Suspend:
        return
    raise RuntimeError(f"{running.__qualname__} has caught what suspends its run")


def _step(awaitable: Any) -> None:
    """Run what has nothing to wait for to its end."""
    try:
        awaitable.send(None)
    except StopIteration:
        return
    raise RuntimeError("an asynchronous generator that is made again has awaited something")


async def _ended() -> AsyncGenerator[None, None]:
    yield


ASKING: Final = frozenset({"__anext__", "asend", "athrow"})
"""The methods by which one is awaited for a value."""
IS_ASYNC_GENERATOR: Final = 0x200
"""The flag of code that makes an asynchronous generator."""
