"""An event as a flow meets it where it waits: a value, or an exception that is raised there."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any


class Event:
    """What a wait ends with."""

    __slots__ = ("error", "name", "value")

    def __init__(
        self, value: Any = None, error: BaseException | None = None, name: str = ""
    ) -> None:
        """Bring a value, or an exception; a wait for several events asks for the name."""
        self.name = name
        self.value = value
        self.error = error

    def outcome(self) -> Callable[[], Any]:
        """Return a callable that gives the value, or raises the exception.

        It is made of C functions, since a Python function would stand in the author's tracebacks.
        """
        if self.error is None:
            return repeat(self.value).__next__
        return partial(codecs.strict_errors, self.error)  # type: ignore[arg-type]
