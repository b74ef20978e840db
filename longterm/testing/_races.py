"""How contract tests race: steps go in, taken at the same moment; what came of each comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def race(steps: Sequence[Callable[[], _T]]) -> list[_T | Exception]:
    """Take all steps at the same moment, a thread each; return what each returned or raised."""
    start = threading.Barrier(len(steps))

    def take(step: Callable[[], _T]) -> _T | Exception:
        start.wait()
        try:
            return step()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(steps)) as threads:
        return list(threads.map(take, steps))
