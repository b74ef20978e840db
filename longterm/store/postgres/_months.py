"""Runs that have ended, in a Postgres database, in a table of their month: moved there, dropped.

An option of a store; without it, nothing is moved, and what is said here of months is of none.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic, sleep
from typing import Any, Final, LiteralString

from longterm.errors import StoreError
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._names import Schema
from longterm.store.postgres._schema import by_month_sql, keep_by_month
from longterm.store.postgres._statements import months as sql
from longterm.store.postgres._statements import runs

_LOOK_SECONDS: Final = 60.0
"""How old the knowledge of a process may be that the option is off."""
_BUSY_SECONDS: Final = 10.0
"""How long to leave a month alone that cannot be made now: nobody waits for it."""
_PAUSE: Final = 0.2


class PostgresMonths:
    """The part of the store that forgets what has ended, and keeps it by month until then."""

    _database: Database
    _schema: Schema
    _next_look = 0.0

    def _in_either(
        self,
        statement: LiteralString,
        elsewhere: LiteralString,
        parameters: Sequence[object],
        operation: str,
        until: float | None,
    ) -> Answer:
        """Send a statement about a run, and where that is not among the runs, one elsewhere.

        A run moves one way only, so whoever looks among the runs first misses none.
        """
        answer = self._database.execute(statement, parameters, operation, until=until)
        if answer.rows:
            return answer
        found = self._database.execute(elsewhere, parameters, operation, until=until)
        return Answer(found.rows, answer.is_repeated or found.is_repeated)

    def keep_by_month(self) -> bool:
        return self._database.on_connection(keep_by_month, "keep ended runs by month")

    def by_month_sql(self) -> str:
        return by_month_sql(self._schema)

    def move_ended(self, *, limit: int) -> int:
        if monotonic() < self._next_look:
            return 0
        rows = self._database.execute(sql.MOVE, (limit,), "move runs that have ended").rows
        ((moved,),) = rows
        if moved is None or moved < 0:  # the option is off, or somebody reads for long
            pause = _LOOK_SECONDS if moved is None else _BUSY_SECONDS
            self._next_look = monotonic() + pause * random.uniform(0.5, 1)
            return 0
        return int(moved)

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        ask = partial(self._database.execute, operation="delete ended runs")
        # Before the months, so that few of these are moved into one of them.
        deleted = len(ask(runs.DELETE_ENDED, (saved_before, limit)).rows)
        if deleted == limit:
            return deleted
        for (month,) in ask(sql.MONTHS_BEFORE, (saved_before,)).rows:
            deleted += self._drop(month, limit)
            if deleted >= limit:
                return deleted
        return deleted + len(ask(sql.DELETE_REST, (saved_before, limit - deleted)).rows)

    def _drop(self, month: datetime, limit: int) -> int:
        """Drop a month with all that belongs to its runs; return how many these were.

        Raises:
            StoreError: somebody has read it for all the time that a step may take.
        """
        operation = f"drop the runs that ended in {month:%Y-%m}"
        until = self._database.end_of_step()
        while True:
            seen = self._empty(month, limit, operation)
            answer = self._database.execute(sql.DROP, (month, seen), operation)
            ((outcome,),) = answer.rows
            if outcome == "dropped" or (outcome == "gone" and answer.is_repeated):
                return seen
            if outcome == "gone":  # somebody else was faster
                return 0
            if outcome == "busy":
                if monotonic() > until:
                    raise StoreError(
                        f"cannot {operation} in {self._database.place}: somebody reads ended runs "
                        "for long, such as a backup (prune again when that is over)"
                    )
                sleep(_PAUSE * random.uniform(0.5, 1))

    def _empty(self, month: datetime, limit: int, operation: str) -> int:
        """Delete what belongs to the runs of a month; return how many runs it has."""
        begin, end = month.replace(tzinfo=UTC), _next(month).replace(tzinfo=UTC)
        seen, after = 0, ""
        while True:
            parameters: tuple[Any, ...] = (begin, end, after, limit)
            ((count, last),) = self._database.execute(sql.EMPTY, parameters, operation).rows
            seen += int(count)
            if count < limit:
                return seen
            after = last


def _next(month: datetime) -> datetime:
    years, place = divmod(month.month, 12)
    return month.replace(year=month.year + years, month=place + 1)
