"""The generators that flows make: each can be stored while it waits at a `yield`.

Calling a flow with a `yield` in it returns a `FlowGenerator`. Inside is a generator of Python's own
that runs the flow's code, until the run is suspended: then what is left to do is kept as a `Frame`,
as of any flow that waits, and Python's generator is given up. It is made anew when it is next used.

    created         a generator of the fresh body
    suspended       Frame(flow, point, slots); the generator is unwound as the stack is, by
                    `Suspend`, so that no `finally` runs and managers let go
    used again      a generator of the resume body of the point, run to its `yield`

It may wait inside itself, too, when it is asked for a value. Then its frame is one of the stack's,
behind that of the flow that has asked, and here is only noted that it has been asked:

    suspended       Asked; `longterm._flows.asking` has put its frame on the stack
    asked again     a generator of the resume body of the point, which goes on with that
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from types import FrameType, GeneratorType, TracebackType
from typing import Any, ClassVar, Final, NoReturn, Protocol, SupportsIndex, TypeAlias, cast

from longterm._flows.context import LiveTurn, current
from longterm._flows.rt import Suspend
from longterm.errors import CorruptData
from longterm.frame import Frame

Running: TypeAlias = "GeneratorType[Any, Any, Any]"
Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Kept: TypeAlias = "Frame | Call | None"
"""What is kept of a generator: where it waits; the call that made it, before it has begun; None
when it has ended."""


class Asked:
    """A generator waits inside itself, since it was asked for a value, or closed."""

    __slots__ = ("closes", "make")

    def __init__(self, *, closes: bool) -> None:
        """Note whether it is being closed."""
        self.closes = closes
        self.make: Callable[[], Any] | None = None
        """Makes Python's generator that goes on; None: its frame has not been put back yet."""

    @property
    def stored(self) -> str:
        """What is stored of it."""
        return _CLOSING if self.closes else _ASKED

    def made(self) -> Any:
        """Return Python's generator that goes on.

        Raises:
            CorruptData: its frame has not been put back.
        """
        if self.make is None:
            raise CorruptData("the stored bytes lack the frame of a generator that was asked")
        return self.make()

    @classmethod
    def of(cls, stored: str) -> Asked:
        """Return what was stored.

        Raises:
            TypeError: it is something else.
        """
        if stored not in (_ASKED, _CLOSING):
            raise TypeError("a generator that waits inside itself is asked, or is closing")
        return cls(closes=stored == _CLOSING)


_ASKED: Final = "asked"
_CLOSING: Final = "closing"


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


class StoredGenerator:
    """What generators of flows have in common: Python's own that runs, or what is kept of it."""

    __slots__ = ("__weakref__", "_function", "_kept", "_running")
    _python: ClassVar[str]
    """What Python calls its own."""

    def __init__(
        self, function: Callable[..., Any], running: Any | None, kept: Kept | Asked
    ) -> None:
        """Take the function that was called, and a generator or what is kept of one."""
        self._function = function
        self._running = running
        self._kept = kept
        if running is not None:
            note(self)

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", "")
        return f"<{self._python} object {name} at {id(self):#x}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse to be copied, as Python's own does: a copy would share what runs.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"cannot pickle '{self._python}' object")

    def wait_inside(self, *, closes: bool) -> None:
        """Be told that it waits inside itself: its frame is on the stack."""
        self._running, self._kept = None, Asked(closes=closes)

    def _asked_again(self, make: Callable[[], Any]) -> Asked:
        """Take what makes Python's generator of its frame; return how it was asked.

        Raises:
            CorruptData: it does not wait inside itself.
        """
        kept = self._kept
        if type(kept) is not Asked:
            raise CorruptData("the stored bytes have a frame of a generator that waits elsewhere")
        kept.make = make
        return kept


class FlowGenerator(StoredGenerator, Generator[Any, Any, Any]):
    """A generator whose frame can be stored. It does what Python's own would do."""

    __slots__ = ()
    _python = "generator"
    _running: Running | None

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

    def close(self) -> Any:
        """End it: where it waits, `GeneratorExit` is raised."""
        if not (type(self._kept) is Asked and self._kept.closes):
            return (self._running or self._resumed()).close()
        # It was being closed when it came to wait: go on, and end as Python's own would.
        try:
            next(self._resumed())
        except GeneratorExit:
            return None
        except StopIteration as ended:
            return ended.value if sys.version_info >= (3, 13) else None
        raise RuntimeError("generator ignored GeneratorExit")

    def go_on_inside(self) -> Any:
        """Go on where it waits inside itself, for a generator that delegates to it by `yield from`.

        Where that is being closed, it closes this one, and then `GeneratorExit` is raised in it.
        """
        if type(self._kept) is Asked and self._kept.closes:
            self.close()
            raise GeneratorExit
        return next(self._resumed())

    @property
    def waits_inside(self) -> bool:
        """Whether it waits inside itself, so that whoever has asked it asks it again."""
        return type(self._kept) is Asked

    def keep(self) -> Kept | Asked:
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

    def put_back(self, make: Callable[[], Running]) -> Callable[[], Any]:
        """Take what makes Python's generator of its frame; return what asks it to go on.

        Raises:
            CorruptData: it does not wait inside itself.
        """
        return self.close if self._asked_again(make).closes else self.__next__

    def _resumed(self) -> Running:
        kept = self._kept
        if isinstance(kept, Frame):
            running: Running = linked[0].make(kept)
            next(running)  # to the `yield`, through the blocks around it
        elif isinstance(kept, Asked):
            running = kept.made()
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
    id(getattr(FlowGenerator, name).__code__)
    for name in ("__next__", "send", "throw", "close", "go_on_inside")
)
"""The identities of the code by which a generator is entered: hashes of code take long."""
CLOSING: Final = FlowGenerator.close.__code__
"""That of them by which it is closed."""


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
