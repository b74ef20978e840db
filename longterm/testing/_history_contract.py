"""The part of the store contract about histories: what came to a run, turn by turn.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `History`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from longterm.errors import ClaimLost, RunExists
from longterm.history import HistoryEntry
from longterm.message import Message, MessageKind
from longterm.run import Run, RunState
from longterm.store.base import Deletion, Erasure, RunStore
from longterm.store.history import History
from longterm.store.inbox import Inbox
from longterm.store.outbox import Outbox
from longterm.testing._inbox_contract import letter
from longterm.testing._sample_runs import LATER, NOON, claim, plain, suspended_run

_TEXTS = [None, "", "Grüße \"'\n"]
_BYTES = [None, b"", b"\x00\xff"]


class HistoryContract:
    """What is saved of a history is there if and only if its run was saved."""

    @pytest.fixture
    def histories(self, store: RunStore) -> History:
        """Return the store, if it keeps histories."""
        if not isinstance(store, History):
            pytest.skip(
                "the store keeps no histories (entries, entry, entry_at, rewrite_entry, "
                "forget_entries)"
            )
        return store

    def test_entries_are_kept_exactly_and_in_order(
        self, store: RunStore, histories: History
    ) -> None:
        rows = [
            entry(2, number=number, encoded_value=data, actor=text, encoded_error=text)
            for number, (text, data) in enumerate(zip(_TEXTS, _BYTES, strict=True))
        ] + [
            entry(2, number=3 + number, encoded_response=data, before=text, stack=data)
            for number, (text, data) in enumerate(zip(_TEXTS, _BYTES, strict=True))
        ]
        rows.append(entry(2, number=9, outcome=None, waiting_for=None, sent_at=NOON))

        saved = save(store, tuple(reversed(rows)))

        assert saved.entries == ()
        assert store.get("r1").entries == ()
        assert listed(histories) == [replace(row, stack=None) for row in rows]
        assert [histories.entry("r1", (2, row.number)) for row in rows] == rows
        assert histories.entry("r1", (2, 8)) is None
        assert histories.entry("r2", (2, 0)) is None
        assert histories.entries("r2") == []

    def test_a_page_begins_after_the_one_before(self, store: RunStore, histories: History) -> None:
        rows = [entry(turn, number=number) for turn in (2, 3, 10) for number in (0, 1)]
        save(store, tuple(rows))

        assert histories.entries("r1", limit=3) == rows[:3]
        assert histories.entries("r1", after=(3, 0), limit=2) == rows[3:5]
        assert histories.entries("r1", after=(10, 1)) == []

    def test_what_creates_a_run_is_kept(self, store: RunStore, histories: History) -> None:
        created = store.create(suspended_run().changed(entries=(entry(1),)))

        assert created.entries == ()
        assert listed(histories) == [entry(1)]
        with pytest.raises(RunExists):
            store.create(suspended_run().changed(entries=(entry(1, actor="another"), entry(2))))
        assert listed(histories) == [entry(1)]

    def test_a_run_created_under_a_key_keeps_both(
        self, store: RunStore, histories: History
    ) -> None:
        run = suspended_run().changed(
            delivery="key", delivery_digest="digest", updated_at=NOON, entries=(entry(1),)
        )
        store.create(run)

        assert listed(histories) == [entry(1)]

    def test_a_lost_claim_keeps_nothing(self, store: RunStore, histories: History) -> None:
        store.create(suspended_run())
        lost = claim(store)
        store.update(lost.changed(state=RunState.SUSPENDED))
        claim(store)

        with pytest.raises(ClaimLost):
            store.update(lost.changed(state=RunState.SUSPENDED, entries=(entry(2),)))

        assert histories.entries("r1") == []

    def test_the_end_of_a_turn_replaces_what_was_saved_in_its_middle(
        self, store: RunStore, histories: History
    ) -> None:
        store.create(suspended_run())
        first = entry(2, outcome="running", encoded_response=b"so far", stack=b"frames")
        going_on = store.update(claim(store).changed(entries=(first,)))
        assert listed(histories) == [replace(first, stack=None)]

        last = replace(first, outcome="suspended", encoded_response=None, saved_at=LATER)
        store.update(going_on.changed(state=RunState.SUSPENDED, entries=(last, entry(2, number=1))))

        assert histories.entry("r1", (2, 0)) == last
        assert len(histories.entries("r1")) == 2

    @pytest.mark.parametrize("state", [RunState.SUSPENDED, RunState.FAILED])
    @pytest.mark.parametrize("has_key", [False, True])
    @pytest.mark.parametrize("sends", [False, True])
    def test_a_turn_that_reads_or_keeps_an_event_adds_in_the_same_step(
        self,
        store: RunStore,
        histories: History,
        inbox: Inbox,
        state: RunState,
        has_key: bool,
        sends: bool,
    ) -> None:
        store.create(suspended_run())
        inbox.post(replace(letter("number", "k1"), actor="ada"), limit=9)
        claimed = claim(store)
        run = claimed.changed(state=state, updated_at=NOON, entries=(entry(2),))
        if has_key:
            run = run.changed(delivery="k9", delivery_digest="d")
        if sends and isinstance(store, Outbox):
            run = run.changed(outgoing=(_message(),))
        read = inbox.unread("r1")
        assert [event.actor for event in read] == ["ada"]

        if state is RunState.FAILED:
            kept = replace(letter("number", "k2"), actor="bob")
            saved = inbox.update_read(run, (), kept=kept)
            assert [event.actor for event in inbox.unread("r1")] == ["bob", "ada"]
        else:
            saved = inbox.update_read(run, read)
            assert inbox.unread("r1") == []

        assert saved.entries == ()
        assert listed(histories) == [entry(2)]

    def test_the_entry_of_a_revision_has_its_stack(
        self, store: RunStore, histories: History
    ) -> None:
        rows = (
            entry(2, revision=1),
            entry(3, revision=2, before="{}", stack=b"first"),
            entry(4, revision=2, before="{}", stack=b"second"),
            entry(5, revision=4, before="{}", stack=b""),
        )
        save(store, rows)

        assert histories.entry_at("r1", 1) is None
        assert histories.entry_at("r1", 2) == rows[1]
        assert histories.entry_at("r1", 4) == rows[3]
        assert histories.entry_at("r1", 5) is None

    def test_only_what_is_as_it_was_is_written_anew(
        self, store: RunStore, histories: History
    ) -> None:
        was = entry(2, encoded_value=b"v", encoded_error="e", before="{}", stack=b"s")
        save(store, (was, entry(3)))
        new = replace(was, encoded_value=b"V", encoded_response=b"R", encoded_error="E", stack=b"S")

        assert histories.rewrite_entry(was, new)
        assert not histories.rewrite_entry(was, replace(was, encoded_value=b"late"))
        assert not histories.rewrite_entry(replace(new, stack=None), was)
        assert not histories.rewrite_entry(entry(4), entry(4))

        assert histories.entry("r1", (2, 0)) == new
        assert histories.entry("r1", (3, 0)) == entry(3)

    @pytest.mark.parametrize("delete", [Erasure.delete, Deletion.delete_ended])
    def test_a_history_is_deleted_with_its_run(
        self, store: RunStore, histories: History, delete: Callable[..., object]
    ) -> None:
        save(store, (entry(2), entry(3)), updated_at=NOON, state=RunState.COMPLETE)
        store.create(suspended_run("r2").changed(entries=(entry(1, run_id="r2"),)))
        if delete is Erasure.delete:
            if not isinstance(store, Erasure):
                pytest.skip("the store cannot delete one run (delete)")
            assert store.delete("r1")
        else:
            if not isinstance(store, Deletion):
                pytest.skip("the store cannot delete old runs (delete_ended)")
            assert store.delete_ended(saved_before=LATER, limit=9) == 1

        assert histories.entries("r1") == []
        assert listed(histories, "r2") == [entry(1, run_id="r2")]
        again = store.create(suspended_run())
        assert plain(again) == plain(suspended_run())
        assert histories.entries("r1") == []

    def test_what_was_saved_long_ago_can_be_forgotten(
        self, store: RunStore, histories: History
    ) -> None:
        old = tuple(entry(turn, saved_at=NOON) for turn in (2, 3, 4))
        save(store, (*old, entry(5, saved_at=LATER)))

        assert histories.forget_entries(saved_before=NOON, limit=9) == 0
        assert histories.forget_entries(saved_before=LATER, limit=2) == 2
        assert histories.forget_entries(saved_before=LATER, limit=2) == 1

        assert listed(histories) == [entry(5, saved_at=LATER)]
        assert plain(store.get("r1")) == plain(store.get("r1").changed(state=RunState.SUSPENDED))


def entry(turn: int, **fields: Any) -> HistoryEntry:
    """Return an entry of the run r1, with some fields of its own."""
    known: dict[str, Any] = {
        "run_id": "r1",
        "turn": turn,
        "event": "number",
        "sent_at": NOON - timedelta(microseconds=1),
        "saved_at": NOON,
        "outcome": "suspended",
        "waiting_for": "name\nnumber",
        "revision": 1,
    }
    return HistoryEntry(**known | fields)


def listed(histories: History, run_id: str = "r1") -> list[HistoryEntry]:
    """Return the whole history of a run."""
    return histories.entries(run_id)


def save(store: RunStore, entries: tuple[HistoryEntry, ...], **fields: object) -> Run:
    """Create a run, and save a turn of it with some entries."""
    store.create(suspended_run())
    fields = {"state": RunState.SUSPENDED} | fields
    return store.update(claim(store).changed(entries=entries, **fields))


def _message() -> Message:
    return Message(
        id="m1",
        sender="r1",
        number=0,
        receiver="r9",
        kind=MessageKind.EVENT,
        name="number",
        key="m1",
        sent_at=NOON,
        due_at=NOON,
    )
