"""The part of the store contract about notes of what long turns are at.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Progress`.
"""

from __future__ import annotations

import pytest

from longterm.run import RunState
from longterm.store.base import Erasure, RunStore
from longterm.store.progress import Progress
from longterm.testing._sample_runs import plain, suspended_run


class ProgressContract:
    """A note is that of the turn under way, and changes nothing of the run."""

    @pytest.fixture
    def noted(self, store: RunStore) -> Progress:
        """Return the store, if it keeps notes."""
        if not isinstance(store, Progress):
            pytest.skip("the store keeps no notes of turns (note_progress, progress)")
        return store

    def test_the_last_note_of_a_turn_is_read_while_it_lasts(
        self, store: RunStore, noted: Progress
    ) -> None:
        store.create(suspended_run())
        claimed = store.unsuspend("r1", "number")
        assert claimed is not None
        before = plain(store.get("r1"))
        assert noted.progress("r1") is None

        assert noted.note_progress("r1", claimed.turn, "first")
        assert noted.note_progress("r1", claimed.turn, "Grüße \"'\n")

        assert noted.progress("r1") == "Grüße \"'\n"
        assert plain(store.get("r1")) == before
        store.update(claimed.changed(state=RunState.SUSPENDED))
        assert noted.progress("r1") is None

    def test_a_note_of_another_turn_is_not_kept(self, store: RunStore, noted: Progress) -> None:
        store.create(suspended_run())
        assert not noted.note_progress("r1", 1, "it waits")
        claimed = store.unsuspend("r1", "number")
        assert claimed is not None

        assert not noted.note_progress("r1", claimed.turn - 1, "over")
        assert not noted.note_progress("r2", 1, "unknown")

        assert noted.progress("r1") is None
        assert noted.progress("r2") is None

    def test_the_note_of_a_turn_is_not_that_of_the_next(
        self, store: RunStore, noted: Progress
    ) -> None:
        store.create(suspended_run())
        claimed = store.unsuspend("r1", "number")
        assert claimed is not None
        noted.note_progress("r1", claimed.turn, "first")
        store.update(claimed.changed(state=RunState.SUSPENDED))

        again = store.unsuspend("r1", "number")

        assert again is not None
        assert noted.progress("r1") is None
        if isinstance(store, Erasure):
            noted.note_progress("r1", again.turn, "second")
            store.update(again.changed(state=RunState.COMPLETE, waiting_for=None))
            assert store.delete("r1")
            assert noted.progress("r1") is None
