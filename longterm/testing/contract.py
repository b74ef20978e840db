"""The store contract as tests: every promise of `longterm.store.base`, of each capability too.

The author of a store writes one fixture and inherits the rest; a test of something that the store
does not offer is skipped and says so (`pytest -rs`). Knows nothing of how a store works.

    class TestFolderStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return FolderStore(tmp_path)
"""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

from dataclasses import replace

import pytest

from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.testing._damage_contract import DamageContract
from longterm.testing._deadline_contract import DeadlineContract
from longterm.testing._deletion_contract import DeletionContract
from longterm.testing._durable_contract import DurableContract
from longterm.testing._exact_contract import ExactContract
from longterm.testing._failover_contract import FailoverContract
from longterm.testing._history_contract import HistoryContract
from longterm.testing._inbox_contract import InboxContract
from longterm.testing._key_contract import KeyContract
from longterm.testing._lease_contract import LeaseContract
from longterm.testing._outbox_contract import OutboxContract
from longterm.testing._position_contract import PositionContract
from longterm.testing._progress_contract import ProgressContract
from longterm.testing._queue_contract import QueueContract
from longterm.testing._race_contract import RaceContract
from longterm.testing._refusal_contract import RefusalContract
from longterm.testing._rewrite_contract import RewriteContract
from longterm.testing._sample_runs import claim, plain, suspended_run
from longterm.testing._search_contract import SearchContract
from longterm.testing._shard_contract import ShardContract
from longterm.testing._state_contract import StateContract
from longterm.testing._unread_contract import UnreadContract
from longterm.testing._version_contract import VersionContract

__all__ = ["StoreContract"]

_ENDED = [RunState.COMPLETE, RunState.FAILED, RunState.CANCELLED]
_NOT_SUSPENDED = [RunState.RUNNING, *_ENDED]


class StoreContract(
    ExactContract,
    RaceContract,
    DurableContract,
    FailoverContract,
    DamageContract,
    LeaseContract,
    KeyContract,
    InboxContract,
    UnreadContract,
    RefusalContract,
    OutboxContract,
    HistoryContract,
    DeadlineContract,
    QueueContract,
    PositionContract,
    StateContract,
    ProgressContract,
    VersionContract,
    ShardContract,
    SearchContract,
    DeletionContract,
    RewriteContract,
):
    """Every promise of a store; inherit it in a class named `Test…` and give it fixtures.

    What a store offers beyond the four methods is found out by the Protocols `Leases`, `Deadlines`,
    `Keys`, `Inbox`, `Outbox`, `Queues`, `Search`, `Deletion`, `Erasure`, `Rewriting` and `Wakes`;
    the tests of the others are skipped.

    - `store` (needed) returns an empty store, and closes it afterwards if it must be closed.
    - `reopen` (for durable stores) returns a function that opens the same store once more, as
      another process would; without it the promises of durability are skipped.
    - `failover` (for stores with a standby) returns a function that loses the server for good and
      lets the standby take over; `store` must go on there without being opened anew.
    - `damage` (for stores whose rows others can change) returns a function that makes the row of a
      run unreadable and returns one that mends it.

    `own_fields_that_change` names the fields of the store's own that it sets itself at each step,
    such as a time of change.
    """

    # -- create and get --------------------------------------------------------------------------

    def test_a_store_has_the_four_methods(self, store: RunStore) -> None:
        assert isinstance(store, RunStore)

    def test_a_created_run_is_returned_and_found_as_it_was_given(self, store: RunStore) -> None:
        run = suspended_run()

        created = store.create(run)

        assert plain(created) == plain(run)
        assert plain(store.get("r1")) == plain(run)

    @pytest.mark.parametrize("state", list(RunState))
    def test_a_run_can_be_created_in_any_state(self, store: RunStore, state: RunState) -> None:
        run = Run(
            id="r1",
            flow="m:f",
            state=state,
            encoded_result=b"\x05",
            encoded_error="why\n it failed",
        )

        store.create(run)

        assert plain(store.get("r1")) == plain(run)

    def test_a_run_that_has_nothing_yet_keeps_none_in_every_field(self, store: RunStore) -> None:
        run = Run(id="r1", flow="m:f", state=RunState.RUNNING)

        store.create(run)

        assert plain(store.get("r1")) == plain(run)

    def test_an_id_that_is_taken_is_refused_and_its_run_untouched(self, store: RunStore) -> None:
        first = suspended_run()
        store.create(first)

        with pytest.raises(RunExists) as refused:
            store.create(replace(first, flow="other:flow", state=RunState.COMPLETE, stack=b""))

        assert refused.value.run_id == "r1"
        assert plain(store.get("r1")) == plain(first)

    def test_an_unknown_run_is_named_in_the_error(self, store: RunStore) -> None:
        store.create(suspended_run())

        with pytest.raises(UnknownRun) as refused:
            store.get("r2")

        assert refused.value.run_id == "r2"

    def test_a_returned_record_does_not_change_with_the_run(self, store: RunStore) -> None:
        store.create(suspended_run())
        before = store.get("r1")
        kept = plain(before)

        store.update(replace(claim(store), state=RunState.COMPLETE, stack=None))

        assert plain(before) == kept

    # -- claiming --------------------------------------------------------------------------------

    def test_a_claim_starts_a_turn_and_leaves_the_rest_as_it_was(self, store: RunStore) -> None:
        run = suspended_run()
        store.create(run)

        claimed = claim(store)

        expected = plain(replace(run, state=RunState.RUNNING, turn=run.turn + 1))
        assert plain(claimed) == expected
        assert plain(store.get("r1")) == expected

    def test_a_run_that_waits_for_another_event_is_untouched(self, store: RunStore) -> None:
        run = suspended_run()
        store.create(run)

        assert store.unsuspend("r1", "name") is None

        assert plain(store.get("r1")) == plain(run)

    @pytest.mark.parametrize("event_id", ["number", "name", "na me", "number\nname\nna me"])
    def test_one_of_several_events_claims_the_run_or_changes_nothing(
        self, store: RunStore, event_id: str
    ) -> None:
        run = replace(suspended_run(), waiting_for="number\nname\nna me")
        store.create(run)

        claimed = store.unsuspend("r1", event_id)

        expected = replace(run, state=RunState.RUNNING, turn=run.turn + 1) if claimed else run
        assert plain(store.get("r1")) == plain(expected)
        assert claimed or event_id != run.waiting_for

    @pytest.mark.parametrize("event_id", ["umber", "numbe", "na", "me", "name na me", ""])
    def test_a_part_of_a_name_is_no_event_of_several(self, store: RunStore, event_id: str) -> None:
        run = replace(suspended_run(), waiting_for="number\nname\nna me")
        store.create(run)

        assert store.unsuspend("r1", event_id) is None

        assert plain(store.get("r1")) == plain(run)

    def test_a_run_that_waits_for_nothing_is_claimed_by_no_event(self, store: RunStore) -> None:
        run = replace(suspended_run(), waiting_for=None)
        store.create(run)

        assert store.unsuspend("r1", "number") is None
        assert store.unsuspend("r1", "None") is None
        assert store.unsuspend("r1", "") is None

        assert plain(store.get("r1")) == plain(run)

    @pytest.mark.parametrize("state", _NOT_SUSPENDED)
    def test_only_a_suspended_run_is_claimed(self, store: RunStore, state: RunState) -> None:
        run = replace(suspended_run(), state=state)
        store.create(run)

        assert store.unsuspend("r1", "number") is None

        assert plain(store.get("r1")) == plain(run)

    def test_a_claimed_run_cannot_be_claimed_again(self, store: RunStore) -> None:
        store.create(suspended_run())
        claimed = claim(store)

        assert store.unsuspend("r1", "number") is None

        assert plain(store.get("r1")) == plain(claimed)

    def test_a_claim_on_an_unknown_run_is_an_error(self, store: RunStore) -> None:
        store.create(suspended_run())

        with pytest.raises(UnknownRun) as refused:
            store.unsuspend("r2", "number")

        assert refused.value.run_id == "r2"

    def test_a_claim_touches_no_other_run(self, store: RunStore) -> None:
        other = suspended_run("r2")
        store.create(suspended_run("r1"))
        store.create(other)

        claim(store, "r1")

        assert plain(store.get("r2")) == plain(other)

    # -- saving ----------------------------------------------------------------------------------

    def test_a_save_stores_every_field_and_returns_the_run(self, store: RunStore) -> None:
        store.create(suspended_run())
        made = replace(
            claim(store),
            state=RunState.FAILED,
            waiting_for="name",
            stack=b"other frames",
            encoded_response=b"other words",
            encoded_result=b"a result",
            encoded_error="Traceback:\n  no",
        )

        saved = store.update(made)

        assert plain(saved) == plain(made)
        assert plain(store.get("r1")) == plain(made)

    def test_a_run_goes_through_turn_after_turn(self, store: RunStore) -> None:
        store.create(suspended_run())

        for turn in range(2, 12):
            claimed = claim(store, event_id="number" if turn == 2 else f"event {turn}")
            assert claimed.turn == turn
            assert store.unsuspend("r1", f"event {turn}") is None
            store.update(
                replace(claimed, state=RunState.SUSPENDED, waiting_for=f"event {turn + 1}")
            )

        assert store.get("r1").turn == 11

    def test_the_first_turn_of_a_run_created_running_can_be_saved(self, store: RunStore) -> None:
        run = store.create(Run(id="r1", flow="m:f", state=RunState.RUNNING))
        made = replace(run, state=RunState.SUSPENDED, waiting_for="number", stack=b"frames")

        store.update(made)

        assert plain(store.get("r1")) == plain(made)

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, *_ENDED])
    def test_a_run_that_nobody_claimed_cannot_be_saved(
        self, store: RunStore, state: RunState
    ) -> None:
        run = store.create(replace(suspended_run(), state=state))

        with pytest.raises(ClaimLost):
            store.update(replace(run, state=RunState.COMPLETE, encoded_result=b"stolen"))

        assert plain(store.get("r1")) == plain(run)

    def test_a_turn_is_saved_only_once(self, store: RunStore) -> None:
        store.create(suspended_run())
        made = replace(claim(store), state=RunState.COMPLETE, encoded_result=b"first")
        store.update(made)

        with pytest.raises(ClaimLost) as refused:
            store.update(replace(made, encoded_result=b"second"))

        assert (refused.value.run_id, refused.value.turn) == ("r1", made.turn)
        assert plain(store.get("r1")) == plain(made)

    def test_a_run_that_is_saved_running_stays_claimed(self, store: RunStore) -> None:
        store.create(suspended_run())
        claimed = store.unsuspend("r1", "number")
        assert claimed is not None

        saved = store.update(claimed.changed(stack=b"further", waiting_for=None))
        assert store.unsuspend("r1", "number") is None
        ended = store.update(saved.changed(state=RunState.COMPLETE))

        assert (saved.state, saved.turn, saved.stack) == (RunState.RUNNING, 2, b"further")
        assert plain(ended) == plain(store.get("r1")) == plain(saved.changed(state=ended.state))

    @pytest.mark.parametrize("turns_off", [-1, 1])
    def test_only_the_newest_claim_can_save(self, store: RunStore, turns_off: int) -> None:
        store.create(suspended_run())
        store.update(replace(claim(store), state=RunState.SUSPENDED))
        newest = claim(store)
        other = replace(newest, turn=newest.turn + turns_off, encoded_result=b"stolen")

        with pytest.raises(ClaimLost):
            store.update(replace(other, state=RunState.COMPLETE))

        assert plain(store.get("r1")) == plain(newest)
        store.update(replace(newest, state=RunState.COMPLETE))

    def test_an_unknown_run_cannot_be_saved(self, store: RunStore) -> None:
        run = store.create(replace(suspended_run("r1"), state=RunState.RUNNING))

        with pytest.raises(UnknownRun) as refused:
            store.update(replace(run, id="r2"))

        assert refused.value.run_id == "r2"
        with pytest.raises(UnknownRun):
            store.get("r2")

    def test_a_save_touches_no_other_run(self, store: RunStore) -> None:
        for run_id in ("r1", "r2"):
            store.create(suspended_run(run_id))
        other = claim(store, "r2")

        store.update(replace(claim(store, "r1"), state=RunState.COMPLETE))

        assert plain(store.get("r2")) == plain(other)
