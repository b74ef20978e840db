"""Raise an exception wherever the handler of a signal could raise one.

CPython handles signals when a function of Python's begins and when a function of C has returned
(`eval_breaker` in `Python/ceval.c`), and nowhere between: there a profiler is called too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import longterm

PACKAGE = str(Path(longterm.__file__).parent) + "/"


class Interrupted(BaseException):
    """Like `KeyboardInterrupt`."""


class TimeIsUp(Exception):
    """Like the soft time limit of a task queue."""


class Signal:
    """Counts the places in longterm's own code where a signal can come, and raises at one.

    Or does there what a handler does that raises nothing.
    """

    def __init__(
        self,
        at: int | None,
        kind: type[BaseException] = Interrupted,
        handle: Callable[[], object] | None = None,
    ) -> None:
        self.at = at
        self.kind = kind
        self.handle = handle
        self.seen = 0
        self.place = ""

    def __call__(self, frame: Any, event: str, argument: object) -> None:
        code = frame.f_code
        if event not in ("call", "c_return") or not code.co_filename.startswith(PACKAGE):
            return
        if self.seen == self.at:
            sys.setprofile(None)
            self.place = f"{event} in {code.co_qualname}, line {frame.f_lineno}, of {argument}"
            if self.handle is None:
                raise self.kind
            self.handle()
            return
        self.seen += 1

    def during(self, step: Callable[[], Any]) -> type[BaseException] | None:
        """Take a step; return the kind of what it raises, without whatever holds its frames."""
        sys.setprofile(self)
        try:
            step()
        except BaseException as error:
            return type(error)
        finally:
            sys.setprofile(None)
        return None
