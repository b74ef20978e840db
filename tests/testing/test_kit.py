"""The engine of a test: time that passes by a word, stubs of steps, and branches of runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import longterm as lt
from longterm import (
    Event,
    Retry,
    WrongEvent,
    deflow,
    now,
    respond,
    set_index,
    sleep,
    spawn,
    step,
    suspend,
)
from longterm.testing import EXPIRE, Answer, FakeClock, Throw, WrongScript
from longterm.testing.kit import FlowTester, NeverRests, StubUsedUp

pytest_plugins = ["pytest_longterm"]

approve, reject = Event("approve", str), Event("reject", str)


@step(max_attempts=4, backoff=lambda attempt: timedelta(hours=attempt))
def quote(order):
    raise AssertionError("a service of others")


@step
async def pay(price):
    raise AssertionError("a service of others")


@deflow
def sell(order):
    """Ask for a price, then for an approval; remind once."""
    price = quote(order)
    respond(f"{order} for {price}?")
    for reminder in ("please answer", None):
        match suspend(approve, reject, expires=timedelta(days=2), default=None):
            case ("approve", by):
                sleep(timedelta(days=30))
                return f"{by} got {order}"
            case ("reject", why):
                raise LookupError(why)
        if reminder is not None:
            respond(reminder)
    return "nobody answered"


@deflow
async def shop(order):
    paid = await pay(order)
    by = await suspend("by")
    return f"{paid} by {by}"


@deflow
def nap(hours, log):
    for _ in range(2):
        sleep(timedelta(hours=hours))
        respond(now().hour)
    return hours


@deflow
def parent(hours):
    child = spawn(nap, hours, [])
    return suspend(child)


@deflow
def restless():
    while True:
        suspend("never", expires=now() + timedelta(seconds=1), default=None)
        set_index(at=str(now()))


def test_months_of_waiting_take_no_time(longterm):
    longterm.stub(quote, 42)

    run = longterm.start(sell, "book").answer(approve, "Ada")
    assert run.awaits == ()
    longterm.advance(days=29)
    assert run.state == "suspended"
    longterm.advance(days=1)

    assert run.result == "Ada got book"
    assert run.responses == ["book for 42?"]
    assert longterm.clock.now() == datetime(2026, 1, 31, tzinfo=UTC)


def test_all_that_comes_due_is_done_when_it_is_due(longterm):
    seven, three = longterm.start(nap, 7, []), longterm.start(nap, 3, [])

    longterm.advance(timedelta(hours=10), minutes=30)

    assert three.responses == [3, 6]
    assert seven.responses == [7]
    longterm.advance(until=datetime(2026, 1, 1, 14, tzinfo=UTC))
    assert seven.result == 7


def test_time_does_not_go_back(longterm):
    longterm.advance(days=1)

    with pytest.raises(ValueError, match="is in the past: the clock stands at 2026-01-02"):
        longterm.advance(until=datetime(2026, 1, 1, tzinfo=UTC))


def test_moment_without_a_time_zone_is_refused(longterm):
    with pytest.raises(ValueError, match=r"until=datetime.* has no time zone \(give it tzinfo=UTC"):
        longterm.advance(until=datetime(2026, 1, 2))


def test_schedules_begin_their_runs_at_each_time(longterm):
    pytest.importorskip("cronsim", reason="NOT TESTED: cronsim is missing")
    longterm.stub(quote, 42)
    longterm.engine.schedule(sell, "0 3 * * *", args=("book",), overlap="allow")

    longterm.advance(days=3)

    began = [run.record.created_at for run in longterm.find_runs(flow=sell, state="suspended")]
    assert [moment.day for moment in began if moment.hour == 3] == [1, 2, 3]


def test_queues_that_modules_declare_are_there(longterm, monkeypatch):
    for name, value in (("_declarations", []), ("_told", 0)):
        monkeypatch.setattr(lt._api, name, value)
    lt.queue("declared", concurrency=1)

    run = longterm.run(longterm.engine.start(nap, (1, []), at=timedelta(hours=1)).id)
    longterm.advance(hours=3)

    assert run.result == 1
    assert [status.queue.name for status in longterm.engine.queues()] == ["declared"]


def test_a_run_that_is_due_each_second_is_taken_on_each_second(longterm):
    run = longterm.start(restless)

    longterm.advance(minutes=1)

    assert run.index["at"] == "2026-01-01 00:01:00+00:00"


def test_runs_that_never_rest_are_told(longterm, monkeypatch):
    monkeypatch.setattr("longterm.testing.kit._MOST_TURNS", 5)
    for _ in range(6):
        longterm.engine.start(nap, (1, []), at=timedelta(hours=1))

    with pytest.raises(NeverRests, match="5 turns were due one after the other at 2026-01-01 01:"):
        longterm.advance(hours=1)


def test_attempts_at_a_step_come_with_time(longterm):
    stub = longterm.stub(quote, sequence=[OSError("down"), Retry(after=timedelta(days=1)), 42])

    run = longterm.start(sell, "book")
    assert repr(run).endswith("sell: waits for a step until 2026-01-01 01:00:00>")
    longterm.advance(hours=1)
    longterm.advance(days=1)

    assert run.awaits == ("approve", "reject")
    assert [call.args for call in stub.calls] == [("book",)] * 3


def test_stub_answers_by_a_function(longterm):
    longterm.stub(quote, function=lambda order: len(order))

    assert longterm.start(sell, "book").response == ["book for 4?"]


def test_stub_raises(longterm):
    longterm.stub(quote, raises=OSError)

    run = longterm.start(sell, "book")
    longterm.advance(days=1)

    assert "OSError" in run.error
    assert repr(run) == "<run of sell: failed>"
    with pytest.raises(AssertionError, match=r"it has no result: run \w+ of .*:sell: failed"):
        run.result  # noqa: B018


def test_stub_answers_for_an_async_step_too(longterm):
    stub = longterm.stub(pay, "paid")

    run = longterm.start(shop, "book").answer("by", "Ada")

    assert run.result == "paid by Ada"
    assert stub.calls == [(("book",), {})]


def test_an_async_test_can_use_it_as_well(longterm):
    async def test():
        longterm.stub(pay, function=lambda price: asyncio.sleep(0, price))
        run = longterm.start(shop, "book")
        longterm.advance(days=1)
        return run.answer("by", "Ada").result

    assert asyncio.run(test()) == "book by Ada"


def test_stub_that_is_used_up_fails_the_test_and_not_the_flow(longterm):
    longterm.stub(quote, sequence=[OSError("down")])
    longterm.start(sell, "book")

    with pytest.raises(StubUsedUp, match=r"test_kit.quote was called once more.* has 1 answers"):
        longterm.advance(hours=1)


def test_stub_is_gone_after_the_test():
    with FlowTester() as tester:
        tester.stub(quote, 42)
        assert quote("book") == 42

    with pytest.raises(AssertionError, match="a service of others"):
        quote("book")


@pytest.mark.parametrize(
    ("given", "words"),
    [(len, "is no step, and only steps have stubs"), (sell, "is a flow, and only steps have")],
)
def test_only_steps_have_stubs(longterm, given, words):
    with pytest.raises(TypeError, match=words):
        longterm.stub(given, 42)


def test_stub_has_one_answer(longterm):
    with pytest.raises(TypeError, match=r"a stub of .*quote has one answer"):
        longterm.stub(quote, None, raises=OSError)


def test_branches_go_on_from_one_state_and_do_not_see_each_other(longterm):
    longterm.stub(quote, 42)
    run = longterm.start(sell, "book")
    longterm.advance(days=1)

    bought, refused, thrown, reminded = run.branches(
        Answer("approve", "Ada"), Answer("reject", "dear"), Throw(KeyError("k")), EXPIRE
    )
    bought.tester.advance(weeks=5)

    assert bought.result == "Ada got book"
    assert "LookupError: dear" in refused.error
    assert thrown.state == "failed"
    assert reminded.responses == ["book for 42?", "please answer"]
    assert reminded.tester.clock.now() == datetime(2026, 1, 3, tzinfo=UTC)
    assert run.awaits == ("approve", "reject")
    assert longterm.clock.now() == datetime(2026, 1, 2, tzinfo=UTC)


def test_branches_can_branch(longterm):
    longterm.stub(quote, 42)
    (reminded,) = longterm.start(sell, "book").branches(EXPIRE)

    late, bought = reminded.branches(EXPIRE, Answer("approve", "Bob"))

    assert late.result == "nobody answered"
    assert bought.state == "suspended"


def test_branch_has_children_and_events_that_are_unread(longterm):
    run = longterm.start(parent, 2)
    (child,) = run.children
    run.send("later", 7)

    (branch,) = child.branches(EXPIRE)
    branch.tester.advance(hours=2)

    assert branch.tester.run(run.id).result == 2
    assert branch.tester.run(run.id).record.unread == ("later",)
    assert run.state == "suspended"


def test_branch_by_a_value_alone_needs_a_single_event(longterm):
    longterm.stub(quote, 42)
    longterm.stub(pay, "paid")

    (named,) = longterm.start(shop, "book").branches("Ada")
    assert named.result == "paid by Ada"
    with pytest.raises(WrongScript, match="'Ada' needs an Answer that names its event: <run of"):
        longterm.start(sell, "book").branches("Ada")


def test_branch_that_cannot_come_is_refused(longterm):
    longterm.stub(quote, 42)
    run = longterm.start(sell, "book")
    (failed,) = run.branches(Answer("reject", "dear"))

    with pytest.raises(WrongEvent):
        run.branches(Answer("else"))
    with pytest.raises(WrongScript, match="nothing comes by itself here"):
        failed.branches(EXPIRE)


def test_what_a_flow_raises_comes_to_who_answers(longterm):
    longterm.stub(quote, 42)
    run = longterm.start(sell, "book")

    with pytest.raises(LookupError, match="dear"):
        run.answer(reject, "dear")
    assert run.state == "failed"


def test_cancel_throw_and_retry(longterm):
    longterm.stub(quote, sequence=[42, 43, 44])
    cancelled, thrown = longterm.start(sell, "a").cancel(), longterm.start(sell, "b")
    with pytest.raises(OSError, match="o"):
        thrown.throw(OSError("o"))

    assert cancelled.state == "cancelled"
    assert thrown.retry().awaits == ("approve", "reject")


def test_it_is_the_default_engine_of_the_application(longterm):
    longterm.stub(quote, 42)
    run = lt.start_flow(sell, "book")
    lt.process_event(run.id, "approve", "Ada")
    longterm.advance(days=30)

    (found,) = longterm.find_runs(state="complete")
    assert found.id == longterm.run(run.id).id == run.id
    assert found.result == "Ada got book"
    assert found.responses == ["book for 42?"]


def test_default_engine_is_as_before_after_the_test():
    before = lt._api.default_engine()
    with FlowTester(clock=FakeClock(datetime(2030, 1, 1, tzinfo=UTC))) as tester:
        assert lt._api.default_engine() is tester.engine
        assert repr(tester) == "<FlowTester at 2030-01-01 00:00:00 UTC, on a MemoryStore>"

    assert lt._api.default_engine() is before


def test_queue_with_a_rate_lets_one_after_the_other_begin(longterm):
    longterm.engine.queue("model", rate=(1, timedelta(hours=1)))
    for _ in range(3):
        longterm.engine.start(nap, (1, []), queue="model")
    longterm.stub(quote, 42)

    longterm.advance()
    assert len([run for run in longterm.find_runs() if run.record.queue is None]) == 1
    assert "waits in queue 'model' since 2026-01-01 00:00:00" in longterm.describe()
    longterm.advance(hours=2)

    assert not [run for run in longterm.find_runs() if run.record.queue is not None]


def test_description_tells_how_all_runs_stand(longterm):
    longterm.stub(quote, 42)
    run = longterm.start(sell, "book").send("early", 1)

    told = longterm.describe().splitlines()

    assert told[0] == "the clock stands at 2026-01-01 00:00:00 UTC"
    assert told[1:4] == [
        f"run {run.id} of {__name__}:sell: "
        "waits for 'approve' or 'reject' until 2026-01-03 00:00:00",
        "  turn 1 said 'book for 42?'",
        "  has not read 'early'",
    ]


def test_store_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"its runs in 'mysql://…@host/x' .*--longterm-store="):
        FlowTester("mysql://user:secret@host/x")
