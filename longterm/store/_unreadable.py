"""What becomes of rows that cannot be read: each costs its own run, never those beside it.

Rows go in, the runs of those that can be read come out. The others are named in the log, once each.
Whoever has claimed one fails it, so that no worker meets it again at each look; nothing of it is
lost, and it can be retried when it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from longterm.errors import StoreError, UnreadableRun
from longterm.run import Run
from longterm.store._rows import ID, Rows, key_of
from longterm.store.base import Query

_MOST_NAMED: Final = 10_000
"""How many rows are remembered as named; a file that is worse may name some twice."""


class Unreadable:
    """Reads rows for one store."""

    def __init__(self, rows: Rows, fail: Callable[[str, int, str, datetime], object]) -> None:
        """Read rows; `fail` fails a claimed run, given its id and turn, the error and the time."""
        self._rows = rows
        self._fail = fail
        self._named: set[str] = set()

    def readable(self, rows: Iterable[Sequence[Any]]) -> list[Run]:
        """Return the runs of the rows that can be read; the others stay as they are."""
        found = []
        for row in rows:
            try:
                found.append(self._rows.run_of(row))
            except UnreadableRun as error:
                self._name(error, "it is left out")
        return found

    def claimed(self, rows: Iterable[Sequence[Any]], now: datetime) -> list[Run]:
        """Return the claimed runs of rows; one that cannot be read is failed."""
        found = []
        for row in rows:
            try:
                found.append(self._rows.run_of(row))
            except UnreadableRun as error:
                self._name(error, "it is failed until it is mended and retried")
                # If that cannot be done now, the claim runs out, and somebody meets it again.
                with suppress(StoreError):
                    self.fail(row, error, now)
        return found

    def claimed_one(self, row: Sequence[Any], now: datetime) -> Run:
        """Return a claimed run.

        Raises:
            UnreadableRun: its row cannot be read; it is failed.
        """
        try:
            return self._rows.run_of(row)
        except UnreadableRun as error:
            self.fail(row, error, now)
            raise

    def fail(self, row: Sequence[Any], error: UnreadableRun, now: datetime) -> None:
        """Fail a claimed run whose row cannot be read, if the row still says which it is."""
        if key := key_of(row):
            self._fail(*key, str(error), now)

    def found(self, query: Query, ask: Callable[[Query], list[tuple[Any, ...]]]) -> list[Run]:
        """Return what a query finds: as many runs as are there, though some rows are left out.

        Whoever pages by the number of runs takes a short page for the last one.
        """
        runs: list[Run] = []
        rest = query
        while True:
            rows = ask(rest)
            runs += self.readable(rows)
            last = rows[-1][ID] if rows else None
            is_last = len(rows) < rest.limit or len(runs) == query.limit
            if is_last or not isinstance(last, str) or last <= (rest.after or ""):
                return runs
            rest = replace(query, after=last, limit=query.limit - len(runs))

    def _name(self, error: UnreadableRun, outcome: str) -> None:
        import logging  # here, since every start loads this module, and few meet such a row

        if error.run_id not in self._named:
            if len(self._named) >= _MOST_NAMED:
                self._named.clear()
            self._named.add(error.run_id)
            logging.getLogger("longterm").warning("%s; %s", error, outcome)
