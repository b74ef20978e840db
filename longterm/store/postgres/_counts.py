"""How many runs wait where, and are in which state, in a Postgres database."""

from __future__ import annotations

from longterm._event_names import START
from longterm.store.positions import PositionCount, counts_of
from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import counts as sql
from longterm.store.states import StateCount, state_counts_of


class PostgresCounts:
    """The part of the store that counts runs."""

    _database: Database

    def count_positions(self) -> list[PositionCount]:
        return counts_of(self._database.execute(sql.POSITIONS, (START,), "count positions").rows)

    def count_states(self) -> list[StateCount]:
        return state_counts_of(self._database.execute(sql.STATES, (), "count states").rows)
