"""Workers as processes of their own: how signals end them, and what is left when they die."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from longterm import Engine, RunState

ROOT = Path(__file__).parents[2]
FLOWS = '''\
"""Flows that hold their worker up, or end it."""

import asyncio
import os
import threading
import time
from datetime import timedelta
from pathlib import Path

from longterm import deflow, suspend

AT_ONCE = timedelta(microseconds=1)


def say(name):
    Path(name).touch()


@deflow
def hangs():
    suspend("answer", expires=AT_ONCE, default=None)
    say("hangs")
    threading.Event().wait()


@deflow
async def hangs_async():
    suspend("answer", expires=AT_ONCE, default=None)
    say("hangs_async")
    await asyncio.to_thread(threading.Event().wait)


@deflow
def is_slow():
    suspend("answer", expires=AT_ONCE, default=None)
    say("is_slow")
    while not Path("go on").exists():
        time.sleep(0.01)


@deflow
def dies():
    suspend("answer", expires=AT_ONCE, default=None)
    os._exit(7)


@deflow
def exits():
    suspend("answer", expires=AT_ONCE, default=None)
    raise SystemExit(3)


@deflow
def ends():
    suspend("answer", expires=AT_ONCE, default=None)
'''


@pytest.fixture
def flows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("slow_flows.py").write_text(FLOWS)
    yield importlib.import_module("slow_flows")
    sys.modules.pop("slow_flows")


@pytest.fixture
def engine(flows):
    engine = Engine("sqlite:///runs.db")
    yield engine
    engine.store.close()


@pytest.fixture
def start(flows):
    """Return a function that starts `longterm worker` in a process."""
    processes = []
    path = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])

    def start(*options, app="slow_flows"):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "longterm.cli", "--store", "sqlite:///runs.db"),
                *("--app", app, "worker", "--poll", "0.05", *options),
            ],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_turn_under_way_ends_before_the_worker_does(engine, flows, start, number):
    run = engine.start_flow(flows.is_slow)
    worker = start()
    wait_until(Path("is_slow").exists)

    worker.send_signal(number)
    late = engine.start_flow(flows.ends)
    Path("go on").touch()
    _, log = worker.communicate(timeout=60)

    assert worker.returncode == 0, log
    assert engine.get_run(run.id).state is RunState.COMPLETE
    assert engine.get_run(late.id).state is RunState.SUSPENDED


@pytest.mark.parametrize("name", ["hangs", "hangs_async"])
def test_a_worker_whose_flow_hangs_ends_after_its_grace_time(engine, flows, start, name):
    run = asyncio.run(engine.astart_flow(getattr(flows, name)))
    worker = start("--grace-seconds", "0.2", "--lease", "1")
    wait_until(Path(name).exists)

    worker.send_signal(signal.SIGTERM)
    _, log = worker.communicate(timeout=60)

    assert worker.returncode == 1, log
    assert f"run {run.id}: its turn still goes on after the grace time of 0.2 s" in log
    # Nobody has given it back while its thread could still run; it runs out with its lease.
    assert engine.get_run(run.id).state is RunState.RUNNING
    start()
    wait_until(lambda: engine.get_run(run.id).attempts == 1)


def test_a_second_signal_ends_a_worker_at_once(engine, flows, start):
    engine.start_flow(flows.hangs)
    worker = start("--grace-seconds", "1000")
    wait_until(Path("hangs").exists)

    worker.send_signal(signal.SIGTERM)
    late = engine.start_flow(flows.ends)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(timeout=0.5)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=60) == -signal.SIGTERM
    assert engine.get_run(late.id).state is RunState.SUSPENDED


def test_a_flow_that_exits_ends_no_worker(engine, flows, start):
    run = engine.start_flow(flows.exits)
    worker = start()
    wait_until(lambda: engine.get_run(run.id).state is RunState.FAILED)

    other = engine.start_flow(flows.ends)
    wait_until(lambda: engine.get_run(other.id).state is RunState.COMPLETE)

    assert "SystemExit: 3" in engine.get_run(run.id).error
    assert worker.poll() is None


def test_a_run_that_ends_its_workers_is_failed_after_so_many(engine, flows, start):
    run = engine.start_flow(flows.dies)
    options = ("--lease", "0.3", "--max-attempts", "3")
    for attempt in range(3):
        assert start(*options).wait(timeout=60) == 7
        assert engine.get_run(run.id).attempts == attempt

    start(*options)

    wait_until(lambda: engine.get_run(run.id).state is RunState.FAILED)
    failed = engine.get_run(run.id)
    assert (failed.attempts, failed.error[:13]) == (3, "3 turns in a ")


@pytest.mark.parametrize("name", ["hangs", "hangs_async"])
def test_a_worker_that_gave_up_a_turn_ends_well(engine, flows, start, name):
    run = asyncio.run(engine.astart_flow(getattr(flows, name)))
    worker = start("--turn-seconds", "0.2", "--threads", "1")
    wait_until(lambda: engine.get_run(run.id).state is RunState.FAILED)
    other = engine.start_flow(flows.ends)
    wait_until(lambda: engine.get_run(other.id).state is RunState.COMPLETE)

    worker.send_signal(signal.SIGTERM)
    _, log = worker.communicate(timeout=60)

    assert worker.returncode == 0, log
    assert "TurnTimeout: the turn took longer than 0.2 seconds" in engine.get_run(run.id).error
    assert f"run={other.id} run {other.id}: turn 2 took" in log


def test_a_worker_of_another_application_leaves_runs_alone(engine, flows, start):
    run = engine.start_flow(flows.ends)
    Path("other_flows.py").write_text("")
    worker = start(app="other_flows")
    dead = engine.start_flow(flows.ends)
    now = engine.clock.now()
    engine.store.claim(dead.id, "answer", now=now, until=now - timedelta(seconds=1))
    wait_until(lambda: engine.get_run(dead.id).state is RunState.SUSPENDED)  # it is at work
    worker.send_signal(signal.SIGTERM)
    _, log = worker.communicate(timeout=60)

    assert "no flows are known here" in log
    assert engine.get_run(run.id) == run
