"""When a run rests, and how often to look whether it does."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Final

from longterm.errors import JoinTimeout
from longterm.run import Run, RunState

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two looks."""
_GROWTH: Final = 1.5


def rests(run: Run, now: datetime) -> bool:
    """Tell whether a run has ended, or waits for what is not there."""
    if run.state is RunState.RUNNING:
        return False
    if run.state is not RunState.SUSPENDED:
        return True
    is_due = run.deadline is not None and run.deadline <= now
    # One that has an error is parked: no event takes it on before its deadline.
    can_read = run.next_unread is not None and run.encoded_error is None
    return not (is_due or can_read)


class Looks:
    """The looks of one who waits until a run rests: rarer each time."""

    def __init__(self, run_id: str, timeout: float | None) -> None:
        """Begin to wait, at most for so many seconds."""
        self._run_id = run_id
        self._timeout = timeout
        self._end = None if timeout is None else monotonic() + timeout
        self._pause = _FIRST_PAUSE

    def next(self, run: Run) -> float:
        """Return how many seconds to wait before the next look.

        Raises:
            JoinTimeout: the time is over, and the run is as it is.
        """
        pause = self._pause
        self._pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        if self._end is None:
            return pause
        left = self._end - monotonic()
        if left <= 0:
            assert self._timeout is not None
            raise JoinTimeout(self._run_id, self._timeout, run.state, run.waiting_for)
        return min(pause, left)
