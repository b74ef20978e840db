"""What a wait ends with: a value, or an exception that is raised where the flow waits."""

from __future__ import annotations

import codecs
import sys
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


class StepResult(WaitResult):
    """What has come of a step: in the flow it is as if the function had been called there."""

    __slots__ = ("is_awaited",)

    def __init__(
        self, value: Any = None, error: BaseException | None = None, *, is_awaited: bool = False
    ) -> None:
        """Take a value, which the flow may await, or an exception."""
        super().__init__(value, error)
        self.is_awaited = is_awaited

    def as_callable(self) -> Callable[[], Any]:
        """Return a callable that gives the value, or raises the exception."""
        if self.error is not None:
            return partial(_raise, self.error)
        return repeat(Ready(self.value) if self.is_awaited else self.value).__next__


_CONTEXT = vars(BaseException)["__context__"]
_TRACEBACK = vars(BaseException)["__traceback__"]


def _raise(error: BaseException) -> None:
    """Raise an exception as one that was raised in a call made here: with the contexts that it has,
    and the exception that is being handled here as the last of them.
    """
    # By their slots, since an author's class may freeze its exceptions.
    traceback, context = _TRACEBACK.__get__(error), _CONTEXT.__get__(error)
    handled, last, seen = sys.exception(), error, {id(error)}
    while (before := _CONTEXT.__get__(last)) is not None and id(before) not in seen:
        last = before
        seen.add(id(last))
    try:
        raise error
    finally:
        _CONTEXT.__set__(error, context)
        if handled is not None and id(handled) not in seen:
            _CONTEXT.__set__(last, handled)
        _TRACEBACK.__set__(error, traceback)


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
