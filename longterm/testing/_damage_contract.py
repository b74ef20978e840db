"""The part of the store contract about rows that cannot be read: each costs its own run alone.

Inherited through `longterm.testing.contract.StoreContract`; skipped without a `damage` fixture.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from longterm.errors import UnreadableRun
from longterm.run import Run, RunState
from longterm.store.base import Deadlines, Leases, Query, RunStore, Search
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run

_HONEST = 20


class DamageContract:
    """A row that cannot be read is named, and holds up nobody."""

    @pytest.fixture
    def damage(self) -> Callable[[str], Callable[[], None]]:
        """Return a function that makes a run's row unreadable, and returns what mends it.

        The run must stay due, or stale, if it was. Override it if rows can be damaged.
        """
        pytest.skip("the contract class has no `damage` fixture, so every row can be read")

    def test_a_run_that_cannot_be_read_is_named(
        self, store: RunStore, damage: Callable[[str], Callable[[], None]]
    ) -> None:
        for run_id in ("r1", "r2"):
            store.create(_due(run_id))
        mend = damage("r1")

        with pytest.raises(UnreadableRun, match="'r1'") as refused:
            store.get("r1")

        assert refused.value.run_id == "r1"
        assert plain(store.get("r2")) == plain(_due("r2"))
        mend()
        assert store.get("r1").state is RunState.SUSPENDED

    def test_a_claim_on_a_run_that_cannot_be_read_fails_it(
        self, store: RunStore, damage: Callable[[str], Callable[[], None]]
    ) -> None:
        store.create(_due("r1"))
        mend = damage("r1")

        with pytest.raises(UnreadableRun):
            store.unsuspend("r1", "number")

        mend()
        assert store.unsuspend("r1", "number") is None
        _assert_failed(store, "r1")

    def test_a_run_that_was_mended_is_retried(
        self, store: RunStore, damage: Callable[[str], Callable[[], None]]
    ) -> None:
        if not isinstance(store, Leases):
            pytest.skip("the store offers no leases (claim, renew, revive, release_stale)")
        store.create(_due("r1"))
        mend = damage("r1")
        with pytest.raises(UnreadableRun):
            store.claim("r1", "number", now=NOON, until=LATER)
        with pytest.raises(UnreadableRun):
            store.revive("r1", now=NOON, until=LATER)
        mend()

        revived = store.revive("r1", now=NOON, until=LATER)

        assert revived is not None
        assert (revived.state, revived.waiting_for) == (RunState.RUNNING, "number")

    def test_due_runs_are_claimed_beside_one_that_cannot_be_read(
        self,
        store: RunStore,
        damage: Callable[[str], Callable[[], None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        if not isinstance(store, Deadlines):
            pytest.skip("the store offers no deadlines (claim_due)")
        honest = [f"r{number:02}" for number in range(_HONEST)]
        for run_id in (*honest, "bad"):
            store.create(_due(run_id))
        mend = damage("bad")

        with caplog.at_level(logging.WARNING, "longterm"):
            claimed = store.claim_due(now=NOON, until=LATER, limit=99)
            again = store.claim_due(now=NOON, until=LATER, limit=99)

        assert sorted(run.id for run in claimed) == honest
        assert again == []
        _assert_named_once(caplog, "bad")
        mend()
        _assert_failed(store, "bad")

    def test_stale_claims_are_let_go_of_beside_one_that_cannot_be_read(
        self,
        store: RunStore,
        damage: Callable[[str], Callable[[], None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        if not isinstance(store, Leases):
            pytest.skip("the store offers no leases (claim, renew, revive, release_stale)")
        honest = [f"r{number:02}" for number in range(_HONEST)]
        for run_id in (*honest, "bad"):
            store.create(_due(run_id))
            assert store.claim(run_id, "number", now=NOON, until=NOON)
        mend = damage("bad")

        with caplog.at_level(logging.WARNING, "longterm"):
            released = store.release_stale(now=NOON + MINUTE, max_attempts=5)
            again = store.release_stale(now=NOON + MINUTE, max_attempts=5)

        assert sorted(run.id for run in released) == honest
        assert [plain(store.get(run.id)) for run in released] == [plain(run) for run in released]
        assert again == []
        _assert_named_once(caplog, "bad")
        mend()
        _assert_failed(store, "bad")

    def test_runs_are_found_beside_those_that_cannot_be_read(
        self,
        store: RunStore,
        damage: Callable[[str], Callable[[], None]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        if not isinstance(store, Search):
            pytest.skip("the store offers no search (find)")
        for run_id in "abcdefgh":
            store.create(_due(run_id))
        for run_id in "abde":
            damage(run_id)

        with caplog.at_level(logging.WARNING, "longterm"):
            pages = [store.find(Query(limit=2, after=after)) for after in (None, "f", "h")]
            store.find(Query())

        # A page is full as long as there are runs that can be read.
        assert ["".join(run.id for run in page) for page in pages] == ["cf", "gh", ""]
        for run_id in "abde":
            _assert_named_once(caplog, run_id)

    def test_a_run_that_died_too_often_can_be_read(self, store: RunStore) -> None:
        if not isinstance(store, Leases):
            pytest.skip("the store offers no leases (claim, renew, revive, release_stale)")
        store.create(_due("r1"))
        assert store.claim("r1", "number", now=NOON, until=NOON)

        (dead,) = store.release_stale(now=NOON + MINUTE, max_attempts=1)

        assert dead.state is RunState.FAILED
        assert plain(store.get("r1")) == plain(dead)


def _due(run_id: str) -> Run:
    return replace(suspended_run(run_id), deadline=NOON - MINUTE)


def _assert_failed(store: RunStore, run_id: str) -> None:
    run = store.get(run_id)
    assert (run.state, run.claimed_until) == (RunState.FAILED, None)
    assert run.error is not None
    assert "cannot be read" in run.error
    assert run.stack == suspended_run().stack


def _assert_named_once(caplog: pytest.LogCaptureFixture, run_id: str) -> None:
    named = [record for record in caplog.records if f"run {run_id!r}" in record.getMessage()]
    assert len(named) == 1, caplog.text
