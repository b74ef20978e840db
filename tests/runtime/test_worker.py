"""A worker stops when it is told to, survives what flows and stores do, and keeps no claim."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from longterm import (
    ClaimLost,
    Engine,
    NotSupported,
    RunState,
    StoreError,
    deflow,
    set_index,
    suspend,
)
from longterm._flows.registry import _flows as flows
from longterm._turns.claim import Claim
from longterm.errors import TurnTimeout
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from longterm.worker import Worker

NAMES = {"longterm-turn", "longterm-loop"}
ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)


class WithoutDeadlines:
    """The least that a store needs."""

    def __init__(self):
        runs = MemoryStore()
        self.create, self.get = runs.create, runs.get
        self.unsuspend, self.update = runs.unsuspend, runs.update


@deflow
def ends():
    suspend("answer", expires=DAY, default=None)


@deflow
def interrupted():
    suspend("answer", expires=DAY, default=None)
    sys.exit(3)


class Stop(BaseException):
    """An exception that an ordinary handler does not catch."""


KINDS = {
    each.__name__: each
    for each in (
        *(SystemExit, KeyboardInterrupt, GeneratorExit, Stop, OSError),
        asyncio.CancelledError,
    )
}


@deflow
def leaves_by(kind):
    suspend("answer", expires=DAY, default=None)
    raise KINDS[kind]("of its own")


@deflow
async def leaves_by_async(kind):
    suspend("answer", expires=DAY, default=None)
    raise KINDS[kind]("of its own")


async def exits():
    sys.exit("a task")


@deflow
async def has_a_task_that_exits():
    suspend("answer", expires=DAY, default=None)
    await asyncio.ensure_future(exits())


@deflow
async def awaits_a_cancelled_task():
    suspend("answer", expires=DAY, default=None)
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel()
    await task


over = threading.Event()
said = queue.SimpleQueue()
hanging = []
meeting = threading.Barrier(1)


@deflow
def hangs():
    suspend("answer", expires=DAY, default=None)
    wait_until_over()
    said.put("it went on")


def wait_until_over():
    hanging.append(threading.current_thread())
    said.put("it hangs")
    over.wait()


@deflow
def sets_facts_and_hangs():
    suspend("answer", expires=DAY, default=None)
    set_index(customer="Ada")
    wait_until_over()


@deflow
def sets_facts_and_exits():
    suspend("answer", expires=DAY, default=None)
    set_index(customer="Ada")
    sys.exit(1)


@deflow
async def sets_facts_and_waits():
    suspend("answer", expires=DAY, default=None)
    set_index(customer="Ada")
    await never()


@deflow
async def hangs_async():
    suspend("answer", expires=DAY, default=None)
    try:
        await never()
    finally:
        said.put("cleaned up")


async def never():
    await asyncio.get_running_loop().create_future()


@deflow
async def holds_its_loop():
    suspend("answer", expires=DAY, default=None)
    wait_until_over()


@deflow
def meets():
    suspend("answer", expires=DAY, default=None)
    meeting.wait(60)


loops = []
tasks = asyncio.Barrier(3)


@deflow
async def meets_async():
    suspend("answer", expires=DAY, default=None)
    loops.append(asyncio.get_running_loop())
    await tasks.wait()


@deflow
async def loops_on():
    suspend("answer", expires=DAY, default=None)
    loops.append(asyncio.get_running_loop())


class Failing(MemoryStore):
    """A store that is out of reach for the runs whose ids are in `away`."""

    def __init__(self):
        super().__init__()
        self.away = set()

    def renew(self, run_id, turn, *, until):
        self.refuse(run_id)
        return super().renew(run_id, turn, until=until)

    def update(self, run):
        self.refuse(run.id)
        return super().update(run)

    def refuse(self, run_id):
        if run_id in self.away:
            raise StoreError("out of reach")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store():
    return Failing()


@pytest.fixture
def engine(store, clock):
    return Engine(store, clock=clock)


@pytest.fixture(autouse=True)
def fresh():
    """Let nothing of another test hang, or be said; what hangs ends after the test."""
    over.clear()
    loops.clear()
    hanging.clear()
    while not said.empty():
        said.get()
    yield
    over.set()


@pytest.fixture
def start():
    """Return a function that starts a worker in a thread, to be stopped after the test."""
    workers = []

    def start(engine, **settings):
        worker = Worker(engine, poll=timedelta(seconds=0.01), **settings)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        workers.append((worker, thread))
        return worker, thread

    yield start
    over.set()
    for worker, _ in workers:
        worker.stop()
    for _, thread in workers:
        thread.join(timeout=60)
        assert not thread.is_alive()


def due(engine, clock, *flows, args=()):
    """Start a run of each flow, and let their deadlines come; return their ids."""
    runs = []
    for flow in flows:
        is_async = asyncio.iscoroutinefunction(flow)
        run = asyncio.run(engine.astart_flow(flow, *args)) if is_async else None
        runs.append((run or engine.start_flow(flow, *args)).id)
    clock.advance(DAY)
    return runs


def wait_until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def live_on(engine, clock, lease=timedelta(seconds=60)):
    """Let twice the time of a lease go by in a process that lives, and let go of what is stale."""
    for _ in range(6):
        clock.advance(lease / 3)
        engine._claims.keeper.renew()
    return [run.id for run in engine.release_stale()]


def test_a_signal_in_the_moment_before_a_rest_stops_the_worker():
    script = (
        "import signal, sys, threading\n"
        "from longterm import Engine\n"
        "from longterm.worker import Worker\n"
        "worker = Worker(Engine('memory://'))\n"
        "signal.signal(signal.SIGTERM, lambda *_: worker.stop())\n"
        "files = (threading.__file__, Worker.run.__code__.co_filename)\n"
        "def trace(frame, event, argument):\n"
        "    if frame.f_code.co_filename in files:\n"
        "        lines.append(frame.f_lineno)\n"
        "        if len(lines) == int(sys.argv[1]):\n"
        "            signal.raise_signal(signal.SIGTERM)\n"
        "        return trace\n"
        "lines = []\n"
        "sys.settrace(trace)\n"
        "worker.run()\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number)], env={**os.environ, "PYTHONPATH": path}
        )
        for number in range(9, 45, 6)
    ]
    try:
        assert [process.wait(timeout=60) for process in started] == [0] * len(started)
    finally:
        for process in started:
            process.kill()


def test_a_round_that_fails_is_tried_again_soon_however_long_the_poll(engine, monkeypatch):
    rounds = []
    done = threading.Event()

    def fail(**_):
        rounds.append(1)
        if len(rounds) == 2:
            done.set()
        raise StoreError("out of reach")

    monkeypatch.setattr(engine, "release_stale", fail)
    worker = Worker(engine, poll=timedelta(minutes=5))
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()

    assert done.wait(timeout=60)
    worker.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_flow_that_hangs_holds_its_own_run_only(engine, clock, start):
    held, *others = due(engine, clock, hangs, *[ends] * 20)
    start(engine, threads=2)

    wait_until(lambda: all(engine.get_run(each).state is RunState.COMPLETE for each in others))

    assert said.get(timeout=60) == "it hangs"
    assert engine.get_run(held).state is RunState.RUNNING
    over.set()
    wait_until(lambda: engine.get_run(held).state is RunState.COMPLETE)


def test_a_worker_claims_no_more_than_it_begins(engine, clock, start):
    runs = due(engine, clock, *[hangs] * 5)
    start(engine, threads=2)
    for _ in range(2):
        assert said.get(timeout=60) == "it hangs"

    states = sorted(engine.get_run(each).state for each in runs)

    assert states == [RunState.RUNNING] * 2 + [RunState.SUSPENDED] * 3


def test_a_batch_bounds_what_one_look_claims(engine, clock, monkeypatch):
    limits = []
    claim_due = engine.store.claim_due
    due(engine, clock, *[ends] * 5)

    def claim(**asked):
        limits.append(asked["limit"])
        return claim_due(**asked)

    monkeypatch.setattr(engine.store, "claim_due", claim)

    assert Worker(engine, threads=3, batch=4).run_once() == 4

    assert max(limits) <= 3
    assert Worker(engine).run_once() == 1


def test_four_workers_share_the_work_fairly(engine, clock, start, monkeypatch):
    monkeypatch.setitem(globals(), "meeting", threading.Barrier(4))
    runs = due(engine, clock, *[meets] * 8)

    for _ in range(4):  # no turn ends before each of them has one
        start(Engine(engine.store, clock=clock), threads=1)

    wait_until(lambda: all(engine.get_run(each).state is RunState.COMPLETE for each in runs))


@pytest.mark.parametrize("flow", [leaves_by, leaves_by_async])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_flow_raises_stops_no_worker(engine, clock, flow, kind):
    (failing,) = due(engine, clock, flow, args=(kind,))
    (other,) = due(engine, clock, ends)

    assert Worker(engine).run_once() == 2

    failed = engine.get_run(failing)
    assert failed.state is RunState.FAILED
    assert f"{kind}: of its own" in failed.error
    assert engine.get_run(other).state is RunState.COMPLETE


def test_a_task_of_a_flow_that_exits_stops_no_worker(engine, clock):
    runs = due(engine, clock, has_a_task_that_exits)
    worker = Worker(engine)

    assert worker.run_once() == 1

    assert "SystemExit: a task" in engine.get_run(runs[0]).error
    runs += due(engine, clock, loops_on)
    assert worker.run_once() == 1
    assert engine.get_run(runs[1]).state is RunState.COMPLETE


def test_an_exit_in_the_main_thread_may_be_a_signals_and_ends_no_run(engine, clock):
    runs = due(engine, clock, interrupted)
    runs += due(engine, clock, ends)

    with pytest.raises(SystemExit):
        engine.run_pending()

    assert [engine.get_run(each).state for each in runs] == [RunState.SUSPENDED] * 2


def test_what_ends_the_process_is_not_hidden_by_a_store_that_is_away(engine, clock, store):
    store.away.update(due(engine, clock, interrupted))

    with pytest.raises(SystemExit):
        engine.run_pending()


def test_a_flow_whose_own_task_is_cancelled_ends_no_worker(engine, clock):
    first, other = due(engine, clock, awaits_a_cancelled_task, ends)

    assert engine.run_pending() == 2

    assert "CancelledError" in engine.get_run(first).error
    assert engine.get_run(first).state is RunState.FAILED
    assert engine.get_run(other).state is RunState.COMPLETE


def test_a_turn_whose_save_is_refused_by_the_store_runs_out(engine, clock, store):
    runs = due(engine, clock, *[ends] * 3)
    store.away.update(runs)

    assert Worker(engine).run_once() == 3

    assert sorted(live_on(engine, clock)) == sorted(runs)


def claimed(engine, run_id):
    """Return a claim on a run, which is renewed for as long as it is kept."""
    claim = Claim(engine._claims)
    assert claim.take(run_id, "answer")
    return claim


def test_a_run_that_cannot_go_on_here_is_tried_ever_more_rarely(engine, clock, caplog, monkeypatch):
    runs = due(engine, clock, *[ends] * 50)
    flow = flows[engine.get_run(runs[0]).flow]
    worker = Worker(engine, threads=4)
    with monkeypatch.context() as edited:
        edited.setattr(flow, "version", "another")
        edited.setattr(flow.fresh, "by_number", {})  # nowhere is the same left to do
        for _ in range(60):
            worker.run_once()
            clock.advance(timedelta(minutes=1))
        turns = [engine.get_run(each).turn for each in runs]
        # The first was that of the start. Those that are claimed together are tried together.
        assert 5 <= sum(turns) - 50 <= 8 * 4
        for _ in range(48):
            worker.run_once()
            clock.advance(timedelta(minutes=30))
        turns = [engine.get_run(each).turn for each in runs]
        assert 20 <= sum(turns) - 50 <= 35 * 4

    parked = [engine.get_run(each) for each in runs if engine.get_run(each).error]
    assert {run.state for run in parked} == {RunState.SUSPENDED}
    assert all("has changed since this run was suspended" in run.error for run in parked)
    warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "left alone are all runs at tests.runtime.test_worker:ends@" in warnings[0].getMessage()
    clock.advance(timedelta(minutes=66))
    assert worker.run_once() == 50
    done = engine.get_run(runs[0])
    assert (done.state, done.error) == (RunState.COMPLETE, None)


def test_a_store_that_does_not_know_flows_is_worked_on_too(clock, monkeypatch):
    class OfBefore(MemoryStore):
        def claim_due(self, *, now, until, limit):
            return super().claim_due(now=now, until=until, limit=limit)

    engine = Engine(OfBefore(), clock=clock)
    unknown, known = due(engine, clock, interrupted, ends)
    monkeypatch.delitem(flows, engine.get_run(unknown).flow)
    monkeypatch.delitem(globals(), "interrupted")

    assert Worker(engine).run_once() == 2

    parked = engine.get_run(unknown)
    assert (parked.state, "is not known in this process" in parked.error) == ("suspended", True)
    assert engine.get_run(known).state is RunState.COMPLETE


def test_a_turn_that_takes_too_long_is_given_up(engine, clock, caplog):
    (run_id,) = due(engine, clock, hangs)
    worker = Worker(engine, threads=1, turn_seconds=0.05)

    assert worker.run_once() == 1

    failed = engine.get_run(run_id)
    assert failed.state is RunState.FAILED
    assert "TurnTimeout: the turn took longer than 0.05 seconds" in failed.error
    # It says where: the author's own lines, and none of the worker's.
    assert re.findall(r"in (\w+)\n", failed.error)[:2] == ["hangs", "wait_until_over"]
    assert run_id not in live_on(engine, clock)
    assert "its turn was given up" in caplog.text

    (other,) = due(engine, clock, ends)
    assert worker.run_once() == 1
    assert engine.get_run(other).state is RunState.COMPLETE

    assert engine.retry(run_id).state is RunState.SUSPENDED
    again = engine.get_run(run_id)
    over.set()
    assert [said.get(timeout=60) for _ in range(2)] == ["it hangs", "it went on"]
    hanging[0].join(timeout=60)
    assert not hanging[0].is_alive()
    assert engine.get_run(run_id) == again


def test_a_run_that_its_worker_fails_keeps_the_facts_of_that_turn(engine, clock):
    runs = due(engine, clock, sets_facts_and_hangs, sets_facts_and_exits, sets_facts_and_waits)

    assert Worker(engine, turn_seconds=0.05).run_once() == 3

    found = engine.find_runs(index={"customer": "Ada"}, state=RunState.FAILED)
    assert {run.id for run in found} == set(runs)


def test_an_async_turn_that_takes_too_long_is_cancelled(engine, clock):
    run_id, other = due(engine, clock, hangs_async, loops_on)
    worker = Worker(engine, turn_seconds=0.05)

    assert worker.run_once() == 2

    assert said.get(timeout=60) == "cleaned up"
    failed = engine.get_run(run_id)
    assert failed.state is RunState.FAILED
    assert re.findall(r"in (\w+)\n", failed.error)[:2] == ["hangs_async", "never"]
    assert engine.get_run(other).state is RunState.COMPLETE
    due(engine, clock, loops_on)
    assert worker.run_once() == 1
    assert len(set(loops)) == 1


def test_an_async_turn_that_holds_its_loop_is_left_behind_with_it(engine, clock):
    (run_id,) = due(engine, clock, holds_its_loop)
    worker = Worker(engine, turn_seconds=0.05)

    assert worker.run_once() == 1

    assert "in wait_until_over" in engine.get_run(run_id).error
    (other,) = due(engine, clock, loops_on)
    assert worker.run_once() == 1
    assert engine.get_run(other).state is RunState.COMPLETE


def test_a_store_that_is_slow_to_save_makes_no_turn_too_long(engine, clock, store, start):
    (run_id,) = due(engine, clock, ends)
    saving, save = threading.Event(), store.update

    def save_late(run):
        if run.state is not RunState.FAILED:
            saving.set()
            over.wait()
        return save(run)

    store.update = save_late
    start(engine, turn_seconds=0.2, threads=1)
    assert saving.wait(60)
    later = time.monotonic() + 0.5
    wait_until(lambda: time.monotonic() > later)
    over.set()

    wait_until(lambda: engine.get_run(run_id).state is not RunState.RUNNING)
    assert engine.get_run(run_id).state is RunState.COMPLETE


def test_a_turn_that_ends_just_as_it_is_given_up_keeps_what_it_saved(engine, clock):
    (run_id,) = due(engine, clock, ends)
    (turn,) = engine._due.claim(1)
    turn.advance()

    turn.give_up(TurnTimeout(1))

    assert engine.get_run(run_id).state is RunState.COMPLETE


def test_a_worker_that_is_stopped_waits_for_the_turns_under_way(engine, clock, start):
    (run_id,) = due(engine, clock, hangs)
    worker, thread = start(engine)
    assert said.get(timeout=60) == "it hangs"

    worker.stop()
    (late,) = due(engine, clock, ends)
    over.set()
    thread.join(timeout=60)

    assert engine.get_run(run_id).state is RunState.COMPLETE
    assert engine.get_run(late).state is RunState.SUSPENDED


def test_what_is_claimed_as_the_worker_is_stopped_is_given_back(engine, clock, monkeypatch):
    runs = due(engine, clock, *[ends] * 3)
    worker = Worker(engine)
    claim_due = engine.store.claim_due

    def claim(**asked):
        claimed = claim_due(**asked)
        worker.stop()
        return claimed

    monkeypatch.setattr(engine.store, "claim_due", claim)

    assert worker.run() is True

    states = [(engine.get_run(each).state, engine.get_run(each).turn) for each in runs]
    assert states == [(RunState.SUSPENDED, 2)] * 3


@pytest.mark.parametrize("flow", [hangs, holds_its_loop])
def test_what_still_runs_after_the_grace_time_keeps_its_claim(engine, clock, caplog, flow):
    (run_id,) = due(engine, clock, flow)
    worker = Worker(engine, poll=timedelta(seconds=0.01), grace_seconds=0.05)
    ended = queue.SimpleQueue()
    threading.Thread(target=lambda: ended.put(worker.run()), daemon=True).start()
    assert said.get(timeout=60) == "it hangs"

    worker.stop()

    assert ended.get(timeout=60) is False
    assert f"run {run_id}: its turn still goes on" in caplog.text
    assert live_on(engine, clock) == []  # or another would run it beside this one
    over.set()
    wait_until(lambda: engine.get_run(run_id).state is RunState.COMPLETE)


def test_a_worker_that_is_gone_leaves_no_thread(engine, clock):
    before = set(threading.enumerate())
    due(engine, clock, *[ends] * 3, loops_on)
    worker = Worker(engine)
    assert worker.run_once() == 4
    own = [each for each in set(threading.enumerate()) - before if each.name in NAMES]
    assert {each.name for each in own} == NAMES

    del worker

    def is_alone():
        gc.collect()
        return not any(each.is_alive() for each in own)

    wait_until(is_alone)


def test_async_turns_share_one_loop_for_the_life_of_a_worker(engine, clock, start):
    start(engine)
    runs = due(engine, clock, *[meets_async] * 3)
    wait_until(lambda: all(engine.get_run(each).state is RunState.COMPLETE for each in runs))
    runs = due(engine, clock, loops_on)
    wait_until(lambda: engine.get_run(runs[0]).state is RunState.COMPLETE)

    assert len(loops) == 4
    assert len(set(loops)) == 1


def test_a_thread_that_cannot_be_started_holds_no_run(engine, clock, caplog, monkeypatch):
    runs = due(engine, clock, *[ends] * 3, loops_on)
    refused = queue.SimpleQueue()
    begin = threading.Thread.start

    def refuse(thread):
        if thread.name.startswith(("longterm-turn", "longterm-loop")):
            refused.put(thread.name)
            raise RuntimeError("can't start new thread")
        begin(thread)

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Worker(engine).run_once()
        states = [engine.get_run(each).state for each in runs]
        assert states == [RunState.SUSPENDED] * 4
        worker = Worker(engine, poll=timedelta(seconds=0.01))
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        for _ in range(5):
            assert refused.get(timeout=60)
    wait_until(lambda: all(engine.get_run(each).state is RunState.COMPLETE for each in runs))
    worker.stop()
    thread.join(timeout=60)

    assert caplog.text.count("could not do its round") == 1
    assert all(engine.get_run(each).attempts == 0 for each in runs)


def test_each_turn_is_logged_without_what_users_said(engine, clock, caplog):
    caplog.set_level(logging.INFO, logger="longterm")
    (run_id,) = due(engine, clock, ends)
    (failing,) = due(engine, clock, leaves_by, args=("OSError",))

    Worker(engine).run_once()

    records = [(each.run_id, each.turn, each.getMessage()) for each in caplog.records]
    (done,) = [each for each in records if each[0] == run_id]
    assert re.fullmatch(rf"run {run_id}: turn 2 took 0\.\d+ s; the run is complete", done[2])
    assert done[1] == 2
    assert (failing, 2, f"run {failing}: its turn failed by OSError") in records
    assert "of its own" not in caplog.text


def test_a_claim_that_cannot_be_renewed_keeps_no_other_from_it(engine, clock, store):
    first, second = (engine.start_flow(ends).id for _ in range(2))
    claims = [claimed(engine, run_id) for run_id in (first, second)]
    store.away.add(first)

    assert live_on(engine, clock) == [first]
    assert all(claim.run for claim in claims)


def test_a_late_turn_leaves_the_newer_claim_alone(engine, clock):
    run = engine.start_flow(ends)
    late = claimed(engine, run.id)
    late_turn = late.run.turn
    clock.advance(timedelta(minutes=2))
    engine.release_stale()
    newer = claimed(engine, run.id)

    with pytest.raises(ClaimLost):
        late.release()

    assert live_on(engine, clock) == []
    assert newer.run.turn == late_turn + 1


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {"batch": 0},
            {"max_attempts": 0},
            {"threads": 0},
            {"poll": timedelta(0)},
            {"poll": -DAY},
        ),
        *({"turn_seconds": 0}, {"grace_seconds": -1}),
    ],
)
def test_a_worker_that_would_never_rest_or_never_work_is_refused(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}="):
        Worker(Engine("memory://"), **settings)


def test_a_lease_of_no_time_is_refused():
    with pytest.raises(ValueError, match="lease="):
        Engine("memory://", lease=timedelta(0))


def test_a_worker_on_a_store_without_deadlines_is_refused():
    with pytest.raises(NotSupported, match="WithoutDeadlines does not offer deadlines"):
        Worker(Engine(WithoutDeadlines()))
