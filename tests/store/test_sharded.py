"""A store over several servers keeps the contract, and finds each run where its id says it is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from longterm._turns.starts import new_id
from longterm.errors import RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Query, RunStore
from longterm.store.memory import MemoryStore
from longterm.store.queues import Queue
from longterm.store.sharded import Epoch, Sharded
from longterm.store.sharded._epochs import Epochs, moment_of
from longterm.store.sharded._servers import Fixed, Servers
from longterm.testing._outbox_contract import message
from longterm.testing._sample_runs import LATER, MINUTE, NOON, suspended_run
from longterm.testing.contract import StoreContract
from tests.store.sharding import THREE, PerServer, SetClock, SilentStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class TestOneServer(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Sharded]:
        with Sharded({"a": MemoryStore()}) as store:
            yield store


class TestThreeStoresInMemory(PerServer, StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Sharded]:
        with Sharded({name: MemoryStore() for name in THREE}) as store:
            yield store


# -- the map -------------------------------------------------------------------------------------


def test_an_id_of_ours_says_when_it_was_drawn_and_others_say_nothing() -> None:
    moment = datetime(2026, 11, 29, 17, 30, 1, 234_000, tzinfo=UTC)

    drawn = new_id(moment)

    assert moment_of(drawn) == int(moment.timestamp() * 1000)
    version_4 = "9f0b5d1c6a2e4c3d8b7a0123456789ab"
    for other in ("r1", drawn.upper(), drawn[:-1], f"{drawn}0", f"{drawn}\n", version_4):
        assert moment_of(other) is None


def test_the_place_of_an_id_never_changes() -> None:
    """These are written down: a hash that changed would lose all runs."""
    epochs = Epochs([Epoch(BEGIN, ("a", "b", "c", "d"))])

    ids = [
        "r1",
        "order 4711",
        "schedule:shop:report",
        "0190d6c85a3e7cc1b0f03f6a2c1de001",
        "é\ud800",
    ]

    assert [epochs.place(run_id, 0) for run_id in ids] == PLACES


PLACES = ["a", "d", "c", "c", "d"]


def test_a_new_epoch_moves_no_run_and_new_ones_are_spread(epoch_store: EpochStores) -> None:
    two = epoch_store.with_epochs(("a", "b"))
    old = [two.create(drawn(two)).id for _ in range(50)]

    four = epoch_store.with_epochs(("a", "b"), ("a", "b", "c", "d"))
    four.migrate()
    epoch_store.clock.let_pass(timedelta(hours=1))
    new = [four.create(drawn(four)).id for _ in range(400)]

    assert [four.get(run_id).id for run_id in old + new] == old + new
    counts = {name: len(store.find(Query(limit=999))) for name, store in epoch_store.stores.items()}
    assert sum(counts.values()) == 450
    assert all(70 < counts[name] - before < 135 for name, before in epoch_store.counted.items())
    assert set(counts) == {"a", "b", "c", "d"}


def test_pages_come_in_the_order_of_ids(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b", "c"))
    ids = sorted(store.create(drawn(store)).id for _ in range(50))

    for newest_first in (False, True):
        found: list[str] = []
        query = Query(limit=7, newest_first=newest_first)
        while page := store.find(replace(query, after=found[-1] if found else None)):
            found += [run.id for run in page]

        assert found == sorted(ids, reverse=newest_first)


# -- who knows which map -------------------------------------------------------------------------


def test_a_process_of_the_old_epochs_starts_nothing_once_a_server_knows_more(
    epoch_store: EpochStores,
) -> None:
    old = epoch_store.with_epochs(("a", "b"))
    run = old.create(drawn(old))
    new = epoch_store.with_epochs(("a", "b"), ("a", "b", "c"))
    new.migrate()
    epoch_store.forget_looks(old)

    for other in (drawn(old), suspended_run("chosen")):
        with pytest.raises(StoreError, match=r"\(give this machine the newest shards.toml\)"):
            old.create(other)

    assert old.get(run.id) == run  # what has begun goes on
    claimed = old.unsuspend(run.id, "number")
    assert claimed is not None
    old.update(claimed.changed(state=RunState.COMPLETE))
    epoch_store.clock.let_pass(timedelta(hours=1))
    elsewhere = [new.create(drawn(new)).id for _ in range(30)]
    elsewhere = [run_id for run_id in elsewhere if new._place(run_id) != old._place(run_id)]
    assert len(elsewhere) > 9
    for run_id in elsewhere:  # never: it is unknown
        with pytest.raises(StoreError, match=r"\(give this machine the newest shards.toml\)"):
            old.get(run_id)
    with pytest.raises(StoreError, match=r"\(give this machine the newest shards.toml\)"):
        old.find(Query())


def test_a_process_that_can_read_the_new_epochs_goes_on(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))
    store.create(drawn(store))
    new = epoch_store.with_epochs(("a", "b"), ("a", "b", "c"))
    new.migrate()
    epoch_store.forget_looks(store)
    epoch_store.clock.let_pass(timedelta(hours=1))

    epoch_store.edit(store, ("a", "b"), ("a", "b", "c"))
    ids = [store.create(drawn(store)).id for _ in range(30)]

    assert store.part_names == ["a", "b", "c"]
    assert [new.get(run_id).id for run_id in ids] == ids


def test_no_run_begins_in_an_epoch_that_is_not_announced(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))
    store.create(drawn(store))
    new = epoch_store.with_epochs(("a", "b"), ("a", "b", "c"))

    assert new.create(drawn(new))  # in the old epoch all is as it was
    early = suspended_run(new_id(epoch_store.clock.now() + timedelta(hours=2)))
    epoch_store.clock.let_pass(timedelta(hours=3))
    for other in (drawn(new), early, suspended_run("chosen")):
        with pytest.raises(StoreError, match=r"\(run `longterm migrate`\)"):
            new.create(other)


def test_an_epoch_is_announced_before_it_begins(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))
    store.create(drawn(store))
    epoch_store.begin_of_second = epoch_store.clock.now() + timedelta(minutes=4)

    with pytest.raises(StoreError, match=r"begins too soon: .* \(let it begin later"):
        epoch_store.with_epochs(("a", "b"), ("a", "b", "c")).migrate()

    assert store.create(drawn(store))


def test_an_announced_epoch_is_never_changed(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))
    store.create(drawn(store))
    epoch_store.with_epochs(("a", "b"), ("a", "b", "c")).migrate()

    for changed in [(("b", "a"),), (("a", "b"), ("a", "c")), (("a", "b"),)]:
        with pytest.raises(StoreError, match=r"\((put it back|take the newest)"):
            epoch_store.with_epochs(*changed).migrate()


@pytest.mark.parametrize("died_after", range(7))
def test_an_announcement_that_died_half_way_is_made_good(
    epoch_store: EpochStores, died_after: int
) -> None:
    """Each server is written to twice; the writer dies before one of the writes."""
    epoch_store.with_epochs(("a", "b")).create(drawn(None, epoch_store.clock))
    new = epoch_store.with_epochs(("a", "b"), ("a", "b", "c"))
    silent = epoch_store.silence_writes_after(died_after)
    if died_after < 6:
        with pytest.raises(StoreError, match="it died"):
            new.migrate()
    else:
        new.migrate()
    silent.undo()

    late = epoch_store.with_epochs(("a", "b"), ("a", "b", "c"))
    late.migrate()
    epoch_store.clock.let_pass(timedelta(hours=1))

    assert late.create(drawn(late))
    assert late.create(suspended_run("chosen"))


def test_a_database_that_is_another_servers_is_refused(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))
    store.create(drawn(store))
    a, b = epoch_store.stores["a"], epoch_store.stores["b"]

    swapped = Sharded({"a": b, "b": a}, clock=epoch_store.clock)
    with pytest.raises(StoreError, match=r"leads to the database of server '.' \(check the URLs\)"):
        swapped.get("r1")
    emptied = Sharded({"a": a, "b": MemoryStore()}, epoch_store.epochs(("a", "b")))
    with pytest.raises(StoreError, match="does not know that it is one of several"):
        emptied.find(Query())


# -- ids of the caller's choice ------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, 30])
def test_an_id_of_the_callers_is_found_in_any_epoch_and_begun_once(
    epoch_store: EpochStores, hours: int
) -> None:
    two = epoch_store.with_epochs(("a", "b"))
    ids = [f"order {number}" for number in range(40)]
    for run_id in ids:
        two.create(suspended_run(run_id))
    four = epoch_store.with_epochs(("a", "b"), ("a", "b", "c", "d"))
    four.migrate()
    epoch_store.clock.let_pass(timedelta(minutes=30) + timedelta(hours=hours))

    for store in (four, epoch_store.with_epochs(("a", "b"), ("a", "b", "c", "d"))):
        for run_id in ids:
            with pytest.raises(RunExists):
                store.create(suspended_run(run_id))
            assert store.get(run_id).id == run_id
    new = [four.create(suspended_run(f"new {number}")).id for number in range(40)]

    again = epoch_store.with_epochs(("a", "b"), ("a", "b", "c", "d"))
    assert [again.get(run_id).id for run_id in new] == new
    assert [run.id for run in again.find(Query(limit=999))] == sorted(ids + new)  # and no marks
    assert [count.runs for count in again.count_states()] == [80]
    for run_id in new:
        with pytest.raises(RunExists):
            again.create(suspended_run(run_id))
    with pytest.raises(UnknownRun):
        again.get("nobody")


def test_a_start_that_comes_late_to_an_old_place_finds_it_taken(epoch_store: EpochStores) -> None:
    """The clock of one process is behind: for it the old epoch still lasts."""
    behind = SetClock(epoch_store.clock.now())
    epoch_store.with_epochs(("a", "b")).migrate()
    new = epoch_store.with_epochs(("a", "b"), ("c", "d"))
    new.migrate()
    late = Sharded(epoch_store.stores, epoch_store.epochs(("a", "b"), ("c", "d")), clock=behind)
    epoch_store.clock.let_pass(timedelta(hours=1))

    for number in range(20):
        first, second = (new, late) if number % 2 else (late, new)
        first.create(suspended_run(f"order {number}"))
        with pytest.raises(RunExists):
            second.create(suspended_run(f"order {number}"))

    assert len(new.find(Query(limit=99))) == 20


def test_an_id_is_refused_while_a_server_that_may_have_it_is_away(epoch_store: EpochStores) -> None:
    two = epoch_store.with_epochs(("a", "b"))
    two.migrate()
    epoch_store.with_epochs(("a", "b"), ("c", "d")).migrate()
    epoch_store.clock.let_pass(timedelta(hours=1))
    store = epoch_store.with_epochs(("a", "b"), ("c", "d"), away="a")
    old_place = {f"order {n}": Epochs(epoch_store.epochs(("a", "b"))).place(f"order {n}", 0)
                 for n in range(20)}  # fmt: skip

    for run_id, place in old_place.items():
        if place == "a":
            with pytest.raises(StoreError, match=r"cannot begin run .* \(try again when that is"):
                store.create(suspended_run(run_id))
            with pytest.raises(StoreError, match="server 'a'"):
                store.get(run_id)
        else:
            assert store.get(store.create(suspended_run(run_id)).id).id == run_id
    back = epoch_store.with_epochs(("a", "b"), ("c", "d"))
    for run_id, place in old_place.items():
        if place == "a":
            back.create(suspended_run(run_id))
    assert len(back.find(Query(limit=99))) == 20


def test_an_id_of_a_time_that_has_not_come_is_refused(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(("a", "b"))

    with pytest.raises(StoreError, match=r"not come, .* \(leave its id to longterm"):
        store.create(suspended_run(new_id(epoch_store.clock.now() + timedelta(minutes=2))))


# -- a server that is away -----------------------------------------------------------------------


def test_one_that_is_away_stops_its_own_runs_only(epoch_store: EpochStores) -> None:
    healthy = epoch_store.with_epochs(THREE)
    runs = [
        healthy.create(replace(drawn(healthy), deadline=NOON, updated_at=NOON)) for _ in range(30)
    ]
    on_b = {run.id for run in epoch_store.stores["b"].find(Query(limit=99))}
    store = epoch_store.with_epochs(THREE, away="b")

    claimed = store.claim_due(now=LATER, until=LATER + MINUTE, limit=99)

    assert {run.id for run in claimed} == {run.id for run in runs} - on_b
    stale = store.release_stale(now=LATER + 2 * MINUTE, max_attempts=5)
    assert {run.id for run in stale} == {run.id for run in claimed}
    for run in runs:
        if run.id in on_b:
            with pytest.raises(StoreError, match="server 'b'"):
                store.get(run.id)
        else:
            assert store.get(run.id).attempts == 1


def test_nobody_waits_for_one_that_is_known_to_be_away(epoch_store: EpochStores) -> None:
    """The first caller waits as long as its store tries; then the others are told at once."""
    healthy = epoch_store.with_epochs(THREE)
    run = next(
        run for run in map(suspended_run, map(str, range(99))) if healthy._place(run.id) == "b"
    )
    healthy.create(run)
    b = SilentStore(epoch_store.stores["b"])
    store = Sharded({**epoch_store.stores, "b": b}, epoch_store.epochs(THREE))

    with pytest.raises(StoreError, match="server 'b': it is away"):
        store.get(run.id)
    server = store._servers.named("b")
    end = time.monotonic() + 5
    while server.error is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    server.store = epoch_store.stores["b"]  # type: ignore[assignment]

    with pytest.raises(StoreError, match="server 'b': it is away"):
        store.get(run.id)
    while server.error is not None:  # it is asked each second, and answers
        assert time.monotonic() < end
        time.sleep(0.01)
    assert store.get(run.id).id == run.id


def test_a_search_says_what_is_missing(
    epoch_store: EpochStores, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = epoch_store.with_epochs(THREE)
    for _ in range(30):
        healthy.create(drawn(healthy))
    store = epoch_store.with_epochs(THREE, away="b")

    for ask in (lambda: store.find(Query()), store.count_positions,
                lambda: store.queue_statuses(now=NOON)):  # fmt: skip
        with pytest.raises(StoreError, match="server 'b': it is away"):
            ask()

    partial = epoch_store.with_epochs(THREE, away="b", partial=True)
    missing = len(epoch_store.stores["b"].find(Query(limit=99)))
    assert len(partial.find(Query(limit=99))) == 30 - missing
    # Whoever looks after the server may have found out first, and is about to say so.
    end = time.monotonic() + 30
    while "server 'b': it is away" not in caplog.text and time.monotonic() < end:
        time.sleep(0.01)
    assert "server 'b': it is away" in caplog.text


def test_the_part_of_one_that_is_away_fails_and_others_work(epoch_store: EpochStores) -> None:
    healthy = epoch_store.with_epochs(THREE)
    for _ in range(30):
        healthy.create(replace(drawn(healthy), deadline=NOON))
    store = epoch_store.with_epochs(THREE, away="b")
    due = {"now": LATER, "until": LATER + MINUTE, "limit": 99}

    found = {name: store.part(name).claim_due(**due) for name in ("a", "c")}  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="server 'b': it is away"):
        store.part("b").claim_due(**due)  # type: ignore[arg-type]

    for name, runs in found.items():
        here = {run.id for run in epoch_store.stores[name].find(Query(limit=99))}
        assert here == {run.id for run in runs} != set()
    with pytest.raises(StoreError, match=r"no server has the name 'x' \(choose from a, b, c\)"):
        store.part("x")


# -- messages and deletion -----------------------------------------------------------------------


def test_what_was_sent_to_a_run_elsewhere_is_deleted_before_it(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(THREE)
    sender, receiver = _on_two_servers(store)
    claimed = store.unsuspend(store.create(suspended_run(sender)).id, "number")
    assert claimed is not None
    sent = (message(1, receiver=receiver), message(2, receiver="another"))
    store.update(claimed.changed(state=RunState.SUSPENDED, outgoing=sent))
    ended = suspended_run(receiver).changed(state=RunState.COMPLETE, updated_at=NOON)
    store.create(ended)

    with pytest.raises(StoreError, match="server"):
        epoch_store.with_epochs(THREE, away=store._place(sender)).delete(receiver)
    assert store.get(receiver)
    assert store.delete(receiver)

    left = store.claim_outgoing(now=LATER, until=LATER + MINUTE, limit=9)
    assert [one.receiver for one in left] == ["another"]


def test_ended_runs_are_deleted_and_marks_with_them(epoch_store: EpochStores) -> None:
    epoch_store.with_epochs(("a", "b")).migrate()
    store = epoch_store.with_epochs(("a", "b"), ("c", "d"))
    store.migrate()
    epoch_store.clock.let_pass(timedelta(hours=1))
    for number in range(9):
        run = suspended_run(f"order {number}").changed(state=RunState.COMPLETE)
        store.create(run.changed(updated_at=epoch_store.clock.now()))
    marks = [run for name in "ab" for run in epoch_store.stores[name].find(Query(limit=99))]
    assert len(marks) == 9

    after = epoch_store.clock.now() + MINUTE
    assert store.delete_ended(saved_before=after, limit=99) == 9

    assert not [run for each in epoch_store.stores.values() for run in each.find(Query(limit=9))]


def _on_two_servers(store: Sharded) -> tuple[str, str]:
    ids = [f"r{number}" for number in range(99)]
    return next(
        (one, other)
        for one, other in itertools.combinations(ids, 2)
        if store._place(one) != store._place(other)
    )


# -- queues --------------------------------------------------------------------------------------


def test_the_limits_of_a_queue_are_shared_out(epoch_store: EpochStores) -> None:
    store = epoch_store.with_epochs(THREE)
    queue = Queue(name="q", concurrency=10, per_partition=3, rate=(7, timedelta(minutes=1)))

    assert store.declare_queue(queue) is None

    shares = [epoch_store.stores[name].declared_queue("q") for name in THREE]
    assert [share and share.concurrency for share in shares] == [4, 3, 3]
    assert [share and share.per_partition for share in shares] == [1, 1, 1]
    assert [share and share.rate and share.rate[0] for share in shares] == [3, 2, 2]
    assert store.declared_queue("q") == queue
    assert store.declare_queue(replace(queue, concurrency=None)) == queue
    assert store.queue_statuses(now=NOON)[0].queue == replace(queue, concurrency=None)
    with pytest.raises(StoreError, match=r"concurrency=2, .* \(allow 3, or keep what is in it on"):
        store.declare_queue(replace(queue, concurrency=2))


def test_a_new_epoch_shares_queues_out_anew(epoch_store: EpochStores) -> None:
    two = epoch_store.with_epochs(("a", "b"))
    queue = Queue(name="q", concurrency=10)
    two.declare_queue(queue)

    four = epoch_store.with_epochs(("a", "b"), ("a", "b", "c", "d"))
    four.migrate()

    shares = [epoch_store.stores[name].declared_queue("q") for name in "abcd"]
    assert [share and share.concurrency for share in shares] == [3, 3, 2, 2]
    assert four.declared_queue("q") == queue


def test_a_queue_that_is_as_it_was_needs_nothing_of_one_that_is_away(
    epoch_store: EpochStores,
) -> None:
    queue = Queue(name="q", concurrency=10)
    epoch_store.with_epochs(THREE).declare_queue(queue)
    store = epoch_store.with_epochs(THREE, away="b")

    store.declare_queue(queue)
    with pytest.raises(StoreError, match="server 'b'"):
        store.declare_queue(replace(queue, concurrency=9))


# -- what it is made of --------------------------------------------------------------------------


class EpochStores:
    """Stores in memory, from which stores over several servers are made as processes would."""

    def __init__(self) -> None:
        self.stores = {name: MemoryStore() for name in "abcd"}
        self.clock = SetClock(datetime(2026, 6, 1, 12, tzinfo=UTC))
        self.begin_of_second = self.clock.now() + timedelta(minutes=30)

    @property
    def counted(self) -> dict[str, int]:
        """How many of the first epoch's runs each has."""
        begin = int(self.begin_of_second.timestamp() * 1000)
        return {
            name: sum((moment_of(run.id) or 0) < begin for run in store.find(Query(limit=999)))
            for name, store in self.stores.items()
        }

    def epochs(self, *servers: tuple[str, ...]) -> list[Epoch]:
        begins = (BEGIN, self.begin_of_second)
        return [Epoch(since, names) for since, names in zip(begins, servers, strict=False)]

    def with_epochs(
        self, *servers: tuple[str, ...], away: str = "", partial: bool = False
    ) -> Sharded:
        stores: dict[str, RunStore] = dict(self.stores)
        if away:
            stores[away] = SilentStore(self.stores[away])
        return Sharded(stores, self.epochs(*servers), clock=self.clock, partial=partial)

    def edit(self, store: Sharded, *servers: tuple[str, ...]) -> None:
        """Give a process another file."""
        store._servers._source = Fixed(self.stores, self.epochs(*servers))

    def forget_looks(self, store: Sharded) -> None:
        """Let the minute pass after which a process asks again."""
        for server in store._servers:
            server.look_soon()

    def silence_writes_after(self, count: int) -> pytest.MonkeyPatch:
        """Let the process die that has written so many notes."""
        left = iter(range(count))
        write = MemoryStore.write_shard_note

        def write_or_die(store: MemoryStore, before: str | None, note: str) -> bool:
            if next(left, None) is None:
                raise StoreError("it died")
            return write(store, before, note)

        patch = pytest.MonkeyPatch()
        patch.setattr(MemoryStore, "write_shard_note", write_or_die)
        return patch


@pytest.fixture
def epoch_store() -> EpochStores:
    return EpochStores()


def drawn(store: Sharded | None, clock: SetClock | None = None) -> Run:
    """Return a run whose id was drawn now."""
    known = clock or (store and store._servers.clock)
    assert known is not None
    return suspended_run(new_id(known.now()))


def test_a_store_that_offers_too_little_is_refused() -> None:
    with pytest.raises(StoreError, match=r"'a': object offers no RunStore, so it cannot be one"):
        Servers(Fixed({"a": object()}, ()), SetClock(NOON))  # type: ignore[dict-item]
