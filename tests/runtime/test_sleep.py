"""What a flow asks of time and of its own run: `sleep`, `now` and `current_run`."""

from __future__ import annotations

import asyncio
import importlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

import longterm
from longterm import (
    CannotSuspend,
    CurrentRun,
    Engine,
    InvalidDeadline,
    InvalidEventId,
    NotInRun,
    RunState,
    WrongEvent,
    current_run,
    deflow,
    now,
    respond,
    set_index,
    sleep,
    suspend,
)
from longterm.testing import EXPIRE, FakeClock, Throw, WrongScript, interpret, play

DAY = timedelta(days=1)
START = FakeClock().now()


@deflow
def remind():
    before = now()
    slept = sleep(DAY)
    return slept, now() - before, suspend("answer")


@deflow
def sleeps(how_long):
    return [sleep(how_long), now()]


@deflow
async def sleeps_async(how_long):
    await asyncio.sleep(0)
    first = await sleep(how_long)
    second = sleep(how_long)
    await asyncio.sleep(0)
    return [first, second, now()]


@deflow
def naps(count):
    return [longterm.sleep(DAY) or respond(number) for number in range(count)]


@deflow
def cleans_up(told):
    try:
        sleep(DAY)
    except KeyError as error:
        return f"woken by {error}"
    finally:
        told.append("cleaned up")


@deflow
def knows_itself(patient):
    set_index(patient=patient)
    mine = current_run()
    suspend("more")
    set_index(ward="B")
    return mine, current_run()


def rests():
    sleep(DAY)


@deflow
def through_a_helper():
    rests()


@deflow
def asks_for(name):
    return suspend(name)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine("memory://", clock=clock)


@pytest.fixture(params=["memory", "sqlite"])
def any_engine(request, clock, tmp_path):
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    return Engine(url, clock=clock)


def test_a_flow_sleeps_until_a_worker_finds_that_its_time_is_over(any_engine, clock):
    run = any_engine.start_flow(remind)

    assert (run.state, run.deadline) == (RunState.SUSPENDED, START + DAY)
    assert any_engine.run_pending() == 0
    clock.advance(DAY)
    assert any_engine.run_pending() == 1
    assert any_engine.get_run(run.id).waiting_for == "answer"
    assert any_engine.process_event(run.id, "answer", "yes").result == (None, DAY, "yes")


@pytest.mark.parametrize("moment", [START + DAY, (START + DAY).astimezone(timezone(DAY / 4))])
def test_a_flow_sleeps_until_a_moment(any_engine, clock, moment):
    run = any_engine.start_flow(sleeps, moment)

    assert run.deadline == START + DAY
    clock.advance(DAY)
    any_engine.run_pending()
    assert any_engine.get_run(run.id).result == [None, START + DAY]


def test_an_async_flow_sleeps_with_and_without_await(engine, clock):
    run = asyncio.run(engine.astart_flow(sleeps_async, DAY))

    for _ in range(2):
        clock.advance(DAY)
        assert engine.run_pending() == 1

    assert engine.get_run(run.id).result == [None, None, START + 2 * DAY]


@pytest.mark.parametrize("over", [timedelta(0), -DAY, START, START - DAY])
def test_a_sleep_that_is_over_is_no_wait(engine, over):
    assert engine.start_flow(sleeps, over).result == [None, START]


def test_a_comprehension_sleeps(engine, clock):
    run = engine.start_flow(naps, 3)
    said = []

    while run.state is RunState.SUSPENDED:
        clock.advance(DAY)
        engine.run_pending()
        run = engine.get_run(run.id)
        said += run.response

    assert (said, run.result) == ([0, 1, 2], [None] * 3)


def test_nothing_but_its_end_and_an_exception_wakes_a_flow(any_engine):
    run = any_engine.start_flow(cleans_up, [])

    with pytest.raises(InvalidEventId, match=r"does not begin with 'longterm\.'"):
        any_engine.process_event(run.id, run.waiting_for)
    with pytest.raises(WrongEvent):
        any_engine.process_event(run.id, "answer")
    assert any_engine.get_run(run.id) == run
    assert any_engine.throw(run.id, KeyError("bell")).result == "woken by 'bell'"


def test_a_run_that_sleeps_is_cancelled(engine):
    run = engine.start_flow(cleans_up, [])

    assert engine.cancel(run.id).state is RunState.CANCELLED


@pytest.mark.parametrize(
    ("how_long", "why"),
    [
        (3, r"sleep\(3\) cannot end: it is neither .* \(write sleep\(timedelta\(days=3\)\), or"),
        (None, "neither a moment nor a length of time"),
        (datetime(2030, 1, 1), "the moment has no time zone"),
        (timedelta.max, r"sleep\(.*years 1 to 9999"),
        (datetime.max.replace(tzinfo=timezone(-DAY / 2)), "years 1 to 9999"),
    ],
)
def test_what_is_no_time_to_sleep_is_refused_and_says_so(engine, how_long, why):
    with pytest.raises(InvalidDeadline, match=why):
        engine.start_flow(sleeps, how_long)


def test_a_sleep_inside_what_cannot_be_stored_is_refused(engine):
    with pytest.raises(CannotSuspend, match=r"rests .* is a plain function"):
        engine.start_flow(through_a_helper)


def test_a_name_of_longterm_is_no_event(engine):
    with pytest.raises(InvalidEventId, match="does not begin with"):
        engine.start_flow(asks_for, "longterm.x")


def test_a_flow_knows_its_own_run(any_engine):
    run = any_engine.start_flow(knows_itself, 4711)
    flow = f"{__name__}:knows_itself"
    expected = CurrentRun(run.id, flow, START, {"patient": 4711})

    before, after = any_engine.process_event(run.id, "more").result

    assert before == expected
    assert after == CurrentRun(run.id, flow, START, {"patient": 4711, "ward": "B"})


@pytest.mark.parametrize("form", [lambda: sleep(DAY), now, current_run])
def test_outside_of_a_run_there_is_nothing_to_ask(form):
    with pytest.raises(NotInRun):
        form()


def test_in_a_script_a_sleep_ends_or_is_woken():
    for way in (play, interpret):
        transcript = way(sleeps, [DAY], [EXPIRE])
        assert (transcript.result[0], transcript.asked) == (None, ["longterm.sleep"])
        assert way(cleans_up, [[]], [Throw(KeyError("bell"))]).result == "woken by 'bell'"
        with pytest.raises(WrongScript, match="a flow that sleeps takes no event, such as 'yes'"):
            way(sleeps, [DAY], ["yes"])


def test_an_interpreted_flow_knows_its_run_and_the_time():
    before, after = interpret(knows_itself, [4711], [None]).result

    assert (before.flow, after.index) == (
        f"{__name__}:knows_itself",
        {"patient": 4711, "ward": "B"},
    )
    assert datetime.now(UTC) - before.started < timedelta(minutes=1)


def test_the_compiler_knows_sleep_by_what_it_is(tmp_path, monkeypatch, engine):
    (tmp_path / "naps_by_another_name.py").write_text(
        "import longterm\nfrom longterm import deflow, sleep as rest\nnap = longterm.sleep\n\n\n"
        "@deflow\ndef all_night(d):\n    return [rest(d), nap(d), longterm.sleep(d)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("naps_by_another_name")
    run = engine.start_flow(module.all_night, DAY)

    for _ in range(3):
        run = engine.expire(run.id)

    assert run.result == [None, None, None]
