"""The part of the store contract about deadlines: due runs are found, and claimed once.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without
`Deadlines`, and what is about resting workers for one without `Wakes`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from longterm.run import Run, RunState
from longterm.store.base import Deadlines, RunStore, Wakes, takes
from longterm.store.queues import Queues
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run

_CALLERS = 8
_SOON = timedelta(seconds=0.4)
_LONG = timedelta(seconds=20)


class DeadlineContract:
    """Suspended runs are due when their deadlines have come."""

    @pytest.fixture
    def deadlines(self, store: RunStore) -> Deadlines:
        """Return the store, if it has deadlines."""
        if not isinstance(store, Deadlines):
            pytest.skip("the store offers no deadlines (claim_due)")
        return store

    @pytest.fixture
    def wakes(self, store: RunStore) -> Wakes:
        """Return the store, if it wakes workers."""
        if not isinstance(store, Wakes):
            pytest.skip("the store wakes no workers (wait_for_work)")
        return store

    def test_due_runs_are_claimed_the_longest_overdue_first(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        for run_id, minutes in (("a", 3), ("b", 1), ("c", 2), ("d", 2), ("e", 9)):
            store.create(replace(suspended_run(run_id), deadline=NOON + minutes * MINUTE))

        due = deadlines.claim_due(now=NOON + 3 * MINUTE, until=LATER, limit=3)

        assert [run.id for run in due] == ["b", "c", "d"]
        for run in due:
            assert (run.state, run.turn, run.claimed_until) == (RunState.RUNNING, 2, LATER)
            assert run.waiting_for == "number"
            assert plain(store.get(run.id)) == plain(run)
        rest = deadlines.claim_due(now=NOON + 3 * MINUTE, until=LATER, limit=3)
        assert [run.id for run in rest] == ["a"]
        assert deadlines.claim_due(now=NOON + 3 * MINUTE, until=LATER, limit=3) == []

    def test_a_run_is_due_at_its_deadline_and_not_before(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        store.create(replace(suspended_run(), deadline=NOON))
        before = NOON - timedelta(microseconds=1)

        assert deadlines.claim_due(now=before, until=LATER, limit=9) == []
        assert [run.id for run in deadlines.claim_due(now=NOON, until=LATER, limit=9)] == ["r1"]

    def test_a_run_without_a_deadline_is_never_due(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        store.create(suspended_run())

        assert deadlines.claim_due(now=LATER, until=LATER, limit=9) == []

    @pytest.mark.parametrize("state", [state for state in RunState if state != "suspended"])
    def test_only_a_suspended_run_is_due(
        self, store: RunStore, deadlines: Deadlines, state: RunState
    ) -> None:
        run = replace(suspended_run(), state=state, deadline=NOON)
        store.create(run)

        assert deadlines.claim_due(now=LATER, until=LATER, limit=9) == []

        assert plain(store.get("r1")) == plain(run)

    def test_a_due_run_that_was_claimed_can_be_saved(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        store.create(replace(suspended_run(), deadline=NOON))
        (claimed,) = deadlines.claim_due(now=NOON, until=LATER, limit=1)
        made = replace(claimed, state=RunState.SUSPENDED, deadline=None, claimed_until=None)

        store.update(made)

        assert plain(store.get("r1")) == plain(made)
        assert deadlines.claim_due(now=LATER, until=LATER, limit=9) == []

    @pytest.fixture
    def by_flow(self, deadlines: Deadlines) -> Deadlines:
        """Return the store, if it claims the due runs of some flows only."""
        if not takes(deadlines.claim_due, "flows"):
            pytest.skip("the store claims due runs of all flows (claim_due has no flows)")
        return deadlines

    def test_due_runs_of_other_flows_are_left_as_they_are(
        self, store: RunStore, by_flow: Deadlines
    ) -> None:
        flows = {"a": "m:f", "b": "m:g", "c": "m:f", "d": "m:F", "e": "m:f2", "f": "n:'g\u00e9\""}
        runs = {
            run_id: replace(suspended_run(run_id), flow=flow, deadline=NOON + number * MINUTE)
            for number, (run_id, flow) in enumerate(flows.items())
        }
        for run in runs.values():
            store.create(run)

        mine = ["m:f", *(f"m:other{number}" for number in range(500)), flows["f"]]
        due = by_flow.claim_due(now=LATER, until=LATER, limit=2, flows=mine)
        rest = by_flow.claim_due(now=LATER, until=LATER, limit=9, flows=set(mine))

        assert [run.id for run in due] == ["a", "c"]
        assert [run.id for run in rest] == ["f"]
        for run_id in "bde":
            assert plain(store.get(run_id)) == plain(runs[run_id])

    def test_due_runs_at_positions_that_are_left_out_stay_as_they_are(
        self, store: RunStore, by_flow: Deadlines
    ) -> None:
        if not takes(by_flow.claim_due, "without"):
            pytest.skip("the store claims due runs at all positions (claim_due has no without)")
        places = {"a": "m:f@1:1", "b": None, "c": "m:f@1:2", "d": "läden:'f\"@1:1>m:g@2:1+3"}
        runs = {
            run_id: replace(suspended_run(run_id), position=place, flow="m:f", deadline=NOON)
            for run_id, place in places.items()
        }
        for run in runs.values():
            store.create(run)
        without = ["m:f@1:1", places["d"] or "", *(f"other@{number}:1" for number in range(500))]

        one = by_flow.claim_due(now=LATER, until=LATER, limit=1, flows=["m:f"], without=without)
        rest = by_flow.claim_due(now=LATER, until=LATER, limit=9, without=set(without))

        assert [run.id for run in (*one, *rest)] == ["b", "c"]
        for run_id in "ad":
            assert plain(store.get(run_id)) == plain(runs[run_id])

    def test_no_run_is_due_for_a_caller_that_has_no_flows(
        self, store: RunStore, by_flow: Deadlines
    ) -> None:
        store.create(replace(suspended_run(), deadline=NOON))

        assert by_flow.claim_due(now=LATER, until=LATER, limit=9, flows=()) == []
        everyones = by_flow.claim_due(now=LATER, until=LATER, limit=9, flows=None)
        assert [run.id for run in everyones] == ["r1"]

    def test_workers_that_look_at_once_get_different_runs(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        run_ids = {f"r{number}" for number in range(5 * _CALLERS)}
        for run_id in run_ids:
            store.create(replace(suspended_run(run_id), deadline=NOON))

        claim = partial(deadlines.claim_due, now=NOON, until=LATER, limit=5)
        found: list[str] = []
        for outcome in race([claim] * _CALLERS):
            assert isinstance(outcome, list)
            found += [run.id for run in outcome]
        # Whoever meets another at the same runs may come away with fewer; they are there still.
        found += [run.id for run in deadlines.claim_due(now=NOON, until=LATER, limit=99)]

        assert len(found) == len(run_ids)
        assert set(found) == run_ids

    def test_of_an_event_and_a_deadline_one_wins(
        self, store: RunStore, deadlines: Deadlines
    ) -> None:
        for number in range(_CALLERS):
            run_id = f"r{number}"
            store.create(replace(suspended_run(run_id), deadline=NOON))

            steps: list[Callable[[], Run | list[Run] | None]] = [
                partial(store.unsuspend, run_id, "number"),
                partial(deadlines.claim_due, now=NOON, until=LATER, limit=1),
            ]

            event, due = race(steps)

            assert bool(event) != bool(due)
            assert store.get(run_id).turn == 2

    # -- waking workers --------------------------------------------------------------------------

    def test_a_worker_rests_until_told_to_stop(self, wakes: Wakes) -> None:
        stopping = threading.Event()
        threading.Timer(0.3, stopping.set).start()

        assert 0.2 < _rest(wakes, _LONG, stopping) < 10

    def test_a_worker_rests_no_longer_than_it_wants(self, store: RunStore, wakes: Wakes) -> None:
        store.create(replace(suspended_run(), deadline=datetime.now(UTC) + _LONG))

        assert 0.3 < _rest(wakes, _SOON) < 10

    def test_a_worker_wakes_when_a_run_is_due(self, store: RunStore, wakes: Wakes) -> None:
        store.create(replace(suspended_run(), deadline=datetime.now(UTC) + _SOON))

        assert _rest(wakes, _LONG) < 10

    def test_a_worker_wakes_for_a_deadline_that_is_saved_while_it_rests(
        self, store: RunStore, wakes: Wakes
    ) -> None:
        def save() -> Run:
            time.sleep(0.5)
            now = datetime.now(UTC)
            run = replace(suspended_run(), state=RunState.RUNNING, updated_at=now)
            claimed = store.create(run)
            return store.update(replace(claimed, state=RunState.SUSPENDED, deadline=now + _SOON))

        steps: list[Callable[[], float | Run]] = [partial(_rest, wakes, _LONG), save]

        rested, _ = race(steps)

        assert isinstance(rested, float)
        assert 0.7 < rested < 10

    def test_a_worker_wakes_for_a_run_that_comes_to_wait_for_a_slot(
        self, store: RunStore, wakes: Wakes
    ) -> None:
        if not isinstance(store, Queues):
            pytest.skip("the store offers no queues (claim_queued)")
        _rest(wakes, _SOON)  # a worker that has just begun looks again soon by itself

        def begin() -> Run:
            time.sleep(0.5)
            now = datetime.now(UTC)
            run = replace(suspended_run(), created_at=now, deadline=now, queue="mail")
            return store.create(run)

        steps: list[Callable[[], float | Run]] = [partial(_rest, wakes, _LONG), begin]

        rested, _ = race(steps)

        assert isinstance(rested, float)
        assert 0.3 < rested < 10

    def test_a_worker_does_not_wake_for_what_it_has_seen(
        self, store: RunStore, wakes: Wakes
    ) -> None:
        store.create(replace(suspended_run(), deadline=NOON))
        _rest(wakes, _SOON)  # a hint may come a little after the save

        assert _rest(wakes, _SOON) > 0.3


def _rest(wakes: Wakes, most: timedelta, stopping: threading.Event | None = None) -> float:
    """Rest as a worker does that has just looked; return for how many seconds."""
    is_stopped = (stopping or threading.Event()).is_set
    now, begin = datetime.now(UTC), time.monotonic()
    wakes.wait_for_work(looked_at=now, now=now, until=now + most, is_stopped=is_stopped)
    return time.monotonic() - begin
