"""What a wait ends with: a value, or an exception that is raised where the flow waits."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator
from functools import partial
from itertools import repeat
from typing import Any


class WaitResult:
    """A value or an exception: what an event brings, or the end of a wait without one."""

    __slots__ = ("error", "name", "value")

    def __init__(
        self, value: Any = None, error: BaseException | None = None, name: str = ""
    ) -> None:
        """Take a value, or an exception; a wait for several events asks for the event's name."""
        self.name = name
        self.value = value
        self.error = error

    def as_callable(self) -> Callable[[], Any]:
        """Return a callable that gives the value, or raises the exception.

        It is made of C functions, since a Python function would stand in the author's tracebacks.
        """
        if self.error is None:
            return repeat(self.value).__next__
        return partial(codecs.strict_errors, self.error)  # type: ignore[arg-type]


class AwaitedResult(WaitResult):
    """A value that the flow awaits, as it does that of an asynchronous step."""

    __slots__ = ()

    def as_callable(self) -> Callable[[], Any]:
        """Return a callable that gives what is to be awaited, or raises the exception."""
        if self.error is None:
            return repeat(Ready(self.value)).__next__
        return WaitResult.as_callable(self)


class Ready:
    """An awaitable whose value is there at once."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        """Take the value."""
        self._value = value

    def __await__(self) -> Generator[None, None, Any]:
        """Return the value."""
        return self._value
        yield
