"""Where a turn hangs: the author's own lines of a thread or a task, as a traceback shows them."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from longterm._flows.turn_context import InContext

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def thread_stack(frame: FrameType | None) -> str:
    """Return the stack of a thread's frame, from the first one that longterm has called.

    A thread that has ended has none.
    """
    frames: list[FrameType] = []
    while frame is not None:
        frames.insert(0, frame)
        frame = frame.f_back
    return _shown(frames)


def coroutine_stack(coroutine: Any) -> str:
    """Return the stack of a coroutine that awaits, from the first one that longterm has called."""
    return _shown(list(_awaiting(coroutine)))


def _awaiting(coroutine: Any) -> Iterator[FrameType]:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = coroutine.cr_await
        steps = getattr(coroutine, "gi_frame", None)
        if steps is not None and steps.f_code is InContext.__await__.__code__:
            coroutine = steps.f_locals["self"].awaitable


def _shown(frames: list[FrameType]) -> str:
    """Show frames, the outermost first, but for those before and of the worker."""
    is_own = [frame.f_code.co_filename.startswith(_PACKAGE) for frame in frames]
    first = is_own.index(True) if True in is_own else 0
    while first < len(frames) and is_own[first]:
        first += 1
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[first:])
    return "".join(summary.format())
