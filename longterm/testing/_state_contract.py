"""The part of the store contract about counting runs by their states.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `States`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from longterm.run import RunState
from longterm.store.base import RunStore
from longterm.store.states import StateCount, States
from longterm.testing._sample_runs import claim, suspended_run


class StateContract:
    """Runs are counted by flow and state."""

    @pytest.fixture
    def states(self, store: RunStore) -> States:
        """Return the store, if it counts states."""
        if not isinstance(store, States):
            pytest.skip("the store counts no states (count_states)")
        return store

    def test_runs_are_counted_by_flow_and_state(self, store: RunStore, states: States) -> None:
        ends = (RunState.COMPLETE, RunState.FAILED, RunState.CANCELLED)
        for run_id in "edcbaf":
            store.create(replace(suspended_run(run_id), flow="m:f"))
        store.create(replace(suspended_run("g"), flow="m:F"))
        for run_id, state in zip("abc", ends, strict=True):
            store.update(claim(store, run_id).changed(state=state))
        claim(store, "d")

        assert states.count_states() == [
            StateCount(flow="m:F", state=RunState.SUSPENDED, runs=1),
            StateCount(flow="m:f", state=RunState.CANCELLED, runs=1),
            StateCount(flow="m:f", state=RunState.COMPLETE, runs=1),
            StateCount(flow="m:f", state=RunState.FAILED, runs=1),
            StateCount(flow="m:f", state=RunState.RUNNING, runs=1),
            StateCount(flow="m:f", state=RunState.SUSPENDED, runs=2),
        ]

    def test_an_empty_store_has_no_states(self, states: States) -> None:
        assert states.count_states() == []
