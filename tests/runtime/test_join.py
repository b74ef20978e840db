"""`join` waits until a run rests; `run_pending` runs what is due, as a worker does."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from longterm import (
    Engine,
    JoinTimeout,
    NotSupported,
    RunBusy,
    RunNotSuspended,
    deflow,
    sleep,
    suspend,
)
from longterm.testing import FakeClock
from longterm.worker import Worker
from tests.runtime.test_first_turn import FourMethods

HOUR = timedelta(hours=1)
begun, go_on = threading.Event(), threading.Event()
loops = []


@deflow
def collect(count):
    return [suspend("part") for _ in range(count)]


@deflow
def naps(times):
    for _ in range(times):
        sleep(HOUR)
    return "awake"


@deflow
async def naps_in_loop():
    await sleep(HOUR)
    loops.append(asyncio.get_running_loop())


@deflow
def fails():
    suspend("go")
    raise ValueError("no")


@deflow
def cannot_keep():
    suspend("go")
    lock = threading.Lock()
    suspend("more")
    return lock


@deflow
def holds():
    suspend("go")
    begun.set()
    assert go_on.wait(10)
    return "held"


@pytest.fixture(autouse=True)
def fresh():
    begun.clear()
    go_on.clear()
    loops.clear()


def test_run_that_rests_is_returned_at_once(engine):
    waits, ended = engine.start_flow(collect, 1), engine.start_flow(collect, 0)

    assert engine.join(waits.id, timeout=0) == engine.get_run(waits.id)
    assert engine.join(ended.id, timeout=0).result == []


@pytest.mark.parametrize("outcome", ["complete", "failed", "cancelled"])
def test_run_that_has_ended_rests(engine, outcome):
    run = engine.start_flow(fails)
    if outcome == "failed":
        with pytest.raises(ValueError, match="no"):
            engine.process_event(run.id, "go")
    else:
        engine.cancel(run.id, force=True)

    assert engine.join(run.id, timeout=0).state == engine.get_run(run.id).state


def test_what_is_due_or_unread_is_waited_for(engine, clock):
    sleeper, reader = engine.start_flow(naps, 1), engine.start_flow(collect, 2)
    assert engine.join(sleeper.id, timeout=0).state == "suspended"
    clock.advance(HOUR)
    engine.send(reader.id, "other", 0)
    assert engine.join(reader.id, timeout=0).unread == ("other",)
    engine.send(reader.id, "part", 1)

    with pytest.raises(JoinTimeout, match="waits for the end of a sleep, which is there") as late:
        engine.join(sleeper.id, timeout=0)
    with pytest.raises(TimeoutError, match="'part', which is there"):
        engine.join(reader.id, timeout=0.02)

    assert (late.value.run_id, late.value.state) == (sleeper.id, "suspended")
    assert engine.run_pending() == 2
    assert engine.join(sleeper.id, timeout=0).result == "awake"
    assert engine.join(reader.id, timeout=0).unread == ("other",)


def test_parked_run_rests_until_its_deadline(engine, clock):
    run = engine.start_flow(cannot_keep)
    engine.send(run.id, "go")
    assert engine.run_pending() == 1

    assert engine.join(run.id, timeout=0).error is not None
    clock.advance(2 * HOUR)
    with pytest.raises(JoinTimeout):
        engine.join(run.id, timeout=0)


def test_turn_under_way_is_waited_for(engine):
    run = engine.start_flow(holds)
    turn = threading.Thread(target=engine.process_event, args=(run.id, "go"))
    turn.start()
    assert begun.wait(10)

    with pytest.raises(JoinTimeout, match="in the middle of a turn"):
        engine.join(run.id, timeout=0.02)
    with pytest.raises(RunBusy) as busy:
        engine.process_event(run.id, "go")
    assert isinstance(busy.value, RunNotSuspended)
    assert busy.value.state == "running"

    threading.Timer(0.1, go_on.set).start()
    assert engine.join(run.id, timeout=10).result == "held"
    turn.join()


def test_worker_is_waited_for(engine, clock):
    run = engine.start_flow(collect, 2)
    worker = Worker(engine, poll=timedelta(milliseconds=10))
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    for number in range(2):
        engine.send(run.id, "part", number)

    assert engine.join(run.id, timeout=10).result == [0, 1]

    worker.stop()
    thread.join()


def test_run_is_joined_from_asynchronous_code():
    engine = Engine("memory://")
    run = engine.start_flow(collect, 1)
    engine.send(run.id, "part", 1)

    async def main():
        with pytest.raises(JoinTimeout):
            await engine.ajoin(run.id, timeout=0.02)
        joined = asyncio.create_task(engine.ajoin(run.id, timeout=10))
        await asyncio.sleep(0.02)
        assert await engine.arun_pending() == 1
        return await joined

    assert asyncio.run(main()).result == [1]


def test_long_joins_look_seldom(engine, monkeypatch):
    pauses = []
    run = engine.start_flow(collect, 1)
    engine.send(run.id, "part", 1)

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 20:
            engine.run_pending()

    monkeypatch.setattr(time, "sleep", sleep)
    assert engine.join(run.id).result == [1]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.005, 1.0)


# -- run_pending ---------------------------------------------------------------------------------


def test_all_that_is_due_is_run_unless_there_is_a_limit(engine, clock):
    runs = [engine.start_flow(naps, 1) for _ in range(5)]
    clock.advance(HOUR)

    assert engine.run_pending(0) == 0
    assert engine.run_pending(2) == 2
    assert engine.run_pending() == 3
    assert {engine.get_run(run.id).result for run in runs} == {"awake"}


def test_events_are_read_until_none_is_left(engine):
    run = engine.start_flow(collect, 3)
    for number in range(3):
        engine.send(run.id, "part", number)

    assert engine.run_pending() == 3
    assert engine.get_run(run.id).result == [0, 1, 2]


def test_dead_turns_are_let_go_of(engine, clock):
    run = engine.start_flow(collect, 1)
    engine.send(run.id, "part", "kept")
    claimed = engine.store.claim(
        run.id, "part", now=clock.now(), until=clock.now() + timedelta(seconds=60)
    )
    assert claimed is not None  # and its process dies
    assert engine.run_pending() == 0
    clock.advance(HOUR)

    assert engine.run_pending() == 1
    assert engine.get_run(run.id).result == ["kept"]


def test_async_flows_share_the_loop_of_the_caller():
    clock = FakeClock()
    engine = Engine("memory://", clock=clock)

    async def run_them():
        await engine.astart_flow(naps_in_loop)
        plain = engine.start_flow(naps, 1)
        clock.advance(HOUR)
        assert await engine.arun_pending(1) == 1
        assert await engine.arun_pending() == 1
        assert engine.get_run(plain.id).result == "awake"
        return asyncio.get_running_loop()

    loop = asyncio.run(run_them())
    assert loops == [loop]


def test_cancelled_look_leaves_no_run_claimed(engine, clock):
    run = engine.start_flow(naps, 1)
    clock.advance(HOUR)

    async def main():
        task = asyncio.create_task(engine.arun_pending())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert engine.get_run(run.id).state == "suspended"


def test_store_without_deadlines_says_so():
    engine = Engine(FourMethods())
    run = engine.start_flow(collect, 1)

    with pytest.raises(NotSupported, match="deadlines"):
        engine.run_pending()
    assert engine.join(run.id, timeout=0).state == "suspended"


# -- revision ------------------------------------------------------------------------------------


def test_revision_goes_up_with_each_saved_turn_only(engine):
    run = engine.start_flow(collect, 3)
    seen = [run.revision]
    with pytest.raises(Exception, match="does not wait"):
        engine.process_event(run.id, "other")
    engine.send(run.id, "other")
    seen.append(engine.get_run(run.id).revision)
    seen += [engine.process_event(run.id, "part").revision for _ in range(2)]

    assert seen[0] == seen[1] < seen[2] < seen[3]
    assert engine.get_run(run.id).to_dict()["revision"] == seen[3]
