"""What generated programs live in: a log of what happens, and classes whose every act is logged.

A program imports these names. Everything here can be stored in a frame, the log itself aside,
which no program can reach.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from tests.property.shapes import Shape, shape_of, text_of

_FUEL = 400
_MAX_SIZE = 300


class Halted(BaseException):
    """Ends a program that was given no more events, or that does not end by itself."""


class Record:
    """What one run of a program has done so far."""

    def __init__(self) -> None:
        self.entries: list[Shape] = []
        self.halted = False


record = Record()


def start_record() -> Record:
    """Begin a new record and return it."""
    global record
    record = Record()
    return record


def halt() -> Halted:
    """Stop recording; return what the program is to be ended with."""
    record.halted = True
    return Halted()


def log(*values: Any) -> Any:
    """Record some values as they are now; return the last."""
    if record.halted or len(record.entries) >= _FUEL:
        raise halt()
    record.entries.append(shape_of(values))
    last = values[-1]
    if isinstance(last, list | str | bytes) and len(last) > _MAX_SIZE:
        raise halt()
    return last


class Oops(Exception):
    """An exception of the author's."""


class Worse(Oops):
    """A more special one."""


class _Shown:
    """Looks the same in every run: no address in its text."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Box(_Shown):
    """A mutable object with an attribute and entries; reading, writing and testing it is logged."""

    def __init__(self, v: Any = 0) -> None:
        self.v = v
        self.entries: dict[str, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        log("getitem", key)
        if isinstance(key, slice):
            return [key.start, key.stop, key.step]
        return self.entries.get(text_of(key), 1)

    def __setitem__(self, key: Any, value: Any) -> None:
        log("setitem", key, value)
        self.entries[text_of(key)] = value

    def __delitem__(self, key: Any) -> None:
        log("delitem", key)
        self.entries.pop(text_of(key), None)

    def __contains__(self, value: Any) -> bool:
        log("contains", value)
        return text_of(value) in self.entries

    def __bool__(self) -> bool:
        return bool(log("bool", bool(self.v)))

    def __format__(self, spec: str) -> str:
        return str(log("format", f"<{self.v if isinstance(self.v, int) else 0}{spec}>"))

    def __iadd__(self, other: Any) -> Box:
        log("iadd", other)
        self.v = other
        return self

    def __lt__(self, other: Any) -> Any:
        return log("lt", self.v < other)

    def take(self, *args: Any, **kwargs: Any) -> Any:
        """Record the arguments of a call and return the first."""
        log("take", args, kwargs)
        return args[0] if args else self.v


class Row(_Shown):
    """An iterable with an iterator of its own, each step of which is logged."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    def __iter__(self) -> Iterator[Any]:
        log("iter")
        return RowIterator(self)


class RowIterator(_Shown):
    def __init__(self, row: Row) -> None:
        self.row = row
        self.place = 0

    def __iter__(self) -> RowIterator:
        log("iter again")
        return self

    def __next__(self) -> Any:
        if self.place >= len(self.row.items):
            raise StopIteration
        self.place += 1
        return log("next", self.row.items[self.place - 1])


class Managed(_Shown):
    """A context manager: it can swallow, and raise on the way in or out."""

    def __init__(self, name: str, swallows: bool = False, fails: str = "") -> None:
        self.name = name
        self.swallows = swallows
        self.fails = fails
        self.inside = 0

    def __enter__(self) -> list[str]:
        self.inside += 1
        log("enter", self.name, self.inside)
        if "enter" in self.fails:
            raise Oops("enter", self.name)
        return [self.name, "b"]

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        self.inside -= 1
        log("exit", self.name, self.inside, kind, error, traceback is None)
        if "exit" in self.fails:
            raise Worse("exit", self.name)
        return self.swallows


class Turn(_Shown):
    """An awaitable that gives way once, as a coroutine does that waits for its event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def alog(*values: Any) -> Any:
    """Give way, then record some values; return the last."""
    await Turn()
    return log(*values)


class AsyncManaged(Managed):
    """The same as an asynchronous manager."""

    async def __aenter__(self) -> list[str]:
        await Turn()
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        await Turn()
        return self.__exit__(kind, error, traceback)


class Stream(Row):
    """An asynchronous iterable, whose iterator can be stored too."""

    def __aiter__(self) -> StreamIterator:
        log("aiter")
        return StreamIterator(self)


class StreamIterator(RowIterator):
    def __aiter__(self) -> StreamIterator:
        log("aiter again")
        return self

    async def __anext__(self) -> Any:
        await Turn()
        try:
            return self.__next__()
        except StopIteration:
            raise StopAsyncIteration from None


class Root(_Shown):
    """A base for classes that are made inside flows; making a subclass is logged."""

    def __init__(self, v: Any = 0) -> None:
        self.v = v
        self.__hidden = v

    def __init_subclass__(cls, **keywords: Any) -> None:
        log("subclass", cls.__name__, keywords)

    def __getattr__(self, name: str) -> Any:
        # Python's own error holds the object, and one of an inner class cannot be stored.
        raise AttributeError(f"{type(self).__name__} has no {name}", name=name)

    def get(self, more: Any = 0) -> Any:
        """Return what the root hides."""
        return log("get", [self.__hidden, more])


class Mark(_Shown):
    """A decorator that records what it is put on."""

    def __init__(self, tag: str, value: Any = None) -> None:
        self.tag = tag
        log("mark", tag, value)

    def __call__(self, what: Any) -> Any:
        log("marked", self.tag, what.__name__)
        return what


class Kinds:
    """Names for value patterns."""

    ONE = 1
    TEXT = "s"


class Point(_Shown):
    """A class for class patterns."""

    __match_args__ = ("x", "y")

    def __init__(self, x: Any = 0, y: Any = 0) -> None:
        self.x = x
        self.y = y


def fail(value: Any) -> Any:
    """Raise an exception that depends on a value."""
    log("fail", value)
    kinds = [ValueError, KeyError, Oops, Worse, TypeError]
    raise kinds[value % len(kinds) if isinstance(value, int) else 0]("failed", value)


def group(*values: Any) -> BaseException:
    """Return an exception group, nested for a longer list of values."""
    log("group", values)
    kinds = [ValueError, KeyError, Oops, Worse, TypeError]
    parts = [kinds[v % 5 if isinstance(v, int) else 0](v) for v in values]
    if len(parts) > 2:
        return ExceptionGroup("outer", [parts[0], ExceptionGroup("inner", parts[1:])])
    return ExceptionGroup("flat", parts or [Oops("none")])


def show(error: BaseException | None) -> Any:
    """Record an exception with its chain; return its arguments."""
    from tests.property.shapes import error_shape

    log("error", error_shape(error))
    return (
        None if error is None or isinstance(error, NameError | RecursionError) else list(error.args)
    )


class Countdown(_Shown):
    """The textbook iterator: whoever asks it for its iterator starts it over."""

    def __init__(self, n: Any = 2) -> None:
        self.n = n & 3 if isinstance(n, int) else 2
        self.left = 0

    def __iter__(self) -> Countdown:
        self.left = log("start over", self.n)
        return self

    def __next__(self) -> Any:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return log("count", self.left)


class AsyncCountdown(Countdown):
    """The same as an asynchronous iterator."""

    def __aiter__(self) -> AsyncCountdown:
        self.left = log("start over", self.n)
        return self

    async def __anext__(self) -> Any:
        await Turn()
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return log("count", self.left)


class Sequence(_Shown):
    """What can be gone through by its entries alone, which say when they are read."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    def __getitem__(self, place: int) -> Any:
        log("sequence", place)
        return self.items[place]


class Touchy(_Shown):
    """An object whose own code raises, whatever it is asked for."""

    def __init__(self, v: Any = 0) -> None:
        self.v = v

    def _refuse(self, *others: Any) -> Any:
        log("touched", len(others))
        raise Oops("touched")

    __eq__ = __hash__ = __lt__ = __bool__ = __len__ = __iter__ = __next__ = _refuse
    __call__ = __getattr__ = __contains__ = __enter__ = __exit__ = _refuse  # type: ignore[assignment]
    __getitem__ = __iadd__ = __add__ = __index__ = __aiter__ = _refuse

    def __format__(self, spec: str) -> str:
        return str(self._refuse(spec))


class Sentinel(_Shown):
    """The usual way to write a value that is told by identity."""

    def __init__(self, name: str) -> None:
        self.name = name


MISSING = Sentinel("MISSING")
NAN = float("nan")
