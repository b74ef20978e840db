"""Marks: an id of the caller's choice is taken, and its run is on the server of a later epoch.

A mark is a record of that id in the place of an earlier epoch. So a process whose clock is behind
finds the id taken there, however late its start comes: the server's own uniqueness decides.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from longterm.run import Run, RunState

MARKS: Final = "longterm:elsewhere"
"""The flow of all marks; no module of an application's is called so."""

SETTLED: Final = 24 * 60 * 60 * 1000
"""Milliseconds after which no start of an earlier epoch is still on its way."""


def mark_of(run: Run, now: datetime) -> Run:
    """Return the mark that stands for a run; it is pruned as a run that has ended."""
    return Run(id=run.id, flow=MARKS, state=RunState.COMPLETE, created_at=now, updated_at=now)


def is_mark(run: Run) -> bool:
    """Tell whether a record is a mark, and no run."""
    return run.flow == MARKS
