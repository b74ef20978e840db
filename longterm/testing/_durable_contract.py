"""The part of the store contract about durability: what one store saved, the next one finds.

Inherited through `longterm.testing.contract.StoreContract`; skipped without a `reopen` fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import RunState
from longterm.store.base import Confirms, RunStore
from longterm.testing._sample_runs import claim, plain, suspended_run


class DurableContract:
    """A run outlives the store object, and the process, that wrote it."""

    @pytest.fixture
    def reopen(self) -> Callable[[], RunStore]:
        """Open the same store once more; override it if the store outlives its object."""
        pytest.skip("the contract class has no `reopen` fixture, so the store need not be durable")

    def test_a_run_is_found_by_a_store_opened_later(
        self, store: RunStore, reopen: Callable[[], RunStore]
    ) -> None:
        store.create(suspended_run())
        made = replace(claim(store), state=RunState.COMPLETE, stack=None, encoded_result=b"\x05")
        store.update(made)

        assert plain(reopen().get("r1")) == plain(made)

    def test_stores_that_are_open_at_once_see_each_others_steps(
        self, store: RunStore, reopen: Callable[[], RunStore]
    ) -> None:
        other = reopen()
        store.create(suspended_run())

        with pytest.raises(RunExists):
            other.create(suspended_run())
        made = replace(claim(other), state=RunState.SUSPENDED, waiting_for="name")
        other.update(made)

        assert plain(store.get("r1")) == plain(made)
        assert store.unsuspend("r1", "number") is None
        assert claim(store, event_id="name").turn == 3

    def test_what_another_store_saved_is_confirmed(
        self, store: RunStore, reopen: Callable[[], RunStore]
    ) -> None:
        other = reopen()
        if not isinstance(other, Confirms):
            pytest.skip("the store offers no confirmation (confirm)")
        store.create(suspended_run())
        made = replace(claim(store), state=RunState.COMPLETE, encoded_result=b"\x05")
        store.update(made)

        assert plain(other.confirm("r1")) == plain(store.get("r1")) == plain(made)
        with pytest.raises(UnknownRun):
            other.confirm("r2")

    def test_a_claim_holds_in_a_store_opened_later(
        self, store: RunStore, reopen: Callable[[], RunStore]
    ) -> None:
        store.create(suspended_run())
        claimed = claim(store)
        other = reopen()

        assert other.unsuspend("r1", "number") is None
        with pytest.raises(ClaimLost):
            other.update(replace(claimed, turn=claimed.turn - 1))

        # The claim is in the record, not in the object that made it.
        other.update(replace(claimed, state=RunState.COMPLETE))
        assert store.get("r1").state is RunState.COMPLETE
