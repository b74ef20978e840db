"""The histories of runs in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from longterm._later import later
from longterm.run import Run
from longterm.store._step_lock import StepLock
from longterm.store.history import FIRST, Place

if TYPE_CHECKING:
    from longterm.history import HistoryEntry
else:
    HistoryEntry = later("longterm.history", "HistoryEntry")


class MemoryHistory:
    """The part of the store that keeps what came to runs, turn by turn."""

    _lock: StepLock

    def __init__(self) -> None:
        """Begin with no history."""
        super().__init__()
        self._histories: dict[str, dict[Place, HistoryEntry]] = {}
        """Of each run its entries by their places."""

    def entries(self, run_id: str, *, after: Place = FIRST, limit: int = 100) -> list[HistoryEntry]:
        with self._lock.alone():
            known = self._histories.get(run_id, {})
            places = sorted(place for place in known if place > after)[:limit]
            return [replace(known[place], stack=None) for place in places]

    def entry(self, run_id: str, place: Place) -> HistoryEntry | None:
        with self._lock.alone():
            return self._histories.get(run_id, {}).get(place)

    def entry_at(self, run_id: str, revision: int) -> HistoryEntry | None:
        with self._lock.alone():
            known = self._histories.get(run_id, {})
            places = [
                place
                for place, entry in known.items()
                if entry.revision == revision and entry.stack is not None
            ]
            return known[min(places)] if places else None

    def rewrite_entry(self, was: HistoryEntry, entry: HistoryEntry) -> bool:
        place = was.turn, was.number
        with self._lock.alone():
            known = self._histories.get(was.run_id, {})
            if known.get(place) != was:
                return False
            known[place] = replace(
                was,
                encoded_value=entry.encoded_value,
                encoded_response=entry.encoded_response,
                encoded_error=entry.encoded_error,
                stack=entry.stack,
            )
        return True

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        with self._lock.alone():
            old = [
                (run_id, place)
                for run_id, known in self._histories.items()
                for place, entry in known.items()
                if entry.saved_at < saved_before
            ][:limit]
            for run_id, place in old:
                del self._histories[run_id][place]
        return len(old)

    def _with_entries(self, run: Run) -> dict[Place, HistoryEntry]:
        """Return the history of a run with what is saved of it now."""
        added = {(entry.turn, entry.number): entry for entry in run.entries}
        return self._histories.get(run.id, {}) | added
