"""The memory store keeps the contract, and the records that it is given."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from longterm.run import Run, RunState
from longterm.store.memory import MemoryStore
from longterm.testing.contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


@dataclass(frozen=True, kw_only=True)
class TicketRun(Run):
    """A run with a field of its own."""

    desk: str


def test_a_subclass_of_run_keeps_its_fields_through_a_turn() -> None:
    store = MemoryStore()
    run = TicketRun(
        id="r1", flow="m:f", state=RunState.SUSPENDED, waiting_for="number", desk="billing"
    )

    store.create(run)
    claimed = store.unsuspend("r1", "number")

    assert isinstance(claimed, TicketRun)
    store.update(claimed)
    stored = store.get("r1")
    assert isinstance(stored, TicketRun)
    assert stored.desk == "billing"
