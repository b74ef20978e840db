"""What the tests of several servers share: what holds on each only, and servers that are away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from longterm.errors import StoreError
from longterm.store.memory import MemoryStore

THREE = ("a", "b", "c")

# What is the longest overdue, or whose turn it is, is known to each server for itself.
_IN_ORDER = (
    "test_the_oldest_comes_first_and_others_are_left",
    "test_what_waits_for_a_slot_is_not_due_otherwise",
    "test_runs_at_positions_that_are_left_out_keep_nobody_waiting",
    "test_due_runs_of_other_flows_are_left_as_they_are",
    "test_due_runs_at_positions_that_are_left_out_stay_as_they_are",
    "test_the_longest_unsaved_of_some_flows_come_first",
    "test_the_queue_that_waited_the_longest_for_its_turn_comes_first",
    "test_partitions_take_turns_however_much_one_has",
    "test_turns_go_on_where_they_ended",
    "test_a_full_partition_keeps_nobody_waiting",
)
# A queue needs a slot for each server; these have one or two.
_SMALL_QUEUES = (
    "test_the_last_declaration_of_a_queue_is_kept_exactly",
    "test_no_more_run_at_once_than_the_queue_allows",
    "test_a_run_that_goes_on_holds_its_slot",
    "test_no_more_of_a_partition_than_it_may_have",
    "test_a_rate_is_kept_and_begins_anew",
    "test_a_clock_that_was_set_wrong_closes_no_queue",
    "test_limits_hold_at_once_when_they_are_declared_anew",
    "test_a_dead_process_gives_its_slots_back_with_its_claims",
    "test_of_several_callers_none_gets_what_another_has_or_too_much",
    "test_each_queue_says_what_is_in_it",
)


class PerServer:
    """The promises that hold on each of several servers, and not over all of them together."""


for name in (*_IN_ORDER, *_SMALL_QUEUES):
    setattr(PerServer, name, None)


class SetClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.let_pass(timedelta(seconds=seconds))

    def let_pass(self, time: timedelta) -> None:
        self._now += time


class SilentStore(MemoryStore):
    """A store that is away: every step of it fails."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name == "close":
            return super().__getattribute__(name)

        def fail(*_: object, **__: object) -> Any:
            raise StoreError("it is away")

        return fail
