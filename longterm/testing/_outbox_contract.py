"""The promises about what turns send: an outbox keeps it until it is delivered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from longterm.errors import ClaimLost
from longterm.message import Message, MessageKind
from longterm.run import Run, RunState
from longterm.store.base import Deletion, Erasure, RunStore
from longterm.store.inbox import Inbox
from longterm.store.outbox import Outbox
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, MINUTE, NOON, suspended_run


class OutboxContract:
    """What a turn sends is there if and only if the turn was saved."""

    @pytest.fixture
    def outbox(self, store: RunStore) -> Outbox:
        """Return the store, if it keeps what turns send."""
        if not isinstance(store, Outbox):
            pytest.skip(
                "the store keeps nothing that turns send (claim_outgoing, put_off, forget_outgoing)"
            )
        return store

    def test_a_store_with_an_outbox_has_an_inbox(self, store: RunStore, outbox: Outbox) -> None:
        assert isinstance(store, Inbox)

    def test_messages_are_kept_exactly_and_in_order(self, store: RunStore, outbox: Outbox) -> None:
        messages = [
            message(1, kind=kind, name="näme\n:x", body=bytes(range(256)) * number, key="key é")
            for number, kind in enumerate(MessageKind)
        ]
        sent = tuple(replace(one, id=f"m{n}", number=n) for n, one in enumerate(messages))

        saved = save(store, sent)

        assert saved.outgoing == store.get("r1").outgoing == ()
        assert due(outbox) == list(sent)

    def test_a_save_in_the_middle_of_a_turn_keeps_them_too(
        self, store: RunStore, outbox: Outbox
    ) -> None:
        claimed = claim(store)
        first, second = message(1), message(2)

        saved = store.update(claimed.changed(outgoing=(first,)))
        store.update(saved.changed(state=RunState.SUSPENDED, outgoing=(second,)))

        assert due(outbox) == [first, second]

    def test_a_lost_claim_sends_nothing(self, store: RunStore, outbox: Outbox) -> None:
        claimed = claim(store)
        store.update(claimed.changed(state=RunState.SUSPENDED))

        with pytest.raises(ClaimLost):
            store.update(claimed.changed(state=RunState.COMPLETE, outgoing=(message(1),)))

        assert due(outbox) == []

    def test_a_turn_that_reads_an_event_sends_in_the_same_step(
        self, store: RunStore, outbox: Outbox
    ) -> None:
        assert isinstance(store, Inbox)
        from longterm.unread import UnreadEvent

        claimed = claim(store)
        event = UnreadEvent(
            run_id="r1", event_id="number", encoded_value=b"v", key="k", sent_at=NOON
        )
        store.post(event, limit=9)
        read = store.unread("r1")
        made = claimed.changed(state=RunState.SUSPENDED, unread=("number",), outgoing=(message(1),))

        saved = store.update_read(made, read)

        assert (saved.unread, saved.outgoing) == ((), ())
        assert due(outbox) == [message(1)]

    def test_a_thousand_at_once(self, store: RunStore, outbox: Outbox) -> None:
        messages = tuple(message(number) for number in range(1000))

        save(store, messages)

        assert due(outbox, limit=2000) == list(messages)

    def test_what_is_claimed_is_put_off(self, store: RunStore, outbox: Outbox) -> None:
        save(store, (message(1), message(2), message(3)))

        first = outbox.claim_outgoing(now=NOON, until=LATER, limit=2)

        assert first == [message(1), message(2)]
        assert outbox.claim_outgoing(now=NOON, until=LATER, limit=9) == [message(3)]
        assert outbox.claim_outgoing(now=NOON, until=LATER, limit=9) == []
        again = outbox.claim_outgoing(now=LATER, until=LATER + MINUTE, limit=9)
        assert [one.id for one in again] == ["m1", "m2", "m3"]
        assert {one.due_at for one in again} == {LATER}

    def test_what_is_not_due_stays(self, store: RunStore, outbox: Outbox) -> None:
        late = replace(message(1), due_at=NOON + timedelta(microseconds=1))
        save(store, (late, message(2)))

        assert due(outbox) == [message(2)]
        assert due(outbox, now=late.due_at) == [late]

    def test_one_can_be_put_off_and_forgotten(self, store: RunStore, outbox: Outbox) -> None:
        save(store, (message(1), message(2)))

        assert outbox.put_off("m1", until=LATER)
        assert outbox.forget_outgoing("m2")

        assert (due(outbox), due(outbox, now=LATER)) == (
            [],
            [replace(message(1), due_at=LATER)],
        )
        assert not outbox.forget_outgoing("m2")
        assert not outbox.put_off("m2", until=LATER)

    @pytest.mark.parametrize("many", [False, True])
    def test_what_was_sent_to_a_run_is_deleted_with_it(
        self, store: RunStore, outbox: Outbox, many: bool
    ) -> None:
        save(store, (message(1), message(2, receiver="r3"), message(3, receiver="r1")))
        ended = suspended_run("r2").changed(
            state=RunState.COMPLETE, waiting_for=None, updated_at=NOON
        )
        store.create(ended)
        if many:
            if not isinstance(store, Deletion):
                pytest.skip("the store offers no deletion (delete_ended)")
            assert store.delete_ended(saved_before=LATER, limit=9) == 1
        else:
            if not isinstance(store, Erasure):
                pytest.skip("the store offers no erasure (delete)")
            assert not store.delete("r1")
            assert store.delete("r2")

        assert [one.receiver for one in due(outbox)] == ["r3", "r1"]

    def test_of_several_callers_each_gets_others(self, store: RunStore, outbox: Outbox) -> None:
        save(store, tuple(message(number) for number in range(40)))

        def take() -> list[str]:
            found = outbox.claim_outgoing(now=NOON, until=LATER, limit=10)
            return [one.id for one in found]

        taken = race([take] * 8)
        assert not [error for error in taken if isinstance(error, Exception)]

        found = [one for ids in taken if isinstance(ids, list) for one in ids]

        assert len(found) == len(set(found))
        assert {*found, *(one.id for one in due(outbox))} == {f"m{n}" for n in range(40)}


def message(number: int, **fields: object) -> Message:
    known: dict[str, object] = {
        "id": f"m{number}",
        "sender": "r1",
        "number": number,
        "receiver": "r2",
        "kind": MessageKind.EVENT,
        "name": "number",
        "body": b"value",
        "key": f"m{number}",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "sent_at": NOON,
        "due_at": NOON,
    }
    return Message(**(known | fields))  # type: ignore[arg-type]


def due(outbox: Outbox, now: object = NOON, limit: int = 99) -> list[Message]:
    return outbox.claim_outgoing(now=now, until=LATER + MINUTE, limit=limit)  # type: ignore[arg-type]


def claim(store: RunStore) -> Run:
    store.create(suspended_run())
    claimed = store.unsuspend("r1", "number")
    assert claimed is not None
    return claimed


def save(store: RunStore, messages: tuple[Message, ...]) -> Run:
    made = claim(store).changed(state=RunState.SUSPENDED, outgoing=messages)
    return store.update(made)
