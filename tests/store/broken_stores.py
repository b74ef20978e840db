"""Stores that each break one promise, and a contract class for each; run by `test_contract`."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import Run, RunState
from longterm.store.memory import MemoryStore
from longterm.testing.contract import StoreContract


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
        return super().update(replace(run, error=None))


class ForgetsWhenClosed(MemoryStore):
    """Not durable, though its contract class says that it can be opened again."""


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
