"""The store contract about histories: what came to a run, turn by turn.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from longterm._later import later

if TYPE_CHECKING:
    from longterm.history import HistoryEntry
else:
    HistoryEntry = later("longterm.history", "HistoryEntry")

__all__ = ["FIRST", "History", "Place"]

Place: TypeAlias = tuple[int, int]
"""Where an entry stands in the history of its run: its turn and its number."""

FIRST: Final[Place] = (-1, 0)
"""A place before those of all entries."""


@runtime_checkable
class History(Protocol):
    """A store with an inbox that keeps histories.

    `create`, `update` and `update_read` keep the entries in `run.entries`, in the same step as the
    run: they are there if and only if the run was saved. One of the same turn and number, of a save
    in the middle of the turn, is replaced. What these return has no `entries`. Entries are deleted
    with their run.
    """

    def entries(self, run_id: str, *, after: Place = FIRST, limit: int = 100) -> list[HistoryEntry]:
        """Return entries of a run after a place, the oldest first, without their stacks.

        A run that is unknown has none.

        Raises:
            UnreadableRun: one of them is not what was saved.
        """
        ...

    def entry(self, run_id: str, place: Place) -> HistoryEntry | None:
        """Return the entry at a place with its stack; None if there is none.

        Raises:
            UnreadableRun: it is not what was saved.
        """
        ...

    def entry_at(self, run_id: str, revision: int) -> HistoryEntry | None:
        """Return the first entry with a stack that has a revision; None if there is none.

        Raises:
            UnreadableRun: it is not what was saved.
        """
        ...

    def rewrite_entry(self, was: HistoryEntry, entry: HistoryEntry) -> bool:
        """Replace what is encoded of an entry, and nothing else.

        False if it is there no more, or not as it `was`.
        """
        ...

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        """Delete entries that were saved before a moment, of any run; return how many."""
        ...
