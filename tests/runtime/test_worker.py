"""A worker stops when it is told to, survives what flows and stores do, and keeps no claim."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from longterm import ClaimLost, Engine, NotSupported, RunState, StoreError, deflow, suspend
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from longterm.worker import Worker

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


@deflow
async def awaits_a_cancelled_task():
    suspend("answer", expires=DAY, default=None)
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel()
    await task


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


def live_on(engine, clock, lease=timedelta(seconds=60)):
    """Let twice the time of a lease go by in a process that lives, and let go of what is stale."""
    for _ in range(6):
        clock.advance(lease / 3)
        engine._claims.renew()
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


def test_an_interrupt_lets_go_of_all_due_runs(engine, clock):
    engine.start_flow(interrupted)
    clock.advance(timedelta(seconds=1))
    for _ in range(2):
        engine.start_flow(ends)
    clock.advance(DAY)

    with pytest.raises(SystemExit):
        engine.expire_due()

    assert [run.state for run in engine.find_runs()] == [RunState.SUSPENDED] * 3


def test_what_ends_the_process_is_not_hidden_by_a_store_that_is_away(engine, clock, store):
    engine.start_flow(interrupted)
    clock.advance(timedelta(seconds=1))
    store.away.add(engine.start_flow(ends).id)
    clock.advance(DAY)

    with pytest.raises(SystemExit):
        engine.expire_due()


def test_a_flow_whose_own_task_is_cancelled_ends_no_worker(engine, clock):
    run = asyncio.run(engine.astart_flow(awaits_a_cancelled_task))
    other = engine.start_flow(ends)
    clock.advance(DAY)

    assert engine.expire_due() == 2

    assert engine.get_run(run.id).error == "CancelledError"
    assert engine.get_run(other.id).state is RunState.COMPLETE


def test_runs_that_a_stopped_worker_cannot_give_back_run_out(engine, clock, store):
    runs = [engine.start_flow(ends).id for _ in range(3)]
    clock.advance(DAY)
    store.away.update(runs)

    engine.expire_due(is_stopped=lambda: True)

    assert sorted(live_on(engine, clock)) == sorted(runs)


def test_a_claim_that_cannot_be_renewed_keeps_no_other_from_it(engine, clock, store):
    first, second = (engine.start_flow(ends).id for _ in range(2))
    for run_id in (first, second):
        engine._claims.claim(run_id, "answer")
    store.away.add(first)

    assert live_on(engine, clock) == [first]


def test_a_late_turn_leaves_the_newer_claim_alone(engine, clock):
    run = engine.start_flow(ends)
    late = engine._claims.claim(run.id, "answer")
    clock.advance(timedelta(minutes=2))
    engine.release_stale()
    engine._claims.claim(run.id, "answer")

    with pytest.raises(ClaimLost):
        engine._claims.release(late)

    assert live_on(engine, clock) == []


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"max_attempts": 0}, {"poll": timedelta(0)}, {"poll": -DAY}]
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
