"""The part of the store contract about many callers at once: one winner, nothing half done.

Inherited through `longterm.testing.contract.StoreContract`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from longterm.errors import ClaimLost, RunExists
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.testing._races import race
from longterm.testing._sample_runs import claim, plain, suspended_run

_CALLERS = 8
_ROUNDS = 20


class RaceContract:
    """Whatever several threads do at the same moment, it is as if they had taken turns."""

    def test_one_of_many_creators_of_an_id_wins(self, store: RunStore) -> None:
        for number in range(_ROUNDS):
            run = suspended_run(f"r{number}")
            runs = [replace(run, flow=f"m:flow_{caller}") for caller in range(_CALLERS)]

            outcomes = race([partial(store.create, run) for run in runs])

            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Run)]
            assert sum(isinstance(outcome, RunExists) for outcome in outcomes) == _CALLERS - 1
            assert plain(store.get(run.id)) == plain(winner)

    def test_one_of_many_claims_wins(self, store: RunStore) -> None:
        store.create(suspended_run())

        for turn in range(2, _ROUNDS + 2):
            outcomes = race([partial(store.unsuspend, "r1", "number")] * _CALLERS)
            (winner,) = [outcome for outcome in outcomes if outcome is not None]
            assert isinstance(winner, Run)
            assert winner.turn == turn
            store.update(replace(winner, state=RunState.SUSPENDED))

    def test_one_of_many_stores_that_are_open_at_once_wins_a_claim(
        self, store: RunStore, reopen: Callable[[], RunStore]
    ) -> None:
        stores = [store, *(reopen() for _ in range(3))]
        store.create(suspended_run())

        for turn in range(2, _ROUNDS + 2):
            outcomes = race([partial(one.unsuspend, "r1", "number") for one in stores])
            (winner,) = [outcome for outcome in outcomes if outcome is not None]
            assert isinstance(winner, Run)
            assert winner.turn == turn
            stores[turn % 4].update(replace(winner, state=RunState.SUSPENDED))

    def test_the_wrong_events_of_a_race_change_nothing(self, store: RunStore) -> None:
        store.create(suspended_run())
        events = ["number", "name"] * (_CALLERS // 2)

        outcomes = race([partial(store.unsuspend, "r1", event) for event in events])

        (winner,) = [outcome for outcome in outcomes if outcome is not None]
        assert winner in outcomes[::2]
        assert store.get("r1").turn == 2

    def test_claims_of_different_runs_do_not_get_in_each_others_way(self, store: RunStore) -> None:
        run_ids = [f"r{caller}" for caller in range(_CALLERS)]
        for run_id in run_ids:
            store.create(suspended_run(run_id))

        outcomes = race([partial(store.unsuspend, run_id, "number") for run_id in run_ids])

        assert [getattr(outcome, "id", outcome) for outcome in outcomes] == run_ids

    def test_a_claim_is_saved_only_once_however_many_try(self, store: RunStore) -> None:
        store.create(suspended_run())

        for _ in range(_ROUNDS):
            claimed = claim(store)
            made = [
                replace(claimed, state=RunState.SUSPENDED, encoded_result=b"%d" % caller)
                for caller in range(_CALLERS)
            ]
            outcomes = race([partial(store.update, run) for run in made])
            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Run)]
            assert sum(isinstance(outcome, ClaimLost) for outcome in outcomes) == _CALLERS - 1
            assert plain(store.get("r1")) == plain(winner)

    def test_a_turn_that_was_given_out_twice_is_saved_by_its_newest_claim(
        self, store: RunStore
    ) -> None:
        store.create(suspended_run())
        claimed = claim(store)
        if claimed.claim is None:
            pytest.skip("the store draws no numbers for claims")

        with pytest.raises(ClaimLost):
            store.update(replace(claimed, claim=claimed.claim ^ 1, state=RunState.COMPLETE))
        with pytest.raises(ClaimLost):
            store.update(replace(claimed, claim=None, state=RunState.COMPLETE))

        assert plain(store.get("r1")) == plain(claimed)
        store.update(replace(claimed, state=RunState.COMPLETE))

    def test_no_two_claims_have_the_same_number(self, store: RunStore) -> None:
        store.create(replace(suspended_run("r0"), state=RunState.RUNNING))
        store.create(suspended_run())
        numbers = [store.get("r0").claim]
        for _ in range(_ROUNDS):
            claimed = claim(store)
            numbers.append(claimed.claim)
            store.update(replace(claimed, state=RunState.SUSPENDED))
        if numbers[0] is None:
            pytest.skip("the store draws no numbers for claims")

        assert len(set(numbers)) == _ROUNDS + 1

    def test_a_late_save_never_disturbs_the_next_claim(self, store: RunStore) -> None:
        store.create(suspended_run())
        late = replace(claim(store), state=RunState.SUSPENDED)
        store.update(late)

        for _ in range(_ROUNDS):
            stolen = replace(late, stack=b"stolen")
            steps: list[Callable[[], Run | None]] = [
                partial(store.update, stolen),
                partial(store.unsuspend, "r1", "number"),
            ]
            late_save, claimed = race(steps)
            assert isinstance(late_save, ClaimLost)
            assert isinstance(claimed, Run)
            assert plain(store.get("r1")) == plain(claimed)
            late = replace(claimed, state=RunState.SUSPENDED)
            store.update(late)

    def test_no_turn_is_lost_or_doubled_under_contention(self, store: RunStore) -> None:
        store.create(replace(suspended_run(), stack=b"0"))
        has_failed = threading.Event()

        def take_turns() -> int:
            won = 0
            try:
                while won < _ROUNDS and not has_failed.is_set():
                    won += _take_turn(store)
            except BaseException:
                # The others would wait for ever for a run that this caller holds.
                has_failed.set()
                raise
            return won

        assert race([take_turns] * 4) == [_ROUNDS] * 4

        run = store.get("r1")
        assert (run.turn, run.stack) == (4 * _ROUNDS + 1, b"%d" % (4 * _ROUNDS))

    def test_a_reader_never_sees_a_turn_half_saved(self, store: RunStore) -> None:
        store.create(replace(suspended_run(event_id="0"), stack=b"0", encoded_response=b"0"))
        is_done = threading.Event()

        def write() -> int:
            try:
                for turn in range(1, _ROUNDS + 1):
                    mark = b"%d" % turn * 5_000
                    claimed = claim(store, event_id=store.get("r1").waiting_for or "")
                    made = replace(claimed, state=RunState.SUSPENDED, waiting_for=mark.decode())
                    store.update(replace(made, stack=mark, encoded_response=mark))
            finally:
                is_done.set()
            return 0

        def read() -> int:
            halves = 0
            while not is_done.is_set():
                run = store.get("r1")
                marks = {run.stack, run.encoded_response, (run.waiting_for or "").encode()}
                halves += len(marks) != 1
            return halves

        assert race([write, read, read]) == [0, 0, 0]


def _take_turn(store: RunStore) -> bool:
    """Count one up in the stack of the run, if it is to be had."""
    claimed = store.unsuspend("r1", "number")
    if claimed is None:
        run = store.get("r1")
        assert run.state is RunState.RUNNING or run.waiting_for == "number"
        return False
    count = int(claimed.stack or b"") + 1
    store.update(replace(claimed, state=RunState.SUSPENDED, stack=b"%d" % count))
    return True
