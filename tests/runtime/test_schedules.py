"""Schedules: runs that begin others at the times of a cron expression, each once."""

import asyncio
import json
import logging
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

import longterm
from longterm import (
    CannotStore,
    Engine,
    InvalidSchedule,
    NotAFlow,
    NotSupported,
    RunState,
    _api,
    deflow,
    set_keys,
    suspend,
)
from longterm.cli import main
from longterm.testing import FakeClock
from longterm.worker import Worker
from tests.runtime.test_first_turn import FourMethods

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DAILY = "0 3 * * *"
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
def report(*args, **kwargs):
    calls.append((args, kwargs))
    return "done"


@deflow
def other():
    calls.append("other")


@deflow
def waits():
    calls.append("waits")
    return suspend("answer")


@deflow
async def areport():
    calls.append("async")


def advance(engine, clock, duration):
    clock.advance(duration)
    engine.run_pending()


def begun(engine, name="daily"):
    """Return the times of the runs that a schedule has begun."""
    prefix = f"{name}@"
    runs = engine.find_runs(after=prefix, limit=2000)
    return [run.id.removeprefix(prefix) for run in runs if run.id.startswith(prefix)]


def test_a_schedule_begins_a_run_at_each_of_its_times(engine, clock):
    run = engine.schedule(report, DAILY, args=(1,), kwargs={"b": [2]}, name="daily")

    assert (run.id, run.state) == ("schedule:daily", RunState.SUSPENDED)
    assert run.deadline == datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert engine.run_pending() == 0
    advance(engine, clock, 3 * HOUR)
    assert calls == [((1,), {"b": [2]})]
    advance(engine, clock, DAY)
    assert begun(engine) == ["2026-01-01T03:00Z", "2026-01-02T03:00Z"]
    assert engine.get_run("daily@2026-01-02T03:00Z").result == "done"
    assert engine.get_run(run.id).deadline == datetime(2026, 1, 3, 3, tzinfo=UTC)


def test_it_goes_by_the_time_of_its_zone(engine, clock):
    engine.schedule(report, DAILY, tz="Europe/Vienna", name="daily")

    advance(engine, clock, 90 * DAY)
    advance(engine, clock, DAY)

    assert begun(engine) == ["2026-03-31T01:00Z", "2026-04-01T01:00Z"]


def test_its_name_is_that_of_the_flow_unless_told_otherwise(engine):
    run = engine.schedule(report, DAILY)

    assert run.id == f"schedule:{report.__module__}:report"
    assert run.flow == f"{report.__module__}:report"


def test_an_async_flow_is_begun_and_its_schedule_cancelled(engine, clock):
    run = engine.schedule(areport, DAILY)
    clock.advance(DAY)

    assert asyncio.run(engine.arun_pending()) == 2
    assert calls == ["async"]
    assert engine.cancel(run.id).state is RunState.CANCELLED


# -- missed, and still open ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "late", "expected"),
    [
        ("latest", 3 * DAY, ["2026-01-03T03:00Z"]),
        ("none", 3 * DAY, []),
        ("none", 2 * DAY + 3 * HOUR + timedelta(minutes=1), ["2026-01-03T03:00Z"]),
        ("all", 3 * DAY, ["2026-01-01T03:00Z", "2026-01-02T03:00Z", "2026-01-03T03:00Z"]),
    ],
)
def test_what_was_missed_is_made_good_as_it_says(engine, clock, catch_up, late, expected):
    engine.schedule(report, DAILY, name="daily", catch_up=catch_up, overlap="allow")

    advance(engine, clock, late)

    assert begun(engine) == expected
    advance(engine, clock, timedelta(0))
    assert begun(engine) == expected
    advance(engine, clock, datetime(2026, 1, 4, 3, tzinfo=UTC) - clock.now())
    assert begun(engine) == [*expected, "2026-01-04T03:00Z"]


def test_of_very_many_that_were_missed_the_newest_thousand_are_begun(clock):
    engine = Engine("memory://", clock=clock)
    run = engine.schedule(other, "* * * * *", name="daily", catch_up="all", overlap="allow")
    clock.advance(DAY)

    assert engine.run_pending(limit=1) == 1

    ids = begun(engine)
    assert len(ids) == 1000
    assert ids[-1] == "2026-01-02T00:00Z"
    assert engine.get_run(run.id).deadline == datetime(2026, 1, 2, 0, 1, tzinfo=UTC)


def test_none_is_begun_while_the_one_before_is_open(engine, clock, caplog):
    engine.schedule(waits, DAILY, name="daily")
    advance(engine, clock, DAY)
    with caplog.at_level(logging.INFO, "longterm"):
        advance(engine, clock, DAY)
    assert begun(engine) == ["2026-01-01T03:00Z"]
    assert any("2026-01-01T03:00Z is open still" in message for message in caplog.messages)

    engine.process_event("daily@2026-01-01T03:00Z", "answer")
    advance(engine, clock, DAY)
    assert begun(engine) == ["2026-01-01T03:00Z", "2026-01-03T03:00Z"]


def test_with_overlap_it_is(engine, clock):
    engine.schedule(waits, DAILY, name="daily", overlap="allow")
    for _ in range(3):
        advance(engine, clock, DAY)

    assert len(begun(engine)) == 3


def test_one_that_was_deleted_is_not_open(engine, clock):
    engine.schedule(report, DAILY, name="daily")
    advance(engine, clock, DAY)
    engine.delete("daily@2026-01-01T03:00Z")
    advance(engine, clock, DAY)

    assert begun(engine) == ["2026-01-02T03:00Z"]


def test_expire_begins_the_next_one_now(engine, clock):
    run = engine.schedule(report, DAILY, name="daily")

    engine.expire(run.id)
    engine.run_pending()

    assert begun(engine) == ["2026-01-01T03:00Z"]
    assert engine.get_run(run.id).deadline == datetime(2026, 1, 2, 3, tzinfo=UTC)


# -- declared again -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"\x91\xa3fji93kdqpw0a8fhxjc71vnd8q2p4\x02\x03"])
def test_declared_again_it_goes_on_as_it_is(engine, clock, key):
    if key is not None:
        set_keys(key)
    first = engine.schedule(report, DAILY, args=(1,), name="daily")
    clock.advance(DAY)  # nobody was there

    again = engine.schedule(report, DAILY, args=(1,), name="daily")

    assert again == first
    assert again.revision == first.revision
    engine.run_pending()
    assert begun(engine) == ["2026-01-01T03:00Z"]


@pytest.mark.parametrize(
    ("change", "deadline"),
    [
        ({"args": (2,)}, datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ({"overlap": "allow"}, datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ({"cron": "0 5 * * *"}, datetime(2026, 1, 2, 5, tzinfo=UTC)),
        ({"tz": "Asia/Tokyo"}, datetime(2026, 1, 2, 18, tzinfo=UTC)),
        ({"flow": other, "args": ()}, datetime(2026, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_declared_with_something_else_it_is_replaced(engine, clock, change, deadline):
    engine.schedule(report, DAILY, args=(1,), name="daily")
    advance(engine, clock, DAY)
    calls.clear()

    wanted = {"flow": report, "cron": DAILY, "args": (1,), "name": "daily"} | change
    run = engine.schedule(wanted.pop("flow"), wanted.pop("cron"), **wanted)

    assert run.deadline == deadline
    assert run.index["last"] == "daily@2026-01-01T03:00Z"
    (schedule,) = engine.schedules()
    assert schedule.run_id == run.id
    advance(engine, clock, DAY)
    assert len(calls) == 1
    assert len(begun(engine)) == 2


def test_what_was_missed_is_made_good_by_what_replaces_it(engine, clock):
    engine.schedule(report, DAILY, args=(1,), name="daily")
    clock.advance(DAY)

    engine.schedule(report, DAILY, args=(2,), name="daily")
    engine.run_pending()

    assert begun(engine) == ["2026-01-01T03:00Z"]
    assert calls == [((2,), {})]


def test_one_that_was_cancelled_stays_so_until_it_is_deleted(engine, clock, caplog):
    run = engine.schedule(report, DAILY, name="daily")
    engine.cancel(run.id)

    with caplog.at_level(logging.WARNING, "longterm"):
        assert engine.schedule(report, DAILY, name="daily").state is RunState.CANCELLED
    assert "delete its run first" in caplog.text
    advance(engine, clock, DAY)
    assert (begun(engine), engine.schedules()) == ([], [])

    engine.delete(run.id)
    engine.schedule(report, DAILY, name="daily")
    advance(engine, clock, DAY)
    assert begun(engine) == ["2026-01-02T03:00Z"]


def test_of_several_processes_that_declare_it_one_does(engine):
    outcomes = []

    def declare(number):
        outcomes.append(engine.schedule(report, DAILY, args=(number % 2,), name="daily"))

    threads = [threading.Thread(target=declare, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 8
    (schedule,) = engine.schedules()
    assert schedule.name == "daily"


def test_of_several_workers_each_run_is_begun_once(engine, clock):
    engine.schedule(report, "0 * * * *", name="daily", catch_up="all", overlap="allow")
    clock.advance(DAY)
    threads = [threading.Thread(target=Worker(engine).run_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.run_pending()

    assert len(calls) == len(begun(engine)) == 24


# -- looking ------------------------------------------------------------------------------------


def test_schedules_are_listed(engine, clock):
    engine.schedule(report, DAILY, name="b")
    engine.schedule(waits, "0 0 1 * *", tz="Europe/Vienna", name="a", catch_up="none")
    advance(engine, clock, DAY)

    first, second = engine.schedules()

    assert (first.name, first.cron, first.tz) == ("a", "0 0 1 * *", "Europe/Vienna")
    assert (first.catch_up, first.overlap, first.last) == ("none", "skip", None)
    assert first.next == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert (second.run_id, second.last) == ("schedule:b", "b@2026-01-01T03:00Z")
    assert second.flow == f"{report.__module__}:report"
    assert [run.id for run in engine.find_runs(index={"schedule": "a"})] == ["schedule:a"]


def test_many_schedules_are_listed(clock):
    engine = Engine("memory://", clock=clock)
    for number in range(205):
        engine.schedule(report, DAILY, name=f"s{number:03}")

    assert [schedule.name for schedule in engine.schedules()] == [f"s{n:03}" for n in range(205)]


def test_the_command_lists_them(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/runs.db"
    clock = FakeClock()
    engine = Engine(url, clock=clock)
    engine.schedule(waits, DAILY, tz="Asia/Tokyo", name="daily")
    advance(engine, clock, DAY)

    assert main(["--store", url, "schedules"]) == 0
    heads, line = capsys.readouterr().out.splitlines()
    assert heads.split() == ["schedule", "cron", "zone", "next", "last", "open", "run"]
    assert re.split("  +", line) == [
        *("daily", DAILY, "Asia/Tokyo", "2026-01-02 18:00 UTC"),
        *("daily@2026-01-01T18:00Z", "yes", "schedule:daily"),
    ]
    assert main(["--store", url, "schedules", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["next"], found["open"]) == ("2026-01-02T18:00:00+00:00", True)
    engine.store.close()


# -- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("cron", {"cron": "0 3 * *"}),
        ("tz", {"tz": "Europe/Wien"}),
        ("name", {"name": ""}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "x" * 451}),
        ("catch_up", {"catch_up": "some"}),
        ("overlap", {"overlap": "perhaps"}),
        ("catch_up", {"catch_up": "all"}),
    ],
)
def test_what_can_be_no_schedule_is_refused(engine, argument, given):
    wanted = {"cron": DAILY} | given

    with pytest.raises(InvalidSchedule) as refused:
        engine.schedule(report, wanted.pop("cron"), **wanted)

    assert refused.value.argument == argument
    assert engine.schedules() == []


def test_what_cannot_be_called_later_is_refused(engine):
    with pytest.raises(NotAFlow):
        engine.schedule(print, DAILY)
    with pytest.raises(CannotStore, match="schedule"):
        engine.schedule(report, DAILY, args=(threading.Lock(),))
    assert engine.schedules() == []


def test_a_store_that_cannot_says_so():
    with pytest.raises(NotSupported, match="schedules"):
        Engine(FourMethods()).schedule(report, DAILY)


def test_an_exception_that_is_thrown_into_it_fails_it_and_it_can_be_retried(engine, clock):
    run = engine.schedule(report, DAILY, name="daily")
    with pytest.raises(ValueError, match="why"):
        engine.throw(run.id, ValueError("why"))
    assert engine.get_run(run.id).state is RunState.FAILED

    engine.retry(run.id)
    advance(engine, clock, DAY)
    assert begun(engine) == ["2026-01-01T03:00Z"]


# -- the default engine -------------------------------------------------------------------------


def test_a_module_may_declare_a_schedule_before_the_store_is_set(monkeypatch):
    for name, value in (("_declarations", []), ("_told", 0), ("_engine", None)):
        monkeypatch.setattr(_api, name, value)
    longterm.schedule(report, DAILY, name="daily")
    with pytest.raises(InvalidSchedule):
        longterm.schedule(report, "never")
    longterm.set_runstore("memory://")

    (run,) = longterm.find_runs()
    assert run.id == "schedule:daily"
    engine = Engine("memory://", clock=FakeClock())
    _api.declare_on(engine)
    assert len(engine.schedules()) == 1
