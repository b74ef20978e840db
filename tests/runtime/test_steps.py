"""`@step`: what a call of one returns is saved, once, and never done again."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

from longterm import (
    Cancelled,
    CannotStore,
    CannotSuspend,
    Engine,
    NotAStep,
    NotInStep,
    Retry,
    RunState,
    StepUnknown,
    current_run,
    deflow,
    now,
    respond,
    send,
    set_index,
    sleep,
    step,
    step_key,
    suspend,
)
from longterm.store.memory import MemoryStore
from longterm.testing import interpret, play

SECOND = timedelta(seconds=1)
done: list[Any] = []
faults: list[BaseException] = []
kept: ContextVar[str] = ContextVar("kept", default="nothing")


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()
    faults.clear()


class CountsSaves(MemoryStore):
    def __init__(self):
        super().__init__()
        self.saved: list[Any] = []

    def update(self, run):
        saved = super().update(run)
        self.saved.append(saved)
        return saved


def fail():
    if faults:
        raise faults.pop(0)


@step
def price(item):
    done.append(item)
    fail()
    return len(item)


@step(max_attempts=3, retry_on=(ConnectionError, TimeoutError))
def charge(order):
    done.append((order, step_key()))
    fail()
    return f"paid {order}"


@step(max_attempts=5, backoff=lambda attempt: attempt * 4 * SECOND)
def book(order):
    done.append(order)
    fail()
    return f"booked {order}"


@step(at_most_once=True)
def launch(rocket):
    done.append(rocket)
    fail()
    return f"{rocket} is up"


@step(max_attempts=2, backoff=lambda attempt: SECOND)
async def quote(order):
    await asyncio.sleep(0)
    done.append(order)
    fail()
    return f"quote for {order}"


@step(timeout=timedelta(milliseconds=20))
async def hangs():
    await asyncio.sleep(60)


class Shop:
    def __init__(self, name):
        self.name = name

    @step
    def sell(self, item):
        return f"{self.name} sells {item}"

    @deflow
    def open(self, item):
        return self.sell(item), suspend("more"), self.sell("more")


@deflow
def buy(items):
    total = price("bag") + sum([price(each) for each in items])
    return total, suspend("ok"), price("last")


@deflow
def pay(order):
    return charge(order)


@deflow
def pays_or_not(order):
    try:
        return charge(order)
    except ConnectionError as error:
        return error.__notes__


@deflow
def books(order):
    respond(f"booking {order}")
    return book(order)


@deflow
def launches(rocket):
    try:
        return launch(rocket)
    except StepUnknown:
        return f"who knows of {rocket}"


@deflow
async def asks(order):
    plain = charge(order)
    return await quote(order), plain, await suspend("ok")


@deflow
async def waits_for_ever():
    return await hangs()


def test_a_step_is_one_save():
    engine = Engine(CountsSaves())

    run = engine.start_flow(buy, ["tea", "milk"])

    states = [saved.state for saved in engine.store.saved]
    assert states == [RunState.RUNNING] * 3 + [RunState.SUSPENDED]
    assert engine.process_event(run.id, "ok", 1).result == (10, 1, 4)
    assert len(engine.store.saved) == 6
    assert done == ["bag", "tea", "milk", "last"]


def test_compiled_and_interpreted_do_the_same():
    assert play(buy, [["tea"]], ["yes"]) == interpret(buy, [["tea"]], ["yes"])
    assert play(Shop("corner").open, ["tea"], [1]) == interpret(Shop("corner").open, ["tea"], [1])
    assert play(asks, ["tea"], [1]) == interpret(asks, ["tea"], [1])


def test_outside_of_a_run_it_is_the_plain_function():
    assert price("bag") == 3
    assert price.__wrapped__("bag") == 3
    assert asyncio.run(quote("tea")) == "quote for tea"
    assert step(len)("four") == 4
    assert step_key() != step_key()


def test_it_is_tried_again_in_place(engine, clock):
    faults.extend([ConnectionError("down"), TimeoutError("slow")])
    begin = clock.now()

    run = engine.start_flow(pay, "tea")

    assert run.result == "paid tea"
    assert {key for _, key in done} == {f"{run.id}:1:charge"}
    assert len(done) == 3
    assert 2.4 * SECOND <= clock.now() - begin <= 3.6 * SECOND


def test_used_up_it_raises_the_original_exception(engine):
    faults.extend(ConnectionError(number) for number in range(3))
    assert engine.start_flow(pays_or_not, "tea").result == [
        "longterm: step tests.runtime.test_steps.charge, attempt 3 of 3"
    ]
    faults.append(KeyError("tea"))
    with pytest.raises(KeyError) as caught:
        engine.start_flow(pay, "tea")
    assert "attempt 1 of 3, not in retry_on" in caught.value.__notes__[0]


def test_a_traceback_shows_the_lines_of_the_flow_and_of_the_step(engine):
    faults.append(KeyError("bag"))
    with pytest.raises(KeyError) as caught:
        engine.start_flow(buy, [])

    names = [entry.name for entry in caught.traceback]
    assert names[-3:] == ["buy", "price", "fail"]


def test_for_a_longer_pause_the_run_rests(engine, clock):
    faults.extend([OSError("one"), OSError("two"), OSError("three")])

    run = engine.start_flow(books, "room")
    assert (run.state, run.waiting_for, run.response) == (
        RunState.SUSPENDED,
        "longterm.step",
        ["booking room"],
    )
    assert run.deadline == clock.now() + 8 * SECOND
    clock.advance(7 * SECOND)
    assert engine.run_pending() == 0
    clock.advance(SECOND)
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).deadline == clock.now() + 12 * SECOND
    clock.advance(12 * SECOND)
    engine.run_pending()

    assert engine.get_run(run.id).result == "booked room"
    assert done == ["room"] * 4


def test_a_step_asks_for_another_attempt_itself(engine, clock):
    faults.append(Retry(after=timedelta(minutes=5)))
    run = engine.start_flow(books, "room")
    assert run.deadline == clock.now() + timedelta(minutes=5)
    run = engine.expire(run.id)
    assert run.result == "booked room"
    faults.append(Retry())
    with pytest.raises(Retry):
        engine.start_flow(buy, [])


def test_a_resting_run_is_cancelled_at_the_step(engine):
    faults.extend([OSError(), OSError()])
    run = engine.start_flow(books, "room")
    assert engine.cancel(run.id).state is RunState.CANCELLED
    assert done == ["room", "room"]


def test_a_failed_run_is_tried_again_at_the_step(engine):
    run = engine.start_flow(buy, ["tea"])
    faults.append(KeyError("no price"))
    with pytest.raises(KeyError):
        engine.process_event(run.id, "ok", 1)
    assert engine.get_run(run.id).state is RunState.FAILED

    assert engine.retry(run.id).result == (6, 1, 4)
    assert done == ["bag", "tea", "last", "last"]


def test_its_attempts_begin_anew_with_a_retry(engine):
    faults.extend(ConnectionError(number) for number in range(3))
    with pytest.raises(ConnectionError):
        engine.start_flow(pay, "tea")
    (run,) = engine.find_runs()
    faults.extend(ConnectionError(number) for number in range(2))

    assert engine.retry(run.id).result == "paid tea"
    assert len({key for _, key in done}) == 1
    assert len(done) == 6


@deflow
def fails_after_a_step(order):
    charged = charge(order)
    if len(done) == 1:
        done.append("the flow fails")
        raise ZeroDivisionError
    return charged


def test_what_is_saved_is_not_done_again(engine):
    with pytest.raises(ZeroDivisionError):
        engine.start_flow(fails_after_a_step, "tea")
    (run,) = engine.find_runs()

    assert engine.retry(run.id).result == "paid tea"
    assert done == [("tea", f"{run.id}:1:charge"), "the flow fails"]


@deflow
def fails_by_another(order):
    try:
        return charge(order)
    except KeyError as error:
        raise LookupError(order) from error


def test_an_exception_made_of_that_of_a_step_does_the_step_again_too(engine):
    faults.append(KeyError("tea"))
    with pytest.raises(LookupError):
        engine.start_flow(fails_by_another, "tea")
    (run,) = engine.find_runs()

    assert engine.retry(run.id).result == "paid tea"


def test_at_most_once_is_two_saves():
    engine = Engine(CountsSaves())
    assert engine.start_flow(launches, "R7").result == "R7 is up"
    assert len(engine.store.saved) == 3


def test_at_most_once_is_never_done_again(engine):
    faults.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        engine.start_flow(launches, "R7")
    assert engine.run_pending() == 1
    (run,) = engine.find_runs()
    assert (run.result, done) == ("who knows of R7", ["R7"])

    faults.append(OSError("no fuel"))
    with pytest.raises(OSError, match="no fuel"):
        engine.start_flow(launches, "R8")
    (failed,) = engine.find_runs(state="failed")
    with pytest.raises(OSError, match="no fuel"):
        engine.retry(failed.id)
    assert done == ["R7", "R8"]


def test_an_interrupted_step_is_done_again(engine):
    run = engine.start_flow(buy, ["tea"])
    faults.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        engine.process_event(run.id, "ok", 1)

    assert engine.get_run(run.id).waiting_for == "ok"
    assert engine.process_event(run.id, "ok", 2).result == (6, 2, 4)


def test_in_async_flows(engine):
    faults.append(ConnectionError("down"))

    async def story():
        run = await engine.astart_flow(asks, "tea")
        return await engine.aprocess_event(run.id, "ok", 1)

    assert asyncio.run(story()).result == ("quote for tea", "paid tea", 1)
    assert len(done) == 3


@deflow
async def quotes(order):
    try:
        return await quote(order)
    except OSError as error:
        return error.__notes__


def test_an_async_step_is_tried_again(engine, clock):
    begin = clock.now()
    faults.append(OSError("busy"))
    assert asyncio.run(engine.astart_flow(quotes, "tea")).result == "quote for tea"
    assert clock.now() - begin == SECOND
    faults.extend([OSError("busy"), OSError("busy")])
    (note,) = asyncio.run(engine.astart_flow(quotes, "tea")).result
    assert note.endswith("quote, attempt 2 of 2")


def test_an_async_step_has_a_timeout(engine):
    with pytest.raises(TimeoutError):
        asyncio.run(engine.astart_flow(waits_for_ever))


@deflow
async def plain_in_async():
    return where(), await quote("tea")


@step
def where():
    return threading.current_thread() is threading.main_thread(), kept.get()


def test_a_plain_step_of_an_async_flow_runs_in_a_thread_with_the_context(engine):
    async def story():
        kept.set("here")
        return await engine.astart_flow(plain_in_async)

    assert asyncio.run(story()).result == ((False, "here"), "quote for tea")


@step
def speaks(other):
    set_index(seen=1)
    respond("said in a step", now() is not None)
    send(other, "ok", 5)
    return current_run().id


@deflow
def lets_it_speak(other):
    return speaks(other)


def test_a_step_can_say_what_a_flow_can(engine):
    other = engine.start_flow(buy, [])
    run = engine.start_flow(lets_it_speak, other.id)

    assert (run.result, run.index, run.response) == (run.id, {"seen": 1}, ["said in a step", True])
    assert engine.get_run(other.id).result == (3, 5, 4)


@step
def waits():
    sleep(SECOND)


@step
def calls_another():
    return price("bag")


@deflow
def lets_it_wait():
    waits()


@deflow
def nests():
    return calls_another()


@deflow
def asks_for_a_key():
    return step_key()


def test_a_step_cannot_wait(engine):
    with pytest.raises(CannotSuspend, match=r"test_steps\.waits waits for .*put @deflow there"):
        engine.start_flow(lets_it_wait)
    assert engine.find_runs() == []


def test_inside_of_a_step_another_is_a_plain_function():
    engine = Engine(CountsSaves())
    assert engine.start_flow(nests).result == 3
    assert len(engine.store.saved) == 2


def test_a_flow_itself_has_no_key(engine):
    with pytest.raises(NotInStep):
        engine.start_flow(asks_for_a_key)


@step
def gives(value):
    done.append("given")
    return threading.Lock() if value == "lock" else value


@deflow
def holds(lock, value):
    given = gives(value)
    return given, lock is None


def test_what_cannot_be_stored_is_refused_before_anything_is_done(engine):
    with pytest.raises(CannotStore):
        engine.start_flow(holds, threading.Lock(), 1)
    with pytest.raises(CannotStore):
        engine.start_flow(holds, None, threading.Lock())
    assert done == []


def test_a_result_that_cannot_be_stored_fails_the_run(engine):
    with pytest.raises(CannotStore):
        engine.start_flow(holds, None, "lock")
    (run,) = engine.find_runs()
    assert (run.state, done) == (RunState.FAILED, ["given"])


class Opaque(Exception):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@deflow
def catches():
    try:
        return price("bag")
    except Opaque as error:
        return type(error).__name__


def test_an_exception_that_cannot_be_stored_is_raised_all_the_same(engine):
    faults.append(Opaque())
    assert engine.start_flow(catches).result == "Opaque"


@step
def cancels_itself(engine_of):
    done.append("in the step")
    engines[engine_of].cancel(current_run().id)
    return "done"


engines: dict[str, Engine] = {}


@deflow
def is_cancelled_meanwhile(name):
    try:
        done.append(cancels_itself(name))
        price("bag")
    except Cancelled:
        done.append("cancelled")
        raise


def test_a_cancel_comes_at_the_next_step(engine):
    engines["it"] = engine
    run = engine.start_flow(is_cancelled_meanwhile, "it")
    assert run.state is RunState.CANCELLED
    assert done == ["in the step", "done", "cancelled"]


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (fail, {"max_attempts": 0}, "max_attempts=0 allows nothing"),
        (fail, {"retry_on": KeyboardInterrupt}, "is no exception"),
        (fail, {"backoff": 3}, "backoff=3 cannot be called"),
        (fail, {"timeout": SECOND}, "Python ends no function"),
        (fail, {"timeout": 3}, "timeout=3 is no time"),
        (fail, {"at_most_once": True, "max_attempts": 2}, "contradict"),
        (pay, {}, "it is a flow"),
        (price, {}, "it is one"),
        (staticmethod(fail), {}, "write @staticmethod above"),
        (3, {}, "cannot be called"),
    ],
)
def test_what_is_no_step_is_refused(function, options, words):
    with pytest.raises(NotAStep, match=words):
        step(function, **options)


def test_a_generator_is_no_step():
    with pytest.raises(NotAStep, match="generator"):

        @step
        def many():
            yield 1
