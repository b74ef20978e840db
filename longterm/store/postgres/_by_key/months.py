"""What a distributed store has for tables of months: none, and what has ended stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from longterm.errors import StoreError
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._dialect import Dialect
from longterm.store.postgres._statements import by_key
from longterm.store.states import StateCount, state_counts_of


class ByKeyMonths:
    """The part of a distributed store that looks for runs in one table only."""

    _database: Database
    _dialect: Dialect

    def _in_either(
        self,
        statement: LiteralString,
        elsewhere: LiteralString,
        parameters: Sequence[object],
        operation: str,
        until: float | None,
    ) -> Answer:
        return self._database.execute(statement, parameters, operation, until=until)

    def keep_by_month(self) -> bool:
        raise self._no_months()

    def by_month_sql(self) -> str:
        raise self._no_months()

    def move_ended(self, *, limit: int) -> int:
        return 0

    def count_states(self) -> list[StateCount]:
        rows: list[tuple[Any, ...]] = self._database.execute(by_key.STATES, (), "count states").rows
        return state_counts_of(rows)

    def _no_months(self) -> StoreError:
        return StoreError(
            f"runs that have ended are not kept by month with dialect={self._dialect.name} (prune "
            "them by their age: longterm prune --older-than)"
        )
