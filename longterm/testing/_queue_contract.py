"""The promises about queues: slots are shared out, and never more than a queue allows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from longterm.run import Run, RunState
from longterm.store.base import Deadlines, Leases, RunStore
from longterm.store.queues import Queue, Queues, QueueStatus
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, MINUTE, NOON, plain, suspended_run

_CALLERS = 8


class QueueContract:
    """Runs wait for slots, and partitions take turns."""

    @pytest.fixture
    def queues(self, store: RunStore) -> Queues:
        """Return the store, if it has queues."""
        if not isinstance(store, Queues):
            pytest.skip("the store offers no queues (claim_queued)")
        return store

    # -- declarations ----------------------------------------------------------------------------

    def test_the_last_declaration_of_a_queue_is_kept_exactly(self, queues: Queues) -> None:
        first = Queue(name="mail é/1", concurrency=3)
        second = Queue(name="mail é/1", per_partition=2, rate=(500, timedelta(seconds=0.25)))

        assert queues.declared_queue("mail é/1") is None
        assert queues.declare_queue(first) is None
        assert queues.declare_queue(second) == first
        assert queues.declared_queue("mail é/1") == second
        assert queues.declared_queue("mail") is None

    # -- waiting ---------------------------------------------------------------------------------

    def test_a_run_keeps_its_place_in_a_queue(self, store: RunStore, queues: Queues) -> None:
        run = queued("r1", minutes=0, partition="acme é")

        assert plain(store.create(run)) == plain(store.get("r1")) == plain(run)
        claimed = store.unsuspend("r1", run.waiting_for or "")
        assert claimed is not None
        moved = claimed.changed(state=RunState.SUSPENDED, queue="other", partition="")
        assert plain(store.update(moved)) == plain(store.get("r1")) == plain(moved)

    def test_what_waits_for_a_slot_is_not_due_otherwise(
        self, store: RunStore, queues: Queues
    ) -> None:
        assert isinstance(queues, Deadlines)
        queues.declare_queue(Queue(name="mail"))
        store.create(queued("now", minutes=0))
        store.create(queued("later", minutes=5))

        assert queues.claim_due(now=NOON + 9 * MINUTE, until=LATER, limit=9) == []
        assert claim(queues, now=NOON + 9 * MINUTE) == ["now", "later"]

    def test_a_run_waits_for_its_deadline_first(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail"))
        store.create(queued("later", minutes=5))

        assert claim(queues, now=NOON + 5 * MINUTE - timedelta(microseconds=1)) == []
        assert status(queues).waiting == 0
        assert status(queues, now=NOON + 5 * MINUTE).waiting == 1
        assert claim(queues, now=NOON + 5 * MINUTE) == ["later"]

    def test_a_claim_is_like_any_other(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=9, rate=(9, MINUTE)))
        run = store.create(queued("r1", minutes=0))

        (claimed,) = queues.claim_queued(now=NOON, until=LATER, limit=5)

        expected = run.changed(state=RunState.RUNNING, turn=2, claimed_until=LATER)
        assert plain(claimed) == plain(store.get("r1")) == plain(expected)
        store.update(claimed.changed(state=RunState.COMPLETE, queue=None))

    def test_the_oldest_comes_first_and_others_are_left(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail"))
        for run_id, minutes in (("a", -1), ("b", -3), ("c", -2)):
            store.create(queued(run_id, minutes=minutes))

        assert claim(queues, limit=2) == ["b", "c"]
        assert claim(queues, limit=2) == ["a"]
        assert claim(queues, limit=2) == []

    def test_only_known_flows_and_wanted_queues_are_served(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail"))
        queues.declare_queue(Queue(name="print"))
        store.create(replace(queued("a", minutes=-3), flow="other:flow"))
        store.create(queued("b", minutes=-2))
        store.create(queued("c", minutes=-1, queue="print"))

        assert claim(queues, flows=[], limit=9) == []
        assert claim(queues, flows=["shop.orders:greet"], queues=["mail"]) == ["b"]
        assert claim(queues, queues=["unknown"]) == []
        assert claim(queues, queues=["print", "unknown"]) == ["c"]
        assert claim(queues) == ["a"]

    def test_runs_at_positions_that_are_left_out_keep_nobody_waiting(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=9))
        places = {"a": "m:f@1:1", "b": None, "c": "m:f@1:2", "d": "m:f@1:1"}
        for minutes, (run_id, place) in enumerate(places.items(), start=-9):
            store.create(replace(queued(run_id, minutes=minutes), position=place))
        wanted = {"now": NOON, "until": LATER, "without": ["m:f@1:1", "other@1:1"]}

        one = queues.claim_queued(**wanted, limit=1, flows=["shop.orders:greet"])  # type: ignore[arg-type]
        rest = queues.claim_queued(**wanted, limit=9)  # type: ignore[arg-type]

        assert [run.id for run in (*one, *rest)] == ["b", "c"]
        assert claim(queues) == ["a", "d"]

    def test_the_queue_that_waited_the_longest_for_its_turn_comes_first(
        self, store: RunStore, queues: Queues
    ) -> None:
        for name in ("x", "y", "z"):
            queues.declare_queue(Queue(name=name))
            for number in range(2):
                store.create(queued(f"{name}{number}", minutes=number - 5, queue=name))

        taken = [claim(queues, now=NOON + n * MINUTE, limit=1) for n in range(6)]

        assert taken == [["x0"], ["y0"], ["z0"], ["x1"], ["y1"], ["z1"]]

    # -- limits ----------------------------------------------------------------------------------

    def test_no_more_run_at_once_than_the_queue_allows(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=2))
        fill(store, 4)

        first = queues.claim_queued(now=NOON, until=LATER, limit=9)

        assert [run.id for run in first] == ["r0", "r1"]
        assert claim(queues) == []
        store.update(first[0].changed(state=RunState.COMPLETE, queue=None))
        assert claim(queues) == ["r2"]
        store.update(first[1].changed(state=RunState.SUSPENDED, queue=None, deadline=None))
        assert claim(queues) == ["r3"]

    def test_a_run_that_goes_on_holds_its_slot(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=1))
        fill(store, 2)
        (first,) = queues.claim_queued(now=NOON, until=LATER, limit=9)

        saved = store.update(first.changed(stack=b"further"))
        assert claim(queues) == []
        store.update(saved.changed(queue=None))

        assert claim(queues) == ["r1"]

    def test_no_more_of_a_partition_than_it_may_have(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=3, per_partition=2))
        fill(store, 4, partition="a")
        store.create(queued("other", minutes=0, partition="b"))

        first = queues.claim_queued(now=NOON, until=LATER, limit=9)

        assert sorted(run.id for run in first) == ["other", "r0", "r1"]
        store.update(first[0].changed(state=RunState.COMPLETE, queue=None))
        assert claim(queues) == ["r2"]

    def test_a_rate_is_kept_and_begins_anew(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", rate=(2, MINUTE)))
        fill(store, 7)

        assert claim(queues, limit=1) == ["r0"]
        assert claim(queues, now=NOON + timedelta(seconds=59)) == ["r1"]
        assert claim(queues, now=NOON + timedelta(seconds=59.9)) == []
        assert claim(queues, now=NOON + MINUTE) == ["r2", "r3"]
        assert claim(queues, now=NOON + 1.5 * MINUTE) == []
        assert claim(queues, now=NOON + 5 * MINUTE) == ["r4", "r5"]

    def test_a_clock_that_was_set_wrong_closes_no_queue(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail", rate=(1, MINUTE)))
        fill(store, 3)

        assert claim(queues, now=NOON + timedelta(days=9999)) == ["r0"]
        assert claim(queues) == ["r1"]
        assert claim(queues, now=NOON - timedelta(seconds=30)) == []

    def test_limits_hold_at_once_when_they_are_declared_anew(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=3))
        fill(store, 9)

        assert claim(queues, limit=2) == ["r0", "r1"]
        queues.declare_queue(Queue(name="mail", concurrency=1))
        assert claim(queues) == []
        queues.declare_queue(Queue(name="mail", concurrency=4))
        assert claim(queues) == ["r2", "r3"]

    def test_a_dead_process_gives_its_slots_back_with_its_claims(
        self, store: RunStore, queues: Queues
    ) -> None:
        assert isinstance(queues, Leases)
        queues.declare_queue(Queue(name="mail", concurrency=1))
        fill(store, 2)
        queues.claim_queued(now=NOON, until=NOON + MINUTE, limit=9)

        assert claim(queues, now=NOON + 2 * MINUTE) == []
        (released,) = queues.release_stale(now=NOON + 2 * MINUTE, max_attempts=5)

        assert (released.id, released.queue, released.state) == ("r0", "mail", RunState.SUSPENDED)
        assert claim(queues, now=NOON + 2 * MINUTE) == ["r0"]

    # -- turns of partitions ---------------------------------------------------------------------

    def test_partitions_take_turns_however_much_one_has(
        self, store: RunStore, queues: Queues
    ) -> None:
        queues.declare_queue(Queue(name="mail"))
        fill(store, 6, partition="b")
        for name in ("a", "c", ""):
            store.create(queued(f"of {name}", minutes=0, partition=name))

        assert claim(queues, limit=4) == ["of ", "of a", "r0", "of c"]
        assert claim(queues, limit=9) == ["r1", "r2", "r3", "r4", "r5"]

    def test_turns_go_on_where_they_ended(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", concurrency=99))
        for partition in ("a", "b", "c"):
            fill(store, 3, partition=partition, prefix=partition)

        taken = [run for _ in range(9) for run in claim(queues, limit=1)]

        assert taken == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]

    def test_a_full_partition_keeps_nobody_waiting(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="mail", per_partition=1))
        for partition in ("a", "b", "c"):
            fill(store, 2, partition=partition, prefix=partition)

        assert claim(queues, limit=2) == ["a0", "b0"]
        assert claim(queues, limit=9) == ["c0"]
        assert claim(queues, limit=9) == []

    # -- many callers ----------------------------------------------------------------------------

    @pytest.mark.parametrize("limits", [{}, {"concurrency": 5}, {"per_partition": 2}])
    def test_of_several_callers_none_gets_what_another_has_or_too_much(
        self, store: RunStore, queues: Queues, limits: dict[str, int]
    ) -> None:
        queue = Queue(name="mail", **limits)  # type: ignore[arg-type]
        queues.declare_queue(queue)
        for partition in ("a", "b", "c"):
            fill(store, 8, partition=partition, prefix=partition)

        def take() -> list[Run]:
            return [run for _ in range(3) for run in claimed_runs(queues, limit=2)]

        outcomes = race([take] * _CALLERS)
        assert not [error for error in outcomes if isinstance(error, BaseException)]
        taken = [run for runs in outcomes if isinstance(runs, list) for run in runs]

        shares = Counter(run.partition for run in taken)
        assert len(taken) == len({run.id for run in taken})
        share = queue.per_partition or 8
        assert len(taken) == (queue.concurrency or 3 * share)
        assert max(shares.values()) <= share

    # -- what is in them -------------------------------------------------------------------------

    def test_each_queue_says_what_is_in_it(self, store: RunStore, queues: Queues) -> None:
        queues.declare_queue(Queue(name="print", concurrency=1))
        queues.declare_queue(Queue(name="mail"))
        fill(store, 3)
        claim(queues, limit=1)

        mail, printing = queues.queue_statuses(now=NOON)

        assert (mail.queue.name, mail.waiting, mail.running) == ("mail", 2, 1)
        assert mail.oldest == store.get("r1").deadline
        assert printing.queue == Queue(name="print", concurrency=1)
        assert (printing.waiting, printing.running, printing.oldest) == (0, 0, None)


def queued(run_id: str, *, minutes: float, queue: str = "mail", partition: str = "") -> Run:
    """Return a run that waits for a slot from so many minutes after noon on."""
    return replace(
        suspended_run(run_id),
        created_at=NOON,
        deadline=NOON + minutes * MINUTE,
        queue=queue,
        partition=partition,
    )


def fill(store: RunStore, number: int, *, partition: str = "", prefix: str = "r") -> None:
    """Put runs into a queue, the first the oldest."""
    for place in range(number):
        store.create(queued(f"{prefix}{place}", minutes=place - 60, partition=partition))


def claimed_runs(
    offered: Queues,
    *,
    now: datetime = NOON,
    limit: int = 9,
    flows: list[str] | None = None,
    queues: list[str] | None = None,
) -> list[Run]:
    until = now + 60 * MINUTE
    return offered.claim_queued(now=now, until=until, limit=limit, flows=flows, queues=queues)


def claim(
    offered: Queues,
    *,
    now: datetime = NOON,
    limit: int = 9,
    flows: list[str] | None = None,
    queues: list[str] | None = None,
) -> list[str]:
    """Return the ids of the runs that a worker would get."""
    found = claimed_runs(offered, now=now, limit=limit, flows=flows, queues=queues)
    return [run.id for run in found]


def status(offered: Queues, *, now: datetime = NOON) -> QueueStatus:
    (found,) = offered.queue_statuses(now=now)
    return found
