"""How many runs wait where, and are in which state, in one SQLite file."""

from __future__ import annotations

from typing import Any, Final

from longterm._event_names import START
from longterm.store.positions import PositionCount, counts_of
from longterm.store.states import StateCount, state_counts_of

_POSITIONS: Final = (
    "SELECT flow, position, waiting_for IS ?, count(*), min(id) FROM runs"
    " WHERE state NOT IN ('complete', 'cancelled')"
    " GROUP BY 1, 2, 3 ORDER BY flow, coalesce(position, ''), 3"
)
_STATES: Final = "SELECT flow, state, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1, 2"


class SQLiteCounts:
    """The part of the store that counts runs."""

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def count_positions(self) -> list[PositionCount]:
        return counts_of(self._read(_POSITIONS, (START,), "count positions"))

    def count_states(self) -> list[StateCount]:
        return state_counts_of(self._read(_STATES, (), "count states"))
