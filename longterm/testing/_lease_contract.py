"""The part of the store contract about leases: a dead process holds no run for ever.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Leases`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from longterm._event_names import START
from longterm.errors import ClaimLost, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import DIED, Leases, RunStore, takes
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, MINUTE, NOON, full_run, plain, suspended_run

_CALLERS = 8
_ROUNDS = 10


class LeaseContract:
    """Claims hold for a time; then the run is to be had again, as it was before the turn."""

    @pytest.fixture
    def leases(self, store: RunStore) -> Leases:
        """Return the store, if it has leases."""
        if not isinstance(store, Leases):
            pytest.skip("the store offers no leases (claim, renew, revive, release_stale)")
        return store

    def test_a_claim_with_a_lease_starts_a_turn(self, store: RunStore, leases: Leases) -> None:
        run = replace(full_run(), claimed_until=None)
        store.create(run)

        claimed = leases.claim("r1", "number", now=NOON, until=LATER)

        expected = replace(run, state=RunState.RUNNING, turn=run.turn + 1, claimed_until=LATER)
        assert claimed is not None
        assert plain(claimed) == plain(store.get("r1")) == plain(expected)

    def test_a_lease_is_for_the_event_that_the_run_waits_for(
        self, store: RunStore, leases: Leases
    ) -> None:
        run = suspended_run()
        store.create(run)

        assert leases.claim("r1", "name", now=NOON, until=LATER) is None

        assert plain(store.get("r1")) == plain(run)

    def test_a_lease_holds_to_its_last_moment(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())
        claimed = _claim(leases)

        assert leases.claim("r1", "number", now=LATER, until=LATER + MINUTE) is None
        assert leases.release_stale(now=LATER, max_attempts=5) == []

        assert plain(store.get("r1")) == plain(claimed)

    def test_a_claim_that_ran_out_is_taken_over(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())
        dead = _claim(leases)

        taken = leases.claim("r1", "number", now=LATER + MINUTE, until=LATER + 2 * MINUTE)

        assert taken is not None
        expected = replace(dead, turn=3, claimed_until=LATER + 2 * MINUTE, attempts=1)
        assert plain(taken) == plain(store.get("r1")) == plain(expected)
        assert leases.claim("r1", "name", now=LATER + 9 * MINUTE, until=LATER) is None
        with pytest.raises(ClaimLost):
            store.update(replace(dead, state=RunState.COMPLETE))
        assert not leases.renew("r1", dead.turn, until=LATER + 9 * MINUTE)
        store.update(replace(taken, state=RunState.COMPLETE))

    def test_a_claimant_that_is_late_saves_if_nobody_was_faster(
        self, store: RunStore, leases: Leases
    ) -> None:
        store.create(suspended_run())
        late = replace(_claim(leases), state=RunState.COMPLETE, claimed_until=None)

        store.update(late)

        assert leases.release_stale(now=LATER + MINUTE, max_attempts=5) == []
        assert plain(store.get("r1")) == plain(late)

    def test_a_claim_without_a_lease_never_runs_out(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())
        claimed = store.unsuspend("r1", "number")

        assert claimed is not None
        assert leases.claim("r1", "number", now=LATER, until=LATER) is None
        assert leases.release_stale(now=LATER, max_attempts=5) == []

    def test_a_renewed_claim_holds_longer(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())
        claimed = _claim(leases)

        assert leases.renew("r1", claimed.turn, until=LATER + 5 * MINUTE)

        assert leases.claim("r1", "number", now=LATER + MINUTE, until=LATER) is None
        assert leases.release_stale(now=LATER + MINUTE, max_attempts=5) == []
        assert store.get("r1").claimed_until == LATER + 5 * MINUTE

    def test_only_the_newest_claim_is_renewed(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())
        assert not leases.renew("r1", 1, until=LATER)
        claimed = _claim(leases)

        assert not leases.renew("r1", claimed.turn - 1, until=LATER + MINUTE)
        assert not leases.renew("r2", claimed.turn, until=LATER + MINUTE)
        store.update(replace(claimed, state=RunState.SUSPENDED))
        assert not leases.renew("r1", claimed.turn, until=LATER + MINUTE)

    def test_a_stale_claim_is_let_go_of(self, store: RunStore, leases: Leases) -> None:
        run = replace(full_run(), claimed_until=None)
        store.create(run)
        store.create(suspended_run("r2"))
        _claim(leases)
        alive = leases.claim("r2", "number", now=NOON, until=LATER + 9 * MINUTE)

        (released,) = leases.release_stale(now=LATER + MINUTE, max_attempts=5)

        expected = replace(run, turn=run.turn + 1, attempts=run.attempts + 1)
        assert plain(released) == plain(store.get("r1")) == plain(expected)
        assert alive is not None
        assert plain(store.get("r2")) == plain(alive)
        assert leases.release_stale(now=LATER + MINUTE, max_attempts=5) == []

    def test_stale_claims_are_let_go_of_a_few_at_a_time(
        self, store: RunStore, leases: Leases
    ) -> None:
        if not takes(leases.release_stale, "limit"):
            pytest.skip("the store lets go of all stale claims at once (no limit)")
        ids = [f"r{number}" for number in range(5)]
        for run_id in ids:
            store.create(suspended_run(run_id))
            leases.claim(run_id, "number", now=NOON, until=LATER)

        release = partial(leases.release_stale, now=LATER + MINUTE, max_attempts=5, limit=2)
        released = [release() for _ in range(4)]

        assert [len(few) for few in released] == [2, 2, 1, 0]
        assert sorted(run.id for few in released for run in few) == ids
        assert all(store.get(run_id).state is RunState.SUSPENDED for run_id in ids)

    def test_a_turn_is_not_renewed_with_the_number_of_another_claim(
        self, store: RunStore, leases: Leases
    ) -> None:
        store.create(suspended_run())
        claimed = _claim(leases)
        if claimed.claim is None:
            pytest.skip("the store draws no numbers for claims")

        renew = partial(leases.renew, "r1", claimed.turn, until=LATER + 5 * MINUTE)
        assert not renew(claim=claimed.claim ^ 1)
        assert store.get("r1").claimed_until == LATER
        assert renew(claim=claimed.claim)

    def test_a_run_that_dies_too_often_is_failed(self, store: RunStore, leases: Leases) -> None:
        store.create(replace(suspended_run(), encoded_error="an older one"))
        for attempt in (1, 2):
            claimed = _claim(leases)
            (released,) = leases.release_stale(now=LATER + MINUTE, max_attempts=3)
            assert (released.state, released.attempts) == (RunState.SUSPENDED, attempt)
            assert released.error == "an older one"
        claimed = _claim(leases)

        (failed,) = leases.release_stale(now=LATER + MINUTE, max_attempts=3)

        expected = replace(
            claimed,
            state=RunState.FAILED,
            claimed_until=None,
            attempts=3,
            encoded_error=f"3{DIED}",
            updated_at=LATER + MINUTE,
        )
        assert plain(failed) == plain(store.get("r1")) == plain(expected)

    def test_a_run_that_died_before_its_first_wait_is_failed(
        self, store: RunStore, leases: Leases
    ) -> None:
        run = Run(id="r1", flow="m:f", state=RunState.RUNNING, claimed_until=NOON)
        store.create(run)

        (failed,) = leases.release_stale(now=LATER, max_attempts=5)

        assert (failed.state, failed.error) == (RunState.FAILED, f"1{DIED}")
        assert failed.updated_at == LATER

    def test_a_run_that_died_in_its_first_turn_waits_for_its_start(
        self, store: RunStore, leases: Leases
    ) -> None:
        run = replace(full_run(), state=RunState.RUNNING, claimed_until=NOON, waiting_for=START)
        store.create(run)
        without_stack = replace(run, id="r2", stack=None)
        store.create(without_stack)

        first, second = sorted(leases.release_stale(now=LATER, max_attempts=9), key=_id)

        attempts = run.attempts + 1
        expected = replace(run, state=RunState.SUSPENDED, claimed_until=None, attempts=attempts)
        assert plain(first) == plain(store.get("r1")) == plain(expected)
        expected = replace(
            without_stack,
            state=RunState.FAILED,
            claimed_until=None,
            attempts=attempts,
            updated_at=LATER,
        )
        assert plain(second) == plain(store.get("r2")) == plain(expected)

    def test_a_failed_run_is_claimed_for_another_try(self, store: RunStore, leases: Leases) -> None:
        run = replace(full_run(), state=RunState.FAILED)
        store.create(run)

        revived = leases.revive("r1", now=NOON, until=LATER)

        expected = replace(
            run, state=RunState.RUNNING, turn=run.turn + 1, claimed_until=LATER, attempts=0
        )
        assert revived is not None
        assert plain(revived) == plain(store.get("r1")) == plain(expected)

    @pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.FAILED])
    def test_only_a_failed_run_is_revived(
        self, store: RunStore, leases: Leases, state: RunState
    ) -> None:
        run = replace(suspended_run(), state=state)
        store.create(run)

        assert leases.revive("r1", now=NOON, until=LATER) is None

        assert plain(store.get("r1")) == plain(run)

    def test_an_unknown_run_is_neither_claimed_nor_revived(self, leases: Leases) -> None:
        with pytest.raises(UnknownRun):
            leases.claim("r1", "number", now=NOON, until=LATER)
        with pytest.raises(UnknownRun):
            leases.revive("r1", now=NOON, until=LATER)

    def test_one_of_many_takes_over_a_claim(self, store: RunStore, leases: Leases) -> None:
        store.create(suspended_run())

        for turn in range(2, _ROUNDS + 2):
            now = NOON + turn * MINUTE
            take = partial(leases.claim, "r1", "number", now=now, until=now + MINUTE / 2)
            outcomes = race([take] * _CALLERS)
            (winner,) = [outcome for outcome in outcomes if outcome is not None]
            assert isinstance(winner, Run)
            assert (winner.turn, winner.attempts) == (turn, turn - 2)

    def test_one_of_many_recoverers_lets_go_of_a_run(self, store: RunStore, leases: Leases) -> None:
        for number in range(_ROUNDS):
            store.create(suspended_run(f"r{number}"))
            leases.claim(f"r{number}", "number", now=NOON, until=LATER)

        release = partial(leases.release_stale, now=LATER + MINUTE, max_attempts=5)
        released: list[str] = []
        for outcome in race([release] * _CALLERS):
            assert isinstance(outcome, list)
            released += [run.id for run in outcome]

        assert sorted(released) == sorted(f"r{number}" for number in range(_ROUNDS))

    def test_of_a_late_save_and_a_recoverer_one_wins(self, store: RunStore, leases: Leases) -> None:
        for number in range(_ROUNDS):
            run_id = f"r{number}"
            store.create(suspended_run(run_id))
            claimed = leases.claim(run_id, "number", now=NOON, until=LATER)
            assert claimed is not None
            made = replace(claimed, state=RunState.COMPLETE, claimed_until=None)
            release = partial(leases.release_stale, now=LATER + MINUTE, max_attempts=5)
            steps: list[Callable[[], Run | list[Run]]] = [partial(store.update, made), release]

            saved, released = race(steps)

            assert isinstance(saved, ClaimLost) == bool(released)
            state = RunState.SUSPENDED if released else RunState.COMPLETE
            assert store.get(run_id).state is state


def _id(run: Run) -> str:
    return run.id


def _claim(leases: Leases) -> Run:
    claimed = leases.claim("r1", "number", now=NOON, until=LATER)
    assert claimed is not None
    return claimed
