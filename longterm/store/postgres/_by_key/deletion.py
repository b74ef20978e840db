"""Deletion, one run at a time, with all that stands beside it; and of what is old."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Final, LiteralString

from longterm.message import MessageKind
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._statements import by_key

_STARTS: Final = (MessageKind.START.value, MessageKind.SPAWN.value)
_OTHERS: Final = (MessageKind.EVENT.value, MessageKind.CANCEL.value)


class ByKeyDeletion:
    """The part of a distributed store that deletes."""

    _database: Database

    def _delete_one(self, run_id: str, operation: str, until: float) -> Answer:
        if self._database.execute(by_key.IS_ENDED, (run_id,), operation, until=until).rows:
            self._forget_sent((run_id,), _STARTS, operation, until)
        answer = self._delete_as(by_key.DELETE, run_id, (), operation, until)
        if answer.rows:
            self._forget_sent((run_id,), _OTHERS, operation, until)
        return answer

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        operation, until = "delete ended runs", self._database.end_of_step()
        parameters = (saved_before, limit)
        rows = self._database.execute(by_key.ENDED_BEFORE, parameters, operation, until=until).rows
        ids = [run_id for (run_id,) in rows]
        if not ids:
            return 0
        # A message that begins one would begin it anew; while there is the run, it does nothing.
        self._forget_sent(ids, _STARTS, operation, until)
        deleted = [
            run_id
            for run_id in ids
            if self._delete_as(by_key.DELETE_BEFORE, run_id, (saved_before,), operation, until).rows
        ]
        self._forget_sent(deleted, _OTHERS, operation, until)
        return len(deleted)

    def forget_sent_to(self, run_ids: Collection[str]) -> int:
        operation, until = "forget what was sent to runs", self._database.end_of_step()
        return self._forget_sent(run_ids, (*_STARTS, *_OTHERS), operation, until)

    def forget_keys(self, *, taken_before: datetime) -> int:
        operation, old = "forget old keys", taken_before
        # What is refused goes by its own age, with whose key nobody waits for.
        ask = partial(self._database.execute, operation=operation)
        with_keys = ask(by_key.RUNS_WITH_OLD_KEYS, (old, old)).rows
        with_refusals = ask(by_key.RUNS_WITH_OLD_REFUSALS, (old,)).rows
        ids = {run_id for (run_id,) in (*with_keys, *with_refusals)}
        return sum(
            len(ask(by_key.FORGET_KEYS, (run_id, old, run_id, old, old)).rows)
            for run_id in sorted(ids)
        )

    def forget_entries(self, *, saved_before: datetime, limit: int) -> int:
        operation = "forget old entries of histories"
        found = self._database.execute(by_key.OLD_ENTRIES, (saved_before, limit), operation).rows
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for run_id, turn, number in found:
            places[run_id].append((turn, number))
        forgotten = 0
        for run_id, those in places.items():
            turns, numbers = map(list, zip(*those, strict=True))
            parameters = (run_id, saved_before, turns, numbers)
            forgotten += len(
                self._database.execute(by_key.FORGET_ENTRIES, parameters, operation).rows
            )
        return forgotten

    def _delete_as(
        self,
        statement: LiteralString,
        run_id: str,
        condition: tuple[object, ...],
        operation: str,
        until: float,
    ) -> Answer:
        parameters = (run_id, *condition, *(5 * (run_id,)))
        return self._database.execute(statement, parameters, operation, until=until)

    def _forget_sent(
        self, receivers: Collection[str], kinds: Collection[str], operation: str, until: float
    ) -> int:
        """Forget the messages of some kinds to runs; return how many there were."""
        if not receivers:
            return 0
        asked = (list(receivers), list(kinds))
        found = self._database.execute(by_key.SENT_TO, asked, operation, until=until).rows
        for place in found:
            self._database.execute(by_key.FORGET_MESSAGE, place, operation, until=until)
        return len(found)
