"""`engine.start`: a run under an id of the caller's is started once; or later; with facts."""

import asyncio
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from longterm import (
    CannotStore,
    CannotSuspend,
    Engine,
    InvalidDeadline,
    InvalidDeliveryKey,
    InvalidFact,
    InvalidRunId,
    KeyReused,
    NotAFlow,
    Run,
    RunState,
    current_run,
    deflow,
    set_index,
    set_keys,
    suspend,
)
from tests.runtime.test_first_turn import FourMethods

HOUR = timedelta(hours=1)
calls = []


@pytest.fixture
def engine(each_engine):
    return each_engine


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()
    yield
    set_keys()


@deflow
def order(item, *, count=1):
    calls.append(item)
    return f"{count} {item}: {suspend('paid')}"


@deflow
def other(item):
    return suspend("paid")


@deflow
async def aorder(item):
    calls.append(item)
    return await suspend("paid")


@deflow
def refused():
    calls.append("refused")
    lock = threading.Lock()
    suspend("paid")
    return lock


@deflow
def drops(given):
    del given
    suspend("paid")


@deflow
def fails():
    raise ValueError("no")


@deflow
def facts():
    set_index(status="begun")
    suspend("paid")
    return dict(current_run().index)


class Shop:
    def __init__(self, name):
        self.name = name

    @deflow
    def sell(self, item):
        return self.name, item, suspend("paid")


# -- once ----------------------------------------------------------------------------------------


def test_the_same_call_again_returns_the_run_as_it_is(engine):
    first = engine.start(order, ("tea",), {"count": 2}, id="order 1")
    assert (first.id, first.is_duplicate, first.waiting_for) == ("order 1", False, "paid")

    again = engine.start(order, ["tea"], {"count": 2}, id="order 1")
    assert again.is_duplicate
    assert again == engine.get_run("order 1")

    engine.process_event("order 1", "paid", "yes")
    again = engine.start(order, ("tea",), {"count": 2}, id="order 1")
    assert (again.is_duplicate, again.result) == (True, "2 tea: yes")
    assert calls == ["tea"]


def test_another_call_under_the_id_is_refused(engine):
    run = engine.start(order, ("tea",), id="order 1")
    for flow, args, kwargs in [
        (order, ("coffee",), {}),
        (order, ("tea",), {"count": 2}),
        (order, ("tea", "tea"), {}),
        (other, ("tea",), {}),
        (aorder, ("tea",), {}),
    ]:
        with pytest.raises(KeyReused, match="'order 1' was started before") as reused:
            engine.start(flow, args, kwargs, id="order 1", at=HOUR)
        assert reused.value.run_id == "order 1"
    with pytest.raises(KeyReused):
        engine.start(order, ("coffee",), id="order 1")

    assert engine.get_run("order 1") == run
    assert calls == ["tea"]


def test_what_counts_is_the_call(engine):
    first = engine.start(order, (), {"item": "tea", "count": 2}, id="a", index={"n": 1})
    again = engine.start(order, (), {"count": 2, "item": "tea"}, id="a", index={"n": 2}, at=HOUR)

    assert again.is_duplicate
    assert (again.index, again.deadline) == ({"n": 1}, None)
    assert first.state == again.state


def test_methods_are_compared_with_their_object(engine):
    run = engine.start(Shop("corner").sell, ("tea",), id="a")

    assert engine.start(Shop("corner").sell, ("tea",), id="a").is_duplicate
    with pytest.raises(KeyReused):
        engine.start(Shop("other").sell, ("tea",), id="a")
    assert engine.process_event(run.id, "paid", 1).result == ("corner", "tea", 1)


def test_of_concurrent_starts_exactly_one_runs(engine):
    gate = threading.Barrier(8)
    runs = []

    def start():
        gate.wait(10)
        runs.append(engine.start(order, ("tea",), id="order 1"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == ["tea"]
    assert sorted(run.is_duplicate for run in runs) == [False] + [True] * 7
    assert engine.join("order 1", timeout=10).waiting_for == "paid"


def test_start_that_died_is_left_to_a_worker(engine, monkeypatch):
    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("longterm._turns.claim.Claim.close", lambda *_: None)
        patched.setattr(engine._turns.running, "run", dies)
        with pytest.raises(SystemExit):
            engine.start(order, ("tea",), id="order 1")

    again = engine.start(order, ("tea",), id="order 1")
    assert (again.is_duplicate, again.state, calls) == (True, "running", [])
    with pytest.raises(KeyReused):
        engine.start(order, ("coffee",), id="order 1")

    engine.clock.advance(HOUR)
    assert engine.run_pending() == 1
    again = engine.start(order, ("tea",), id="order 1")
    assert (again.is_duplicate, again.waiting_for, calls) == (True, "paid", ["tea"])


def test_interrupted_repeat_takes_nothing_back(engine, monkeypatch):
    engine.store.create(  # as the first start did, at the same moment
        Run(
            id="order 1",
            flow="tests.runtime.test_start:order",
            state=RunState.RUNNING,
            claimed_until=engine.clock.now() + timedelta(minutes=1),
        )
    )

    def interrupts(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(engine._claims, "confirmed", interrupts)
        with pytest.raises(KeyboardInterrupt):
            engine.start(order, ("tea",), id="order 1")

    assert engine.get_run("order 1").state == "running"


def test_refused_start_leaves_the_id_free(engine):
    with pytest.raises(CannotSuspend):
        engine.start(refused, id="order 1")

    assert engine.start(order, ("tea",), id="order 1").waiting_for == "paid"


def test_failed_start_keeps_the_id(engine):
    with pytest.raises(ValueError, match="no"):
        engine.start(fails, id="order 1")

    assert engine.start(fails, id="order 1").state == "failed"


def test_arguments_that_cannot_be_stored_are_not_compared(engine):
    lock = threading.Lock()
    engine.start(facts, id="a")
    with pytest.raises(KeyReused):
        engine.start(drops, (lock,), id="a")

    engine.start(drops, (lock,), id="c")
    assert engine.start(drops, (1,), id="c").is_duplicate


def test_the_digest_is_kept_as_long_as_the_run(engine):
    engine.start(order, ("tea",), id="order 1")
    engine.clock.advance(timedelta(days=400))
    engine.prune(timedelta(days=1))

    with pytest.raises(KeyReused):
        engine.start(order, ("coffee",), id="order 1")

    engine.cancel("order 1")
    engine.delete("order 1")
    assert engine.start(order, ("coffee",), id="order 1").waiting_for == "paid"


def test_a_change_of_keys_is_no_other_call(engine):
    old, new = "0123456789abcdef" * 4, "fedcba9876543210" * 4
    set_keys(old)
    engine.start(order, ("tea",), id="a")
    set_keys(new, old)

    assert engine.start(order, ("tea",), id="a").is_duplicate
    with pytest.raises(KeyReused):
        engine.start(order, ("coffee",), id="a")


def test_the_key_of_starts_is_no_key_of_deliveries(engine):
    run = engine.start(order, ("tea",), id="order 1")
    for call in (engine.process_event, engine.send):
        with pytest.raises(InvalidDeliveryKey, match=r"does not begin with 'longterm\.'"):
            call(run.id, "paid", key="longterm.start")


def test_deliveries_of_the_run_are_as_ever(engine):
    engine.start(order, ("tea",), id="order 1")

    done = engine.process_event("order 1", "paid", "yes", key="click")

    assert (done.delivery, done.result) == ("click", "1 tea: yes")
    assert engine.process_event("order 1", "paid", "yes", key="click").is_duplicate


def test_store_of_four_methods_compares_the_flows_alone():
    engine = Engine(FourMethods())
    engine.start(order, ("tea",), id="order 1")

    assert engine.start(order, ("coffee",), id="order 1").is_duplicate
    with pytest.raises(KeyReused):
        engine.start(other, ("tea",), id="order 1")
    assert calls == ["tea"]


@pytest.mark.parametrize("given", ["", "x" * 501, "a\nb", "a\0", "\ud800", 7, b"a", "\x7f"])
def test_bad_id_is_refused(engine, given):
    with pytest.raises(InvalidRunId, match="printable text of 1 to 500 characters"):
        engine.start(order, ("tea",), id=given)
    assert calls == []
    assert engine.find_runs() == []


@pytest.mark.parametrize("given", ["x" * 500, "😀" * 500, "order/4711", "../a", "a b", "Ä%_'\""])
def test_good_id_is_taken(engine, given):
    engine.start(order, ("tea",), id=given)

    assert engine.process_event(given, "paid", 1).result == "1 tea: 1"
    assert engine.start(order, ("tea",), id=given).is_duplicate


def test_uuid_is_taken(engine):
    given = uuid.uuid4()

    assert engine.start(order, ("tea",), id=given).id == given.hex
    assert engine.start(order, ("tea",), id=str(given).replace("-", "")).is_duplicate
    assert engine.get_run(given).waiting_for == "paid"


def test_without_an_id_each_start_is_a_run(engine):
    assert engine.start(order, ("tea",)).id != engine.start(order, ("tea",)).id


def test_text_is_no_tuple_of_arguments(engine):
    with pytest.raises(TypeError, match=r"write start\(flow, \(item,\)\)"):
        engine.start(order, "tea")
    with pytest.raises(NotAFlow):
        engine.start(len, ("tea",))


# -- later ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [order, aorder])
def test_later_start_is_left_to_a_worker(engine, flow):
    run = engine.start(flow, ("tea",), id="a", at=HOUR)

    assert (run.state, run.waiting_for, run.awaits) == ("suspended", "longterm.start", ())
    assert run.deadline == engine.clock.now() + HOUR
    assert (engine.run_pending(), calls) == (0, [])
    assert engine.start(flow, ("tea",), id="a", at=2 * HOUR).deadline == run.deadline

    engine.clock.advance(HOUR)
    assert (engine.run_pending(), calls) == (1, ["tea"])
    run = engine.get_run("a")
    assert (run.waiting_for, run.delivery) == ("paid", None)
    assert engine.start(flow, ("tea",), id="a", at=HOUR).is_duplicate
    with pytest.raises(KeyReused):
        engine.start(flow, ("coffee",), id="a", at=HOUR)


def test_moment_is_taken_in_any_time_zone(engine):
    moment = engine.clock.now().astimezone().replace(microsecond=5) + HOUR

    run = engine.start(order, ("tea",), at=moment)

    assert run.deadline == moment
    assert run.deadline.tzinfo is UTC


def test_moment_that_is_over_is_due_at_once(engine):
    engine.start(order, ("tea",), at=-HOUR)
    engine.start(order, ("milk",), at=engine.clock.now() - HOUR)

    assert engine.run_pending() == 2
    assert sorted(calls) == ["milk", "tea"]


def test_later_start_that_dies_is_begun_again(engine):
    engine.start(order, ("tea",), id="a", at=HOUR)
    engine.clock.advance(HOUR)
    (claimed,) = engine.store.claim_due(
        now=engine.clock.now(), until=engine.clock.now() + HOUR, limit=1
    )
    assert claimed.id == "a"
    engine.clock.advance(2 * HOUR)

    assert engine.run_pending() == 1
    assert engine.get_run("a").waiting_for == "paid"


def test_later_start_can_be_cancelled(engine):
    engine.start(order, ("tea",), id="a", at=HOUR)

    assert engine.cancel("a").state == "cancelled"
    assert calls == []


def test_later_start_keeps_its_arguments(engine):
    with pytest.raises(CannotStore, match="cannot store the call that begins") as refusal:
        engine.start(order, (threading.Lock(),), id="a", at=HOUR)
    assert "lock" in str(refusal.value)
    engine = Engine(engine.store, clock=engine.clock, max_bytes=1000)
    with pytest.raises(CannotStore, match="1,000 bytes are allowed"):
        engine.start(order, ("x" * 2000,), id="a", at=HOUR)

    assert engine.start(order, ("tea",), id="a", at=HOUR).is_duplicate is False


@pytest.mark.parametrize("at", [datetime(2027, 1, 1), 5, "soon", timedelta.max, datetime.max])
def test_bad_moment_is_refused(engine, at):
    with pytest.raises(InvalidDeadline, match="cannot begin a run"):
        engine.start(order, ("tea",), at=at)
    assert engine.find_runs() == []


# -- facts ---------------------------------------------------------------------------------------


def test_run_is_found_by_its_facts_from_the_begin(engine):
    run = engine.start(facts, id="a", at=HOUR, index={"customer": 7, "status": "new"})
    assert engine.find_runs(index={"customer": 7, "status": "new"}) == [run]

    engine.clock.advance(HOUR)
    engine.run_pending()
    assert engine.find_runs(index={"status": "new"}) == []
    assert [run.id for run in engine.find_runs(index={"customer": 7, "status": "begun"})] == ["a"]
    assert engine.process_event("a", "paid").result == {"customer": 7, "status": "begun"}


def test_failed_first_turn_keeps_its_facts(engine):
    with pytest.raises(ValueError, match="no"):
        engine.start(fails, index={"customer": 7})

    (run,) = engine.find_runs(index={"customer": 7})
    assert run.state == "failed"


@pytest.mark.parametrize("index", [{"a": [1]}, {"a": "x" * 3000}, {7: 1}, {"x" * 200: 1}])
def test_bad_fact_is_refused(engine, index):
    with pytest.raises(InvalidFact):
        engine.start(order, ("tea",), index=index)
    assert engine.find_runs() == []


def test_facts_are_copied(engine):
    index = {"customer": 7}
    run = engine.start(order, ("tea",), at=HOUR, index=index)
    index["customer"] = 8

    assert engine.get_run(run.id).index == run.index == {"customer": 7}


# -- asynchronous --------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [order, aorder])
def test_async_start_is_the_same(engine, flow):
    async def main():
        runs = await asyncio.gather(
            *(engine.astart(flow, ("tea",), id="a", index={"n": 1}) for _ in range(5))
        )
        with pytest.raises(KeyReused):
            await engine.astart(flow, ("coffee",), id="a")
        later = await engine.astart(flow, ("milk",), id="b", at=HOUR)
        return runs, later, await engine.astart(flow, ("milk",), id="b", at=HOUR)

    runs, later, again = asyncio.run(main())

    assert sorted(run.is_duplicate for run in runs) == [False] + [True] * 4
    assert (later.waiting_for, again.is_duplicate) == ("longterm.start", True)
    assert calls == ["tea"]
