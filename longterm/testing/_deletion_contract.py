"""The part of the store contract about deletion: what has ended can be forgotten, and nothing else.

Inherited through `longterm.testing.contract.StoreContract`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from longterm.errors import UnknownRun
from longterm.run import ENDED, RunState
from longterm.store.base import Deletion, Erasure, Query, RunStore, Search
from longterm.testing._sample_runs import LATER, MINUTE, NOON, full_run, plain, suspended_run


class DeletionContract:
    """Runs that have ended can be deleted, by their age or one by one."""

    @pytest.fixture
    def deletion(self, store: RunStore) -> Deletion:
        """Return the store, if it can delete."""
        if not isinstance(store, Deletion):
            pytest.skip("the store offers no deletion (delete_ended)")
        return store

    @pytest.fixture
    def erasure(self, store: RunStore) -> Erasure:
        """Return the store, if it can delete one run."""
        if not isinstance(store, Erasure):
            pytest.skip("the store offers no erasure (delete)")
        return store

    def test_only_ended_runs_that_are_old_are_deleted(
        self, store: RunStore, deletion: Deletion
    ) -> None:
        for state in RunState:
            for name, moment in (("old", NOON), ("new", LATER), ("never", None)):
                run = replace(full_run(), id=f"{state} {name}", state=state, updated_at=moment)
                store.create(run)

        deleted = deletion.delete_ended(saved_before=NOON + MINUTE, limit=99)

        assert deleted == len(ENDED)
        for state in RunState:
            for name in ("old", "new", "never"):
                if name == "old" and state in ENDED:
                    with pytest.raises(UnknownRun):
                        store.get(f"{state} {name}")
                else:
                    assert store.get(f"{state} {name}").state is state

    def test_what_is_deleted_is_found_no_more(
        self, store: RunStore, deletion: Deletion, search: Search
    ) -> None:
        run = replace(full_run(), state=RunState.COMPLETE, updated_at=NOON)
        store.create(run)

        assert deletion.delete_ended(saved_before=LATER, limit=9) == 1

        assert search.find(Query(index=run.index)) == []
        store.create(replace(run, index={}))
        assert search.find(Query(index=run.index)) == []

    def test_runs_are_deleted_some_at_a_time(self, store: RunStore, deletion: Deletion) -> None:
        for number in range(5):
            run = replace(suspended_run(f"r{number}"), state=RunState.FAILED, updated_at=NOON)
            store.create(run)

        counts = [deletion.delete_ended(saved_before=LATER, limit=2) for _ in range(4)]

        assert counts == [2, 2, 1, 0]

    def test_a_run_is_not_deleted_at_the_very_moment(
        self, store: RunStore, deletion: Deletion
    ) -> None:
        store.create(replace(suspended_run(), state=RunState.COMPLETE, updated_at=NOON))

        assert deletion.delete_ended(saved_before=NOON, limit=9) == 0

    # -- of one run ------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_a_run_that_has_ended_is_deleted(
        self, store: RunStore, erasure: Erasure, state: RunState
    ) -> None:
        other = replace(full_run(), id="r2", state=state)
        store.create(replace(full_run(), state=state))
        store.create(other)

        assert erasure.delete("r1")

        with pytest.raises(UnknownRun):
            store.get("r1")
        assert plain(store.get("r2")) == plain(other)

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, RunState.RUNNING])
    def test_a_run_that_has_not_ended_is_not_deleted(
        self, store: RunStore, erasure: Erasure, state: RunState
    ) -> None:
        run = replace(full_run(), state=state)
        store.create(run)

        assert not erasure.delete("r1")

        assert plain(store.get("r1")) == plain(run)

    def test_an_unknown_run_cannot_be_deleted(self, store: RunStore, erasure: Erasure) -> None:
        store.create(replace(full_run(), state=RunState.COMPLETE))
        assert erasure.delete("r1")

        with pytest.raises(UnknownRun) as refused:
            erasure.delete("r1")

        assert refused.value.run_id == "r1"

    def test_facts_of_a_deleted_run_find_nothing(
        self, store: RunStore, erasure: Erasure, search: Search
    ) -> None:
        run = replace(full_run(), state=RunState.COMPLETE)
        store.create(run)

        assert erasure.delete("r1")

        assert search.find(Query(index=run.index)) == []
        store.create(replace(run, index={}))
        assert search.find(Query(index=run.index)) == []
