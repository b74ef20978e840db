"""The part of the store contract about who goes on: a run is claimed for an event that it was sent.

Inherited through `longterm.testing.contract.StoreContract`; skipped for a store without `Inbox`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from longterm.run import RunState
from longterm.store.base import RunStore
from longterm.store.inbox import Inbox
from longterm.testing._inbox_contract import able, claim_one, keys, letter
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run


class UnreadContract:
    """Runs that wait for an event which is there are found, whichever came first."""

    @pytest.mark.parametrize(
        ("waiting_for", "unread", "is_able"),
        [
            ("number", ["number"], True),
            ("number", ["name", "number"], True),
            ("number", ["name"], False),
            ("number", [], False),
            ("number", ["umber", "numb", "numberr"], False),
            ("name\nnumber", ["other", "number"], True),
            ("name\nnumber", ["other"], False),
            ("name\nnumber", ["name"], True),
            ("longterm.sleep", ["number"], False),
            ("longterm.sleep", ["number", "longterm.cancel"], True),
            ("longterm.start", ["longterm.throw"], True),
            ("number", ["name", "longterm.cancel"], True),
            ("name\nnumber", ["longterm.cancel"], True),
            ("number", ["nolongterm.cancel"], False),
        ],
    )
    def test_runs_that_wait_for_an_unread_event_are_claimed(
        self, store: RunStore, inbox: Inbox, waiting_for: str, unread: list[str], is_able: bool
    ) -> None:
        run = replace(suspended_run(), waiting_for=waiting_for, updated_at=NOON)
        store.create(run)
        for number, name in enumerate(unread):
            inbox.post(letter(name, f"key {number}"), limit=9)

        found = able(inbox)

        expected = run.changed(state=RunState.RUNNING, turn=run.turn + 1, claimed_until=LATER)
        assert [plain(run) for run in found] == [plain(expected)] * is_able
        assert [run.unread for run in found] == [tuple(unread)] * is_able
        assert plain(store.get("r1")) == plain(expected if is_able else run)
        assert able(inbox) == []

    def test_what_a_save_comes_to_wait_for_counts(self, store: RunStore, inbox: Inbox) -> None:
        store.create(suspended_run())
        inbox.post(letter("name", "a"), limit=9)
        assert able(inbox) == []

        store.update(claim_one(store).changed(state=RunState.SUSPENDED, waiting_for="name"))

        assert [run.id for run in able(inbox)] == ["r1"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": RunState.FAILED},
            {"state": RunState.RUNNING, "claimed_until": LATER},
            {"encoded_error": "it cannot go on here", "deadline": LATER},
        ],
    )
    def test_runs_that_cannot_go_on_are_not_claimed(
        self, store: RunStore, inbox: Inbox, changes: dict[str, object]
    ) -> None:
        run = suspended_run().changed(**changes)
        store.create(run)
        inbox.post(letter("number", "a"), limit=9)

        assert able(inbox) == []
        assert plain(store.get("r1")) == plain(run)

    def test_an_error_without_a_deadline_holds_up_nobody(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run().with_error("its retry has died"))
        inbox.post(letter("number", "a"), limit=9)

        assert [run.id for run in able(inbox)] == ["r1"]

    def test_the_longest_unsaved_of_some_flows_come_first(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        moments = {"r1": LATER, "r2": None, "r3": NOON, "r4": NOON + MINUTE, "r5": NOON}
        for run_id, moment in moments.items():
            flow = "m:other" if run_id == "r5" else "m:flow"
            store.create(replace(suspended_run(run_id), updated_at=moment, flow=flow))
            inbox.post(letter("number", "a", run_id), limit=9)

        def claimed(limit: int, flows: list[str] | None) -> list[str]:
            found = inbox.claim_unread(now=NOON, until=LATER, limit=limit, flows=flows)
            return [run.id for run in found]

        assert claimed(9, []) == []
        assert claimed(3, ["m:flow", "m:none"]) == ["r2", "r3", "r4"]
        assert claimed(9, None) == ["r5", "r1"]

    def test_several_workers_get_different_runs(self, store: RunStore, inbox: Inbox) -> None:
        for number in range(12):
            store.create(suspended_run(f"r{number}"))
            inbox.post(letter("number", "a", f"r{number}"), limit=9)

        found = race([lambda: able(inbox, limit=3)] * 4)

        claimed = [run.id for runs in found if isinstance(runs, list) for run in runs]
        assert len(claimed) == len(set(claimed))
        claimed += [run.id for run in able(inbox)]
        assert sorted(claimed) == sorted(f"r{number}" for number in range(12))

    def test_events_posted_at_once_are_all_kept_and_each_key_once(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        events = [letter("number", f"key {number // 2}") for number in range(8)]

        numbers = race([partial(inbox.post, event, limit=99) for event in events])

        assert sorted(number for number in numbers if isinstance(number, int)) == [1, 2, 3, 4]
        assert numbers.count(None) == 4
        assert [event.number for event in inbox.unread("r1")] == [1, 2, 3, 4]
        assert len({event.key for event in inbox.unread("r1")}) == 4
        assert store.get("r1").unread == ("number",) * 4

    def test_no_wake_up_is_lost_between_a_save_and_a_post(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        for number in range(20):
            run_id = f"r{number}"
            store.create(suspended_run(run_id))
            claimed = store.unsuspend(run_id, "number")
            assert claimed is not None
            made = claimed.changed(state=RunState.SUSPENDED, waiting_for="name")
            save: Callable[[], object] = partial(store.update, made)
            post: Callable[[], object] = partial(inbox.post, letter("name", "a", run_id), limit=9)

            race([save, post] if number % 2 else [post, save])

            assert [run.id for run in able(inbox)] == [run_id]

    def test_a_delivery_that_is_posted_during_its_own_turn_is_read_with_that(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        claimed = keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None
        others = replace(letter("number", "a", "r1"), key="c", digest="d")
        for event in (letter("name", "b"), letter("number", "a"), others):
            inbox.post(event, limit=9)
        begun = claimed.changed(delivery="a", delivery_digest="digest of a", updated_at=NOON)

        saved = store.update(begun.changed(state=RunState.SUSPENDED, claimed_until=None))

        assert saved.unread == store.get("r1").unread == ("name", "number")
        assert [event.key for event in inbox.unread("r1")] == ["b", "c"]
        assert keys(store).digest_for_key("r1", "a") == "digest of a"

    def test_a_delivery_that_is_posted_while_its_own_turn_reads_another(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        inbox.post(letter("name", "b"), limit=9)
        claimed = keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None
        (read,) = inbox.unread("r1")
        inbox.post(letter("number", "a"), limit=9)
        begun = claimed.changed(delivery="a", delivery_digest="digest of a", updated_at=NOON)

        saved = inbox.update_read(begun.changed(state=RunState.SUSPENDED), [read])

        assert saved.unread == store.get("r1").unread == ()
        assert inbox.unread("r1") == []

    def test_another_delivery_under_the_key_of_a_turn_is_not_lost(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        claimed = keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None
        inbox.post(letter("number", "a"), limit=9)
        begun = claimed.changed(delivery="a", delivery_digest="of another", updated_at=NOON)

        saved = store.update(begun.changed(state=RunState.SUSPENDED))

        assert saved.unread == ("number",)
        assert [event.digest for event in inbox.unread("r1")] == ["digest of a"]

    def test_a_delivery_that_is_posted_during_its_turn_that_fails_is_kept_once(
        self, store: RunStore, inbox: Inbox
    ) -> None:
        store.create(suspended_run())
        claimed = keys(store).claim_for_key("r1", "number", "a", now=NOON, until=LATER)
        assert claimed is not None
        inbox.post(letter("number", "a"), limit=9)
        failed = claimed.changed(state=RunState.FAILED, claimed_until=None, updated_at=NOON)

        saved = inbox.update_read(failed, [], kept=letter("number", "a"))

        assert saved.unread == store.get("r1").unread == ("number",)
        assert [event.number for event in inbox.unread("r1")] == [1]
