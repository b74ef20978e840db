"""The part of the store contract about events that the turn which read them has refused.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Inbox`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from longterm.run import Run, RunState
from longterm.store.base import Deletion, Erasure, RunStore
from longterm.store.inbox import Inbox
from longterm.testing._inbox_contract import able, claim_one, keys, letter
from longterm.testing._sample_runs import MINUTE, NOON, plain, suspended_run

REASON = "'five' is no number: \N{GRINNING FACE} \n …"


class RefusalContract:
    """A refused event is unread no more, and is kept with the reason and its key."""

    def test_a_refused_event_stays_with_the_reason(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for name, key in (("number", "a"), ("name", "b"), ("number", "c"), ("number", "d")):
            inbox.post(letter(name, key), limit=9)
        claimed = claim_one(store)
        first, second, _ = inbox.unread("r1", events=["number"])
        inbox.post(letter("late", "e"), limit=9)
        refused = replace(first, encoded_refusal=REASON)
        made = claimed.changed(state=RunState.SUSPENDED, claimed_until=None)

        saved = inbox.update_read(made, [refused, second])

        assert saved.unread == store.get("r1").unread == ("name", "number", "late")
        assert plain(saved) == plain(store.get("r1")) == plain(made)
        assert inbox.refused("r1") == [refused]
        assert [event.key for event in inbox.unread("r1")] == ["b", "d", "e"]
        assert inbox.refused("r2") == []

    def test_a_save_that_keeps_an_event_can_refuse_one(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        claimed = claim_one(store)
        (event,) = inbox.unread("r1")
        failed = claimed.changed(state=RunState.FAILED, claimed_until=None, updated_at=NOON)

        refused = replace(event, encoded_refusal=REASON)
        inbox.update_read(failed, [refused], kept=letter("number", "b"))

        assert inbox.refused("r1") == [refused]
        assert [(event.number, event.key) for event in inbox.unread("r1")] == [(0, "b")]

    def test_no_run_can_go_on_by_a_refused_event(self, store: RunStore, inbox: Inbox) -> None:
        store.create(replace(suspended_run(), waiting_for="number\nname", saved_turn=1))
        inbox.post(letter("number", "a"), limit=9)
        inbox.post(letter("other", "b"), limit=9)

        saved = _refuse(store, inbox)

        assert saved.unread == ("other",)
        assert able(inbox) == []
        # Nor does it stand in the way of one that comes, or count as unread.
        assert saved.saved_turn is not None
        assert inbox.post(letter("name", "c"), limit=2, revision=saved.saved_turn) == 3
        assert [run.id for run in able(inbox)] == ["r1"]

    def test_the_key_of_a_refused_event_is_kept(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        _refuse(store, inbox)

        assert inbox.post(letter("number", "a"), limit=9) is None
        assert keys(store).digest_for_key("r1", "a") == "digest of a"
        assert keys(store).forget_keys(taken_before=NOON) == 0
        assert len(inbox.refused("r1")) == 1

    def test_a_refused_event_is_forgotten_with_its_key(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        _refuse(store, inbox)
        inbox.post(letter("name", "b"), limit=9)

        assert keys(store).forget_keys(taken_before=NOON + MINUTE) == 1

        assert inbox.refused("r1") == []
        assert [event.key for event in inbox.unread("r1")] == ["b"]
        assert inbox.post(letter("number", "a"), limit=9) == 3

    def test_refused_events_come_in_pages(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for key in ("a", "b", "c"):
            inbox.post(letter("number", key), limit=9)
            _refuse(store, inbox)

        assert [event.number for event in inbox.refused("r1")] == [1, 2, 3]
        assert [event.number for event in inbox.refused("r1", limit=2)] == [1, 2]
        assert [event.number for event in inbox.refused("r1", after=1, limit=1)] == [2]
        assert inbox.refused("r1", after=3) == []

    def test_a_refused_event_can_be_forgotten(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for key in ("a", "b"):
            inbox.post(letter("number", key), limit=9)
        _refuse(store, inbox)

        assert not inbox.forget_refused("r1", 2)  # it is unread
        assert not inbox.forget_refused("r2", 1)
        assert inbox.forget_refused("r1", 1)
        assert not inbox.forget_refused("r1", 1)

        assert inbox.refused("r1") == []
        assert [event.number for event in inbox.unread("r1")] == [2]
        assert keys(store).digest_for_key("r1", "a") == "digest of a"

    def test_the_bytes_of_a_refused_event_can_be_replaced(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        (unread,) = inbox.unread("r1")
        _refuse(store, inbox)
        (refused,) = inbox.refused("r1")
        sealed = replace(refused, encoded_value=b"sealed", encoded_refusal="sealed, too")

        assert not inbox.rewrite_unread(replace(unread, encoded_value=b"sealed"))
        assert inbox.rewrite_unread(sealed)

        assert inbox.refused("r1") == [sealed]

    def test_refused_events_are_deleted_with_their_run(self, store: RunStore, inbox: Inbox) -> None:
        if not isinstance(store, Erasure) or not isinstance(store, Deletion):
            pytest.skip("the store does not delete")
        for run_id in ("r1", "r2"):
            store.create(suspended_run(run_id))
            inbox.post(letter("number", "a", run_id), limit=9)
            _refuse(store, inbox, run_id)
            claimed = store.unsuspend(run_id, "number")
            assert claimed is not None
            store.update(claimed.changed(state=RunState.COMPLETE, updated_at=NOON))
            assert len(inbox.refused(run_id)) == 1

        store.delete("r1")
        store.delete_ended(saved_before=NOON + timedelta(seconds=1), limit=9)

        assert inbox.refused("r1") == inbox.refused("r2") == []

    def test_a_turn_that_is_not_saved_has_refused_nothing(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        claimed = claim_one(store)
        (event,) = inbox.unread("r1")
        store.update(claimed.changed(state=RunState.SUSPENDED))

        with pytest.raises(Exception, match="r1"):
            inbox.update_read(claimed, [replace(event, encoded_refusal=REASON)])

        assert (inbox.unread("r1"), inbox.refused("r1")) == ([event], [])


def _refuse(store: RunStore, inbox: Inbox, run_id: str = "r1") -> Run:
    """Have a run refuse its oldest event that is named `number`, and wait on."""
    claimed = store.unsuspend(run_id, "number")
    assert claimed is not None
    (event,) = inbox.unread(run_id, events=["number"], limit=1)
    made = claimed.changed(state=RunState.SUSPENDED, saved_turn=claimed.turn)
    return inbox.update_read(made, [replace(event, encoded_refusal=REASON)])
