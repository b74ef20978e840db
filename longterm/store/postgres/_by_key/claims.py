"""Claims of many runs, one by one: those that can go on are read, then each claimed by its key."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from longterm.run import Run, RunState
from longterm.store._rows import COLUMNS, in_order_of_deadlines
from longterm.store._unreadable import Unreadable
from longterm.store.base import new_claim
from longterm.store.inbox import in_order_of_saves
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._statements import by_key, runs
from longterm.store.postgres._statements.due import those_to_claim

_STATE: Final = COLUMNS.index("state")
_CLAIM: Final = COLUMNS.index("claim")


class ByKeyClaims:
    """The part of a distributed store that gives runs to workers, and takes them back."""

    _database: Database
    _unreadable: Unreadable
    _claimed_until = by_key.CLAIMED_UNTIL

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        those, names = those_to_claim(flows, without)
        rows = self._claim_each(by_key.due(those), (now, *names), limit, until, "claim due runs")
        return in_order_of_deadlines(self._unreadable.claimed(rows, now))

    def claim_unread(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        operation = "claim runs with unread events"
        those, names = those_to_claim(flows, without)
        rows = self._claim_each(by_key.able(those), tuple(names), limit, until, operation)
        return in_order_of_saves(self._unreadable.claimed(rows, now))

    def _claim_each(
        self,
        statement: LiteralString,
        parameters: tuple[object, ...],
        limit: int,
        until: datetime,
        operation: str,
    ) -> list[tuple[Any, ...]]:
        """Claim runs that a statement finds, and return their rows."""
        number, end = new_claim(), self._database.end_of_step()
        claimed: list[tuple[Any, ...]] = []
        has_lost = True
        while has_lost and len(claimed) < limit:
            has_lost = False
            wanted = (*parameters, 2 * (limit - len(claimed)))
            found = self._database.execute(statement, wanted, operation, until=end).rows
            while found and len(claimed) < limit:
                run_id, turn = found.pop(0)
                row = self._claim_as_found(run_id, turn, number, until, end)
                if row is not None:
                    claimed.append(row)
                elif not has_lost:
                    # Somebody else goes by the same order: whoever comes second leaves it.
                    has_lost = True
                    random.shuffle(found)
        return claimed

    def _claim_as_found(
        self, run_id: str, turn: int, number: int, until: datetime, end: float
    ) -> tuple[Any, ...] | None:
        """Claim a run as it was found; return its row, or None if it has gone on since."""
        operation = f"claim run {run_id!r}"
        parameters = (number, until, run_id, turn)
        answer = self._database.execute(by_key.CLAIM_AS_FOUND, parameters, operation, until=end)
        if answer.rows or not answer.is_repeated:
            return answer.rows[0] if answer.rows else None
        # The first try may have claimed it, and its answer was lost.
        rows = self._database.execute(runs.CONFIRM, (run_id,), operation, until=end).rows
        is_ours = rows and rows[0][_STATE] == RunState.RUNNING and rows[0][_CLAIM] == number
        return rows[0] if is_ours else None

    def _forget_claims(self, ids: list[str], ask: Callable[..., Answer]) -> None:
        """Do nothing: a claim is no row of its own."""

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        operation = f"renew the claim on run {run_id!r}"
        parameters = (until, run_id, turn, claim)
        return bool(self._database.execute(by_key.RENEW, parameters, operation).rows)

    def _release(
        self, dead: Sequence[tuple[Any, ...]], now: datetime, ask: Callable[..., Answer]
    ) -> list[tuple[Any, ...]]:
        released: list[tuple[Any, ...]] = []
        for *written, run_id, turn in dead:
            _, state, _, saved_at, _ = written
            ended = (None, None) if state == RunState.SUSPENDED else (state, saved_at)
            parameters = (*written, *ended, run_id, turn, now)
            released += ask(by_key.RELEASE, parameters).rows
        return released
