"""Stores that each break one promise, and a contract class for each; run by `test_contract`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Query, died_run
from longterm.store.memory import MemoryStore
from longterm.store.states import StateCount
from longterm.testing.contract import StoreContract
from longterm.unread import UnreadEvent


class ClaimsInTwoSteps(MemoryStore):
    """Two callers can both find the run suspended before either changes it."""

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        run = self.get(run_id)
        if run.state is not RunState.SUSPENDED or run.waiting_for != event_id:
            return None
        threading.Event().wait(0.001)
        claimed = replace(run, state=RunState.RUNNING, turn=run.turn + 1)
        self._runs[run_id] = claimed
        return claimed


class CreatesInTwoSteps(MemoryStore):
    def create(self, run: Run) -> Run:
        if run.id in self._runs:
            raise RunExists(run.id)
        threading.Event().wait(0.001)
        self._runs[run.id] = run
        return run


class OverwritesOnCreate(MemoryStore):
    def create(self, run: Run) -> Run:
        self._runs[run.id] = run
        return run


class SavesWithoutAFence(MemoryStore):
    def update(self, run: Run) -> Run:
        if self.get(run.id).state is not RunState.RUNNING:
            raise ClaimLost(run.id, run.turn)
        self._runs[run.id] = run
        return run


class SavesTwice(MemoryStore):
    def update(self, run: Run) -> Run:
        if self.get(run.id).turn != run.turn:
            raise ClaimLost(run.id, run.turn)
        self._runs[run.id] = run
        return run


class SavesInTwoSteps(MemoryStore):
    def update(self, run: Run) -> Run:
        stored = self.get(run.id)
        if stored.state is not RunState.RUNNING or stored.turn != run.turn:
            raise ClaimLost(run.id, run.turn)
        threading.Event().wait(0.001)
        self._runs[run.id] = run
        return run


class SavesHalfBeforeTheRest(MemoryStore):
    def update(self, run: Run) -> Run:
        with self._lock:
            self._runs[run.id] = replace(self._stored(run.id), stack=run.stack)
        threading.Event().wait(0.001)
        return super().update(run)


class CreatesOnUpdate(MemoryStore):
    def update(self, run: Run) -> Run:
        try:
            return super().update(run)
        except UnknownRun:
            self._runs[run.id] = run
            raise


class ForgetsTheWaitOnClaim(MemoryStore):
    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        claimed = super().unsuspend(run_id, event_id)
        if claimed is not None:
            claimed = self._runs[run_id] = replace(claimed, waiting_for=None)
        return claimed


class ClaimsForAnyEvent(MemoryStore):
    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        return super().unsuspend(run_id, self.get(run_id).waiting_for or event_id)


class ClaimsWithoutATurn(MemoryStore):
    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        claimed = super().unsuspend(run_id, event_id)
        if claimed is not None:
            claimed = self._runs[run_id] = replace(claimed, turn=claimed.turn - 1)
        return claimed


class ReturnsNoneForUnknownRuns(MemoryStore):
    def get(self, run_id: str) -> Run:
        return self._runs.get(run_id)  # type: ignore[return-value]


class IgnoresCase(MemoryStore):
    def _stored(self, run_id: str) -> Run:
        for known, run in self._runs.items():
            if known.lower() == run_id.lower():
                return run
        raise UnknownRun(run_id)


class TakesEmptyForNone(MemoryStore):
    def get(self, run_id: str) -> Run:
        return replace(super().get(run_id), stack=super().get(run_id).stack or None)


class ReturnsMutableBytes(MemoryStore):
    def get(self, run_id: str) -> Run:
        run = super().get(run_id)
        return replace(run, stack=run.stack and bytearray(run.stack))


class ReturnsStatesAsText(MemoryStore):
    def get(self, run_id: str) -> Run:
        run = super().get(run_id)
        return replace(run, state=run.state.value)  # type: ignore[arg-type]


class ForgetsTheError(MemoryStore):
    def update(self, run: Run) -> Run:
        return super().update(replace(run, encoded_error=None))


class ForgetsWhenClosed(MemoryStore):
    """Not durable, though its contract class says that it can be opened again."""


class TakesOverLiveClaims(MemoryStore):
    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        later = now + timedelta(days=1)
        return super().claim(run_id, event_id, now=later, until=until)


class CountsNoAttempts(MemoryStore):
    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        claimed = super().claim(run_id, event_id, now=now, until=until)
        if claimed is not None:
            claimed = self._runs[run_id] = replace(claimed, attempts=0)
        return claimed


class RenewsAnyClaim(MemoryStore):
    def renew(self, run_id: str, turn: int, *, until: datetime) -> bool:
        return super().renew(run_id, self.get(run_id).turn, until=until)


class ParksNobody(MemoryStore):
    def release_stale(self, *, now: datetime, max_attempts: int) -> list[Run]:
        return super().release_stale(now=now, max_attempts=max_attempts + 99)


class ReleasesInTwoSteps(MemoryStore):
    def release_stale(self, *, now: datetime, max_attempts: int) -> list[Run]:
        stale = [
            run for run in self._runs.values() if run.claimed_until and run.claimed_until < now
        ]
        threading.Event().wait(0.001)
        released = [died_run(run, max_attempts, now) for run in stale]
        self._runs.update((run.id, run) for run in released)
        return released


class ClaimsDueRunsInAnyOrder(MemoryStore):
    def claim_due(self, *, now: datetime, until: datetime, limit: int) -> list[Run]:
        return super().claim_due(now=now, until=until, limit=limit)[::-1]


class ClaimsWhatIsNotDue(MemoryStore):
    def claim_due(self, *, now: datetime, until: datetime, limit: int) -> list[Run]:
        return super().claim_due(now=now + timedelta(seconds=1), until=until, limit=limit)


class ClaimsDueRunsOfAllFlows(MemoryStore):
    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
    ) -> list[Run]:
        return super().claim_due(now=now, until=until, limit=limit)


class TakesOneForTrue(MemoryStore):
    def find(self, query: Query) -> list[Run]:
        wanted = query.index.items()
        return [
            run for run in super().find(replace(query, index={})) if wanted <= run.index.items()
        ]


class FindsForAnybody(MemoryStore):
    def find(self, query: Query) -> list[Run]:
        return super().find(replace(query, to=None))


class FindsInTheOrderOfCreation(MemoryStore):
    def find(self, query: Query) -> list[Run]:
        found = {run.id for run in super().find(query)}
        return [run for run in self._runs.values() if run.id in found]


class FindsTheOldestFirst(MemoryStore):
    def find(self, query: Query) -> list[Run]:
        return super().find(replace(query, newest_first=False))


class CountsWhatIsOverNoMore(MemoryStore):
    def count_states(self) -> list[StateCount]:
        over = (RunState.COMPLETE, RunState.CANCELLED)
        return [count for count in super().count_states() if count.state not in over]


class ForgetsTheLimit(MemoryStore):
    def find(self, query: Query) -> list[Run]:
        return super().find(replace(query, limit=10**6))


class DeletesWhatIsUnderWay(MemoryStore):
    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        old = [
            run.id
            for run in self._runs.values()
            if run.updated_at and run.updated_at < saved_before
        ]
        for run_id in old[:limit]:
            del self._runs[run_id]
        return len(old[:limit])


class ErasesWhatWaits(MemoryStore):
    def delete(self, run_id: str) -> bool:
        self._stored(run_id)
        del self._runs[run_id]
        return True


class RewritesWhatIsInATurn(MemoryStore):
    def rewrite(self, run: Run) -> bool:
        self._stored(run.id)
        self._runs[run.id] = run
        return True


class RewritesWhatHasGoneOn(MemoryStore):
    def rewrite(self, run: Run) -> bool:
        stored = self._stored(run.id)
        return super().rewrite(run.changed(turn=stored.turn, state=stored.state))


class PostsKeysTwice(MemoryStore):
    def post(self, event: UnreadEvent, *, limit: int) -> int | None:
        self._keys.get(event.run_id, {}).pop(event.key, None)
        return super().post(event, limit=limit)


class PostsToRunsThatAreOver(MemoryStore):
    def post(self, event: UnreadEvent, *, limit: int) -> int | None:
        run = self.get(event.run_id)
        if run.state in (RunState.COMPLETE, RunState.CANCELLED):
            self._inbox.setdefault(run.id, {})[1] = event
            return 1
        return super().post(event, limit=limit)


class ReturnsUnreadAsItWasGiven(MemoryStore):
    def update(self, run: Run) -> Run:
        return super().update(run).changed(unread=run.unread)


class ReadsEventsOfDeadTurns(MemoryStore):
    def update_read(self, run: Run, events: Sequence[UnreadEvent], **kept: Any) -> Run:
        for event in events:
            self._inbox.get(run.id, {}).pop(event.number, None)
        return super().update_read(run, events, **kept)


class PutsFailedEventsAtTheEnd(MemoryStore):
    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        saved = super().update_read(run, events)
        if kept is not None:
            self.post(kept, limit=99)
        return saved


class ReadsTheNewestFirst(MemoryStore):
    def unread(self, run_id: str, **asked: Any) -> list[UnreadEvent]:
        return super().unread(run_id, **asked)[::-1]


class ClaimsParkedRunsForTheirEvents(MemoryStore):
    def claim_unread(self, **asked: Any) -> list[Run]:
        for run in list(self._runs.values()):
            if run.state is RunState.SUSPENDED:
                self._runs[run.id] = run.changed(encoded_error=None)
        return super().claim_unread(**asked)


class ForgetsKeysOfUnreadEvents(MemoryStore):
    def forget_keys(self, *, taken_before: datetime) -> int:
        found = [
            (kept, key)
            for kept in self._keys.values()
            for key, (_, taken_at) in kept.items()
            if taken_at < taken_before
        ]
        for kept, key in found:
            del kept[key]
        return len(found)


class ForgetsWhatIsRefused(MemoryStore):
    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        read = [replace(event, encoded_refusal=None) for event in events]
        return super().update_read(run, read, kept=kept)


class LeavesEventsOfDeletedRuns(MemoryStore):
    def _forget(self, run_id: str) -> None:
        del self._runs[run_id]
        self._keys.pop(run_id, None)


class CountsNoSlots(MemoryStore):
    def _held(self, name: str, partition: str | None = None) -> int:
        return 0


class TakesTheOldestOfAll(MemoryStore):
    def _waiting(self, *args: Any) -> dict[str, deque[Run]]:
        waiting = [run for runs in super()._waiting(*args).values() for run in runs]
        return {"": deque(sorted(waiting, key=lambda run: (run.deadline, run.id)))}


BROKEN: list[Any] = [
    one
    for one in list(globals().values())
    if isinstance(one, type) and one.__mro__[1] is MemoryStore
]


class Reopening(StoreContract):
    @pytest.fixture
    def reopen(self) -> Any:
        return ForgetsWhenClosed


def _contract_of(broken: type[MemoryStore]) -> type[StoreContract]:
    @pytest.fixture
    def store(self: Any) -> MemoryStore:
        return broken()

    base = Reopening if broken is ForgetsWhenClosed else StoreContract
    return type(f"Test{broken.__name__}", (base,), {"store": store})


globals().update({f"Test{one.__name__}": _contract_of(one) for one in BROKEN})
