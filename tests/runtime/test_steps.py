"""`@step`: what a call of one returns is saved, once, and never done again."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import textwrap
import threading
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import packaging.utils
import pytest

from longterm import (
    Cancelled,
    CannotStore,
    CannotSuspend,
    ClaimLost,
    Engine,
    NotAFlow,
    NotAStep,
    NotInStep,
    NotSupported,
    Retry,
    RunState,
    StepGone,
    StepUnknown,
    current_run,
    deflow,
    gather,
    now,
    respond,
    send,
    set_index,
    sleep,
    spawn,
    step,
    step_key,
    suspend,
)
from longterm.cli.look import show_run
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


@deflow
def side_by_side(orders):
    return gather(*[spawn(charge, each) for each in orders], spawn(price, "bag"))


@deflow
def a_child_fails():
    try:
        return suspend(spawn(price, "bag"))
    except KeyError as error:
        return error.args


def test_steps_run_side_by_side_as_children(engine):
    faults.append(ConnectionError("down"))
    run = engine.start_flow(side_by_side, ["tea", "milk"])

    assert run.result == ["paid tea", "paid milk", 3]
    assert len({key for _, key in done[:3]}) == 2
    assert play(side_by_side, [["tea"]]) == interpret(side_by_side, [["tea"]])


def test_the_exception_of_a_step_is_that_of_the_child(engine):
    faults.append(KeyError("no bags"))
    assert engine.start_flow(a_child_fails).result == ("no bags",)


def test_a_step_is_a_run_of_its_own(clock):
    engine = Engine(CountsSaves(), clock=clock)
    assert engine.start_flow(price, "bag").result == 3
    assert len(engine.store.saved) == 1
    assert asyncio.run(engine.astart_flow(quote, "tea")).result == "quote for tea"
    faults.extend(OSError(number) for number in range(2))
    run = engine.start_flow(book, "room")
    assert (run.flow, run.waiting_for) == ("tests.runtime.test_steps:book", "longterm.step")
    clock.advance(8 * SECOND)
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).result == "booked room"
    assert engine.find_runs(flow=book) == [engine.get_run(run.id)]
    with pytest.raises(NotAFlow):
        engine.start_flow(step(len), "bag")


@deflow
def long(text):
    held = [text] * 2
    price("bag")
    price("bag")
    return len(held)


def test_large_frames_are_logged_once(engine, caplog):
    for text in ("short", "x" * 2**20, "y" * 2**20):
        engine.start_flow(long, text)
    (record,) = caplog.records
    assert "frames of flow tests.runtime.test_steps:long take 2.0 MiB" in record.getMessage()


def test_what_the_run_rests_for_is_shown(engine, clock, capsys):
    faults.extend([OSError(), OSError()])
    run = engine.start_flow(books, "room")
    show_run(engine, argparse.Namespace(run=run.id, json=False, full=False))

    assert run.wants == {
        "step": {
            "name": "tests.runtime.test_steps:book",
            "attempt": 3,
            "max_attempts": 5,
            "since": (clock.now() - 4 * SECOND).isoformat(),
        }
    }
    shown = capsys.readouterr().out
    assert "attempt 3 of 5 comes at the deadline, begun 2026-01-01 00:00:00 UTC" in shown


@deflow
def inline(order, backoff):
    return step(made, max_attempts=3, backoff=backoff)(order)


@deflow
def of_a_library(text):
    words = step(packaging.utils.canonicalize_name, max_attempts=3)(text)
    return words, step(json.dumps)(words)


def test_a_step_can_be_of_a_library(engine):
    assert engine.start_flow(of_a_library, "A_b").result == ("a-b", '"a-b"')
    with pytest.raises(AttributeError):
        engine.start_flow(of_a_library, 3)
    with pytest.raises(AttributeError):
        engine.retry(engine.find_runs(state="failed")[0].id)


def made(order):
    done.append((order, step_key()))
    fail()
    return order


def in_a_minute(attempt):
    return 60 * SECOND


def test_an_inline_step_rests_with_its_options(engine, clock):
    faults.extend([OSError(), OSError()])
    run = engine.start_flow(inline, "tea", in_a_minute)
    assert run.deadline == clock.now() + 60 * SECOND
    for _ in range(2):
        clock.advance(60 * SECOND)
        engine.run_pending()
    assert engine.get_run(run.id).result == "tea"
    assert {key for _, key in done} == {f"{run.id}:1:made"}


def test_a_step_that_is_gone_parks_the_run(engine, clock, monkeypatch):
    faults.extend([OSError(), OSError()])
    run = engine.start_flow(books, "room")
    with monkeypatch.context() as gone:
        gone.delitem(globals(), "book")
        clock.advance(8 * SECOND)
        engine.run_pending()
        parked = engine.get_run(run.id)
        with pytest.raises(StepGone, match="test_steps:book is not known"):
            engine.expire(run.id)
    assert parked.state is RunState.SUSPENDED
    assert "step tests.runtime.test_steps:book is not known in this process" in parked.error
    assert engine.expire(run.id).result == "booked room"


def test_a_cancel_ends_a_pause(engine, clock, monkeypatch):
    engines["it"] = engine
    slept = []

    def sleep_and_cancel(seconds):
        slept.append(seconds)
        engine.cancel(engine.find_runs()[0].id)

    monkeypatch.setattr(clock, "sleep", sleep_and_cancel)
    faults.append(OSError())
    assert engine.start_flow(books, "room").state is RunState.CANCELLED
    assert slept == [1.0]


@step
def loses():
    return engines["it"].cancel(current_run().id, force=True).id


@deflow
def loser():
    loses()
    done.append("went on")


def test_a_lost_claim_saves_nothing(engine):
    engines["it"] = engine
    with pytest.raises(ClaimLost):
        engine.start_flow(loser)
    assert engine.find_runs()[0].state is RunState.CANCELLED
    assert done == []


class FourMethods:
    """A store that has what a store must have, and nothing else."""

    def __init__(self):
        kept = MemoryStore()
        self.create, self.get = kept.create, kept.get
        self.unsuspend, self.update = kept.unsuspend, kept.update


def test_a_store_of_four_methods_will_do(clock):
    engine = Engine(FourMethods(), clock=clock)
    run = engine.start_flow(buy, ["tea"])
    assert engine.process_event(run.id, "ok", 1).result == (6, 1, 4)
    faults.extend([OSError(), OSError()])
    run = engine.start_flow(books, "room")
    assert run.waiting_for == "longterm.step"
    with pytest.raises(NotSupported, match="deadlines"):
        engine.run_pending()
    assert engine.expire(run.id).result == "booked room"


KILLED = """
    import os
    from longterm import deflow, step, step_key

    def note(path, text):
        with open(path, "a") as file:
            print(text, file=file)

    @step
    def charge(path, number):
        note(path, f"{number} by {step_key().partition(':')[2]}")
        if number == 1 and len(open(path).readlines()) < 3:
            os._exit(7)
        return number

    @step(at_most_once=True)
    def launch(path):
        note(path, "launched")
        os._exit(8)

    @deflow
    def main(path):
        numbers = [charge(path, number) for number in range(3)]
        try:
            launch(path)
        except Exception as error:
            return numbers, type(error).__name__
"""


def test_a_process_that_dies_has_lost_nothing(tmp_path):
    tmp_path.joinpath("killed.py").write_text(textwrap.dedent(KILLED))
    told = tmp_path / "told.txt"
    begin = (
        "import killed, time; from datetime import timedelta; from longterm import Engine; "
        f"engine = Engine('sqlite:///{tmp_path}/runs.db', lease=timedelta(seconds=0.2)); "
    )
    go_on = "time.sleep(0.3); engine.release_stale(); engine.run_pending(); "

    def python(code):
        return subprocess.run(
            [sys.executable, "-c", begin + code], capture_output=True, text=True, cwd=tmp_path
        )

    assert python(f"engine.start_flow(killed.main, {str(told)!r})").returncode == 7
    assert python(go_on).returncode == 8
    last = python(go_on + "print(engine.find_runs()[0].result)")

    assert last.stdout.strip() == "([0, 1, 2], 'StepUnknown')", last.stderr
    lines = told.read_text().splitlines()
    assert lines == ["0 by 1:charge", *["1 by 2:charge"] * 2, "2 by 3:charge", "launched"]


@step(max_attempts=6)
def reserve(what):
    done.append(f"reserve {what}")
    if what == "train":
        raise ConnectionError("the railway is down")
    return what


@step
def undo(what):
    done.append(f"undo {what}")


@deflow
def travels():
    reserved = []
    try:
        for what in ("hotel", "car", "train"):
            reserved.append(reserve(what))
    except ConnectionError as error:
        while reserved:
            undo(reserved.pop())
        return str(error)


def test_a_saga_undoes_each_step_once(engine, clock):
    run = engine.start_flow(travels)
    while engine.get_run(run.id).state is RunState.SUSPENDED:
        clock.advance(10 * SECOND)
        engine.run_pending()

    assert engine.get_run(run.id).result == "the railway is down"
    tries = ["reserve hotel", "reserve car", *["reserve train"] * 6]
    assert done == [*tries, "undo car", "undo hotel"]
