"""The store contract about long turns: what one is at can be seen while it lasts.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["Progress"]


@runtime_checkable
class Progress(Protocol):
    """A store with leases that keeps a note of what a turn under way is at.

    The note is for people: it belongs to the turn, is no part of the run, and need not be durable.
    """

    def note_progress(self, run_id: str, turn: int, note: str) -> bool:
        """Keep a note of a turn in place of the last one; False if the run is not in this turn."""
        ...

    def progress(self, run_id: str) -> str | None:
        """Return the note of the turn that a run is in; None: there is none, or no such run."""
        ...
