"""The part of the store contract about the inbox: an event that comes early is kept, and read once.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Inbox`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from longterm._event_names import CANCEL, THROW
from longterm.errors import ClaimLost, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Deadlines, Deletion, Erasure, Keys, Leases, RunStore
from longterm.store.inbox import Inbox
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run
from longterm.unread import UnreadEvent


class InboxContract:
    """Events are kept in their order, each until a turn that has read it is saved."""

    @pytest.fixture
    def inbox(self, store: RunStore) -> Inbox:
        """Return the store, if it keeps events."""
        if not isinstance(store, Inbox):
            pytest.skip(
                "the store keeps no events "
                "(post, unread, refused, forget_refused, claim_unread, update_read, rewrite_unread)"
            )
        return store

    def test_a_store_with_an_inbox_has_what_it_needs(self, store: RunStore, inbox: Inbox) -> None:
        assert isinstance(store, Leases)
        assert isinstance(store, Keys)
        assert isinstance(store, Deadlines)

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, RunState.RUNNING, RunState.FAILED])
    def test_events_are_kept_in_their_order_and_the_run_is_as_it_was(
        self, store: RunStore, inbox: Inbox, state: RunState
    ) -> None:
        run = store.create(replace(suspended_run(), state=state))
        store.create(suspended_run("r2"))
        sent = [letter("name", "a"), letter("num ber", "b"), letter("name", "c")]

        numbers = [inbox.post(event, limit=9) for event in sent]

        kept = [replace(event, number=number) for number, event in enumerate(sent, start=1)]
        assert numbers == [1, 2, 3]
        assert inbox.unread("r1") == kept
        assert store.get("r1").unread == ("name", "num ber", "name")
        assert plain(store.get("r1")) == plain(run)
        assert (inbox.unread("r2"), inbox.unread("r3")) == ([], [])
        assert store.get("r2").unread == ()

    def test_a_part_of_the_events_can_be_asked_for(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for number, name in enumerate(["a", "b", "a", "c", "ab"]):
            inbox.post(letter(name, f"key {number}"), limit=9)

        def numbers(**asked: object) -> list[int]:
            return [event.number for event in inbox.unread("r1", **asked)]  # type: ignore[arg-type]

        assert numbers() == [1, 2, 3, 4, 5]
        assert numbers(events=["a"]) == [1, 3]
        assert numbers(events=["c", "a"], limit=2) == [1, 3]
        assert numbers(events=[]) == []
        assert numbers(after=2, limit=2) == [3, 4]
        assert numbers(after=5) == []

    @pytest.mark.parametrize("name", ["a", "Grüße \"'%", "x" * 500, "😀" * 500, "a=b", "\t"])
    def test_names_and_values_are_exact(self, store: RunStore, inbox: Inbox, name: str) -> None:
        store.create(suspended_run(event_id=name))
        event = replace(letter(name, name), encoded_value=bytes(range(256)), digest="d:é")
        inbox.post(event, limit=9)
        inbox.post(replace(event, key="other", encoded_value=b""), limit=9)

        first, second = inbox.unread("r1", events=[name])
        assert first == replace(event, number=1)
        assert second == replace(event, key="other", encoded_value=b"", number=2)
        assert store.get("r1").next_unread == name

    @pytest.mark.parametrize("state", [RunState.COMPLETE, RunState.CANCELLED])
    def test_a_run_that_is_over_takes_no_event(
        self, store: RunStore, inbox: Inbox, state: RunState
    ) -> None:
        store.create(replace(suspended_run(), state=state))

        assert inbox.post(letter("name", "a"), limit=9) is None

        assert (inbox.unread("r1"), store.get("r1").unread) == ([], ())

    def test_an_event_for_an_unknown_run_is_refused(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run("r2"))

        with pytest.raises(UnknownRun):
            inbox.post(letter("name", "a"), limit=9)

        assert inbox.unread("r1") == []

    def test_no_more_events_are_kept_than_may_be(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        assert inbox.post(letter("number", "a"), limit=2) == 1
        assert inbox.post(letter("name", "b"), limit=2) == 2

        assert inbox.post(letter("name", "c"), limit=2) is None
        assert keys(store).digest_for_key("r1", "c") is None

        _read(store, inbox)
        assert inbox.post(letter("name", "c"), limit=2) == 3

    def test_an_event_for_a_revision_is_kept_while_the_run_rests_there(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(replace(suspended_run(), turn=7, saved_turn=5, waiting_for="name\nnumber"))

        assert inbox.post(letter("number", "a"), limit=9, revision=4) is None
        assert inbox.post(letter("number", "a"), limit=9, revision=7) is None
        assert keys(store).digest_for_key("r1", "a") is None
        assert inbox.post(letter("other", "b"), limit=9, revision=5) == 1
        assert inbox.post(letter("number", "a"), limit=1, revision=5) is None
        assert inbox.post(letter("number", "a"), limit=9, revision=5) == 2
        assert inbox.post(letter("name", "c"), limit=9, revision=5) is None

        assert store.get("r1").unread == ("other", "number")
        assert inbox.post(letter("name", "c"), limit=9) == 3

    @pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FAILED, RunState.COMPLETE])
    def test_a_run_that_does_not_wait_rests_at_no_revision(
        self, store: RunStore, inbox: Inbox, state: RunState
    ) -> None:
        store.create(replace(suspended_run(), state=state, saved_turn=1))
        store.create(suspended_run("r2"))

        assert inbox.post(letter("number", "a"), limit=9, revision=1) is None
        assert inbox.post(letter("number", "a", "r2"), limit=9, revision=0) is None
        assert store.get("r1").unread == store.get("r2").unread == ()
        with pytest.raises(UnknownRun):
            inbox.post(letter("number", "a", "r3"), limit=9, revision=1)

    @pytest.mark.parametrize("name", [CANCEL, THROW])
    def test_a_run_that_is_interrupted_does_not_rest(
        self, store: RunStore, inbox: Inbox, name: str
    ) -> None:
        store.create(replace(suspended_run(), saved_turn=1))
        inbox.post(letter(name, "a"), limit=9)

        assert inbox.post(letter("number", "b"), limit=9, revision=1) is None

    # -- keys ------------------------------------------------------------------------------------

    def test_a_key_is_posted_once(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        store.create(suspended_run("r2"))
        inbox.post(letter("number", "a"), limit=9)

        assert inbox.post(letter("name", "a"), limit=9) is None
        assert keys(store).digest_for_key("r1", "a") == "digest of a"
        assert keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER) is None
        assert store.get("r1").unread == ("number",)
        assert inbox.post(letter("name", "a", "r2"), limit=9) == 1

        _read(store, inbox)
        assert inbox.post(letter("number", "a"), limit=9) is None

    def test_a_key_that_a_turn_has_taken_is_not_posted(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        claimed = keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None
        store.update(
            claimed.changed(
                state=RunState.SUSPENDED,
                delivery="a",
                delivery_digest="d",
                updated_at=NOON,
                claimed_until=None,
            )
        )

        assert inbox.post(letter("number", "a"), limit=9) is None

    def test_the_key_of_an_unread_event_is_not_forgotten(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        assert keys(store).forget_keys(taken_before=LATER) == 0

        _read(store, inbox, delivery="a", delivery_digest="digest of a", updated_at=LATER)
        assert keys(store).forget_keys(taken_before=LATER) == 0  # it counts from its reading
        assert keys(store).digest_for_key("r1", "a") == "digest of a"

        assert keys(store).forget_keys(taken_before=LATER + MINUTE) == 1

    # -- reading ---------------------------------------------------------------------------------

    def test_an_event_is_read_by_the_save_of_the_turn(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for number, name in enumerate(["name", "number", "number"]):
            inbox.post(letter(name, f"key {number}"), limit=9)
        claimed = claim_one(store)
        (event, _) = inbox.unread("r1", events=["number"])
        inbox.post(letter("näme 2", "later"), limit=9)
        made = claimed.changed(state=RunState.SUSPENDED, waiting_for="näme 2", claimed_until=None)

        saved = inbox.update_read(made, [event])

        assert saved.unread == store.get("r1").unread == ("name", "number", "näme 2")
        assert plain(saved) == plain(store.get("r1")) == plain(made)
        assert [event.number for event in inbox.unread("r1")] == [1, 3, 4]
        assert saved.next_unread == "näme 2"

    def test_a_turn_reads_what_is_posted_meanwhile_too(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "first"), limit=9)
        claimed = claim_one(store)
        for name, key in (("name", "between"), ("number", "second")):
            inbox.post(letter(name, key), limit=9)
        read = inbox.unread("r1", events=["number"])
        seen = store.get("r1").unread
        inbox.post(letter("number", "last"), limit=9)
        made = claimed.changed(state=RunState.SUSPENDED, unread=seen, claimed_until=None)

        saved = inbox.update_read(made, read)

        assert [event.key for event in read] == ["first", "second"]
        assert saved.unread == store.get("r1").unread == ("name", "number")
        assert [event.key for event in inbox.unread("r1")] == ["between", "last"]

    def test_a_save_in_the_middle_of_a_turn_reads_events_and_keeps_the_claim(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        for number in range(3):
            inbox.post(letter("number", f"key {number}"), limit=9)
        claimed = claim_one(store)
        first, second, _ = inbox.unread("r1")

        saved = inbox.update_read(claimed.changed(stack=b"further"), [first])
        again = inbox.update_read(saved.changed(stack=b"still further"), [second])

        assert saved.unread == ("number", "number")
        assert again.unread == store.get("r1").unread == ("number",)
        assert (again.state, again.turn) == (RunState.RUNNING, claimed.turn)
        ended = store.update(again.changed(state=RunState.COMPLETE, claimed_until=None))
        assert plain(ended) == plain(store.get("r1"))

    def test_every_event_can_be_read(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        for number in range(5):
            inbox.post(letter("number", f"key {number}"), limit=9)

        for number in range(1, 6):
            assert [event.number for event in inbox.unread("r1", limit=1)] == [number]
            _read(store, inbox)

        assert (inbox.unread("r1"), store.get("r1").unread) == ([], ())
        assert inbox.post(letter("number", "next"), limit=9) == 6

    def test_a_save_returns_what_was_posted_meanwhile(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        claimed = claim_one(store)
        assert claimed.unread == ()
        inbox.post(letter("name", "a"), limit=9)

        saved = store.update(
            claimed.changed(state=RunState.SUSPENDED, waiting_for="name", claimed_until=None)
        )

        assert saved.unread == store.get("r1").unread == ("name",)

    def test_what_a_save_is_given_as_unread_counts_for_nothing(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("name", "a"), limit=9)
        claimed = claim_one(store)

        saved = store.update(claimed.changed(state=RunState.SUSPENDED, unread=("x", "y")))

        assert saved.unread == store.get("r1").unread == ("name",)

    def test_the_event_of_a_turn_that_failed_comes_before_all_others(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        for name, key in (("name", "a"), ("number", "b")):
            inbox.post(letter(name, key), limit=9)
        claimed = claim_one(store)
        inbox.post(letter("number", "c"), limit=9)
        read = inbox.unread("r1", events=["name"])
        failed = claimed.changed(state=RunState.FAILED, claimed_until=None, updated_at=NOON)

        saved = inbox.update_read(failed, read, kept=letter("number", "d"))

        assert saved.unread == store.get("r1").unread == ("number", "number", "number")
        assert plain(saved) == plain(store.get("r1")) == plain(failed)
        assert [(event.number, event.key) for event in inbox.unread("r1")] == [
            *((0, "d"), (2, "b"), (3, "c")),
        ]
        assert keys(store).digest_for_key("r1", "d") == "digest of d"
        assert keys(store).forget_keys(taken_before=LATER) == 1  # that of the event that was read
        assert inbox.post(letter("number", "d"), limit=9) is None
        assert inbox.post(letter("number", "e"), limit=9) == 4

    def test_the_event_of_a_second_turn_that_failed_comes_first(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        assert isinstance(store, Leases)
        store.create(suspended_run())
        for key in ("a", "b"):
            claimed = claim_one(store)
            inbox.update_read(
                claimed.changed(state=RunState.FAILED), (), kept=letter("number", key)
            )
            revived = store.revive("r1", now=NOON, until=LATER)
            assert revived is not None
            store.update(revived.changed(state=RunState.SUSPENDED))

        assert [(event.number, event.key) for event in inbox.unread("r1")] == [(-1, "b"), (0, "a")]
        claimed = claim_one(store)
        saved = inbox.update_read(
            claimed.changed(state=RunState.COMPLETE), inbox.unread("r1", limit=1)
        )
        assert saved.unread == ("number",)
        if isinstance(store, Erasure):
            store.delete("r1")
            assert inbox.unread("r1") == []

    def test_a_turn_that_is_not_saved_has_read_nothing(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        claimed = claim_one(store)
        (event,) = inbox.unread("r1")
        store.update(claimed.changed(state=RunState.SUSPENDED))

        with pytest.raises(ClaimLost):
            inbox.update_read(claimed.changed(state=RunState.COMPLETE), [event])

        assert inbox.unread("r1") == [event]
        assert store.get("r1").unread == ("number",)

    def test_a_dead_turn_has_read_nothing(self, store: RunStore, inbox: Inbox) -> None:
        assert isinstance(store, Leases)
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        claim_one(store)

        store.release_stale(now=LATER + MINUTE, max_attempts=9)

        assert store.get("r1").next_unread == "number"
        assert [run.attempts for run in able(inbox)] == [1]

    # -- the rest --------------------------------------------------------------------------------

    def test_the_bytes_of_an_unread_event_can_be_replaced(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("number", "a"), limit=9)
        inbox.post(letter("number", "b"), limit=9)
        first, second = inbox.unread("r1")

        assert inbox.rewrite_unread(replace(first, encoded_value=b"sealed"))

        assert inbox.unread("r1") == [replace(first, encoded_value=b"sealed"), second]
        _read(store, inbox)
        assert not inbox.rewrite_unread(replace(first, encoded_value=b"again"))
        assert inbox.unread("r1") == [second]

    def test_events_are_deleted_with_their_run(self, store: RunStore, inbox: Inbox) -> None:
        if not isinstance(store, Erasure) or not isinstance(store, Deletion):
            pytest.skip("the store does not delete")
        for run_id in ("r1", "r2", "r3"):
            store.create(suspended_run(run_id))
            inbox.post(letter("name", "a", run_id), limit=9)
        for run_id in ("r1", "r2"):
            claimed = store.unsuspend(run_id, "number")
            assert claimed is not None
            store.update(claimed.changed(state=RunState.COMPLETE, updated_at=NOON))
            assert store.get(run_id).unread == ("name",)

        store.delete("r1")
        assert inbox.unread("r1") == []
        store.delete_ended(saved_before=NOON + timedelta(seconds=1), limit=9)

        assert inbox.unread("r2") == []
        assert len(inbox.unread("r3")) == 1
        store.create(suspended_run("r1"))
        assert store.get("r1").unread == ()
        assert inbox.post(letter("name", "a"), limit=9) == 1


def letter(name: str, key: str, run_id: str = "r1") -> UnreadEvent:
    """Return an event that is sent at noon."""
    return UnreadEvent(
        run_id=run_id,
        event_id=name,
        encoded_value=b"value \x00\xff of " + key.encode(),
        key=key,
        digest=f"digest of {key}",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        sent_at=NOON,
    )


def keys(store: RunStore) -> Keys:
    """Return a store that keeps keys, as one with an inbox must."""
    assert isinstance(store, Keys)
    return store


def able(inbox: Inbox, limit: int = 99) -> list[Run]:
    return inbox.claim_unread(now=NOON, until=LATER, limit=limit)


def claim_one(store: RunStore) -> Run:
    assert isinstance(store, Leases)
    claimed = store.claim("r1", "number", now=NOON, until=LATER)
    assert claimed is not None
    return claimed


def _read(store: RunStore, inbox: Inbox, **changes: object) -> Run:
    """Have a run read its oldest event that is named `number`, and wait for the same again."""
    claimed = claim_one(store)
    (event,) = inbox.unread("r1", events=["number"], limit=1)
    made = claimed.changed(state=RunState.SUSPENDED, claimed_until=None, **changes)
    return inbox.update_read(made, [event])
