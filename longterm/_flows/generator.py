"""The generators that flows make: each can be stored while it waits at a `yield`.

Calling a flow with a `yield` in it returns a `FlowGenerator`. Inside is a generator of Python's own
that runs the flow's code, until the run is suspended: then what is left to do is kept as a `Frame`,
as of any flow that waits, and Python's generator is given up. It is made anew when it is next used.

    created         a generator of the fresh body
    suspended       Frame(flow, point, slots); the generator is unwound as the stack is, by
                    `Suspend`, so that no `finally` runs and managers let go
    used again      a generator of the resume body of the point, run to its `yield`
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import FrameType, GeneratorType, TracebackType
from typing import Any, Final, Protocol, TypeAlias, cast

from longterm._flows.context import LiveTurn, current
from longterm._flows.rt import Suspend
from longterm.frame import Frame

Running: TypeAlias = "GeneratorType[Any, Any, Any]"
Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Kept: TypeAlias = "Frame | Call | None"
"""What is kept of a generator: where it waits; the call that made it, before it has begun; None
when it has ended."""


class Frames(Protocol):
    """Who takes the frame of a generator, and makes one of it."""

    def save(self, frame: FrameType) -> Frame:
        """Return what is left to do in the frame of a generator that waits at a `yield`."""
        ...

    def check(self, frame: Frame) -> None:
        """Raise if a frame cannot go on in the code that is here."""
        ...

    def make(self, frame: Frame) -> Any:
        """Return a generator, asynchronous or not, whose first `yield` is where the frame waits."""
        ...


linked: Final[list[Frames]] = []
"""Who knows the frames of generators, once it is linked."""


def link(frames: Frames) -> None:
    """Make this what knows the frames of generators."""
    linked[:] = [frames]


class FlowGenerator(Generator[Any, Any, Any]):
    """A generator whose frame can be stored. It does what Python's own would do."""

    __slots__ = ("__weakref__", "_function", "_kept", "_running")

    def __init__(self, function: Callable[..., Any], running: Running | None, kept: Kept) -> None:
        """Take the function that was called, and a generator or what is kept of one."""
        self._function = function
        self._running = running
        self._kept = kept
        if running is not None:
            note(self)

    def __next__(self) -> Any:
        """Run to the next `yield`, and return what it gives out."""
        return next(self._running or self._resumed())

    def send(self, value: Any, /) -> Any:
        """Run on with the value of the `yield` that it waits at."""
        return (self._running or self._resumed()).send(value)

    def throw(
        self, error: Any, value: Any = None, traceback: TracebackType | None = None, /
    ) -> Any:
        """Raise an exception where it waits."""
        if type(error) is Suspend:
            # A generator that delegates to this one is unwound, since the run is suspended.
            self.keep()
            raise error
        running = self._running or self._resumed()
        given = [part for part in (value, traceback) if part is not None]
        return running.throw(error, *given)

    def close(self) -> None:
        """End it: where it waits, `GeneratorExit` is raised."""
        (self._running or self._resumed()).close()

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", "")
        return f"<generator object {name} at {id(self):#x}>"

    def keep(self) -> Kept:
        """Give up Python's generator, and keep what is left to do.

        Raises:
            ValueError: it is running at this moment.
        """
        running = self._running
        if running is None:
            return self._kept
        if running.gi_running:
            raise ValueError("generator already executing")
        self._kept = _kept_of(running, self._function)
        self._running = None
        if isinstance(self._kept, Frame):
            _unwind(running)
        return self._kept

    def _resumed(self) -> Running:
        kept = self._kept
        if isinstance(kept, Frame):
            running: Running = linked[0].make(kept)
            next(running)  # to the `yield`, through the blocks around it
        elif kept is None:
            running = cast("Running", _ended())
            running.close()
        else:
            function, args, kwargs = kept
            running = function.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]
        self._running, self._kept = running, None
        note(self)
        return running


ENTERING: Final = frozenset(
    getattr(FlowGenerator, name).__code__ for name in ("__next__", "send", "throw", "close")
)
"""The code by which a generator is entered."""


def note(generator: object) -> None:
    """Let the turn under way know a generator of a flow that is made or used in it."""
    turn = current.get()
    if isinstance(turn, LiveTurn):
        turn.generators.add(generator)


def _kept_of(running: Running, function: Callable[..., Any]) -> Kept:
    frame = running.gi_frame
    if frame is None:
        return None
    return linked[0].save(frame) if running.gi_suspended else call_of(frame, function)


def call_of(frame: FrameType, function: Callable[..., Any]) -> Call:
    """Return the call that has made a generator, which has not begun, by its frame."""
    code, values = frame.f_code, frame.f_locals
    first, last = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    names = iter(code.co_varnames[last:])
    args = tuple(values[name] for name in code.co_varnames[:first])
    kwargs = {name: values[name] for name in code.co_varnames[first:last]}
    if code.co_flags & _HAS_ARGS:
        args += values[next(names)]
    if code.co_flags & _HAS_KEYWORDS:
        kwargs |= values[next(names)]
    return function, args, kwargs


def _unwind(running: Running) -> None:
    """Unwind a generator as a suspension unwinds the stack: no `finally` runs."""
    try:
        running.throw(Suspend.__new__(Suspend))
    except Suspend:
        return
    except StopIteration:
        pass
    raise RuntimeError(f"{running.__qualname__} has caught what suspends its run")


def _ended() -> Generator[None]:
    yield


_HAS_ARGS: Final = 0x04
_HAS_KEYWORDS: Final = 0x08
"""The flags of code that takes `*args`, and that takes `**kwargs`."""
