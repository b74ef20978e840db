"""`checkpoint()`: the run is saved in the middle of a turn, which goes on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longterm import (
    CannotStore,
    ClaimLost,
    Engine,
    NotInRun,
    RunState,
    StoreError,
    checkpoint,
    deflow,
    respond,
    set_index,
    suspend,
)
from longterm.store.memory import MemoryStore
from longterm.testing import interpret, play

MINUTE = timedelta(minutes=1)
done: list[str] = []
faults: list[str] = []
paused: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()


@deflow
def charge(order):
    done.append(f"charge {order}")
    checkpoint()
    done.append(f"ship {order}")
    return suspend("received"), order


@deflow
def reads_and_saves():
    while True:
        order = suspend("order")
        checkpoint()
        if paused:
            paused.pop()()
        respond(order)


@deflow
async def charge_async(order):
    await asyncio.sleep(0)
    done.append(f"charge {order}")
    assert (await checkpoint()) is None
    done.append(f"ship {order}")
    return await suspend("received"), order


@deflow
def counts(most):
    total = 0
    for number in range(most):
        respond(number)
        total += number
        checkpoint()
    return total


@deflow
def outer():
    with kept(done):
        return [inner(number) for number in (1, 2)]


@deflow
def inner(number):
    checkpoint()
    return number


class kept:
    def __init__(self, told):
        self.told = told

    def __enter__(self):
        self.told.append("enter")

    def __suspend__(self):
        self.told.append("suspend")

    def __resume__(self):
        self.told.append("resume")

    def __exit__(self, *_):
        self.told.append("exit")


@deflow
def fails_after_it():
    order = suspend("order")
    done.append(f"charge {order}")
    checkpoint()
    if faults:
        faults.pop()
        raise OSError("the printer is on fire")
    return order


@deflow
def holds_a_lock():
    import threading

    lock = threading.Lock()
    done.append("before")
    checkpoint()
    return lock


@deflow
def says_before_and_after():
    set_index(step=1)
    respond("before")
    checkpoint()
    set_index(step=2)
    respond("after")
    suspend("more")


class CountsSaves(MemoryStore):
    def __init__(self):
        super().__init__()
        self.saved: list[Any] = []

    def update(self, run):
        saved = super().update(run)
        self.saved.append(saved)
        return saved


def test_the_flow_goes_on_in_the_same_turn(engine):
    run = engine.start_flow(charge, "tea")

    assert (run.state, run.waiting_for, run.turn) == (RunState.SUSPENDED, "received", 1)
    assert done == ["charge tea", "ship tea"]
    assert engine.process_event(run.id, "received", "yes").result == ("yes", "tea")


def test_an_async_flow_has_checkpoints_too(engine):
    async def story():
        run = await engine.astart_flow(charge_async, "tea")
        return await engine.aprocess_event(run.id, "received", "yes")

    assert asyncio.run(story()).result == ("yes", "tea")
    assert done == ["charge tea", "ship tea"]


def test_each_is_one_save():
    engine = Engine(CountsSaves())

    run = engine.start_flow(counts, 10)

    assert (run.result, run.response) == (45, list(range(10)))
    saved = engine.store.saved
    assert [one.state for one in saved] == [RunState.RUNNING] * 10 + [RunState.COMPLETE]
    assert saved[3].response == [0, 1, 2, 3]
    assert {one.turn for one in saved} == {1}


def test_what_stands_around_it_is_kept(engine):
    assert engine.start_flow(outer).result == [1, 2]
    assert done == ["enter", *["suspend", "resume"] * 2, "exit"]


def test_what_was_said_and_set_before_stays(engine):
    run = engine.start_flow(says_before_and_after)

    assert (run.response, run.index) == (["before", "after"], {"step": 2})


def test_compiled_and_interpreted_do_the_same():
    assert play(counts, [4]) == interpret(counts, [4])
    assert play(charge, ["tea"], ["yes"]) == interpret(charge, ["tea"], ["yes"])


def test_a_failed_run_is_tried_again_from_there(engine):
    run = engine.start_flow(fails_after_it)
    faults.append("once")
    with pytest.raises(OSError, match="on fire"):
        engine.process_event(run.id, "order", "tea", key="k")
    failed = engine.get_run(run.id)

    again = engine.retry(run.id)

    assert failed.state is RunState.FAILED
    assert (again.state, again.result, done) == (RunState.COMPLETE, "tea", ["charge tea"])
    assert engine.process_event(run.id, "order", "tea", key="k").is_duplicate


def test_what_cannot_be_stored_is_refused_there(engine):
    with pytest.raises(CannotStore, match="lock"):
        engine.start_flow(holds_a_lock)

    assert done == ["before"]
    assert engine.find_runs() == []


def test_an_interrupted_turn_is_given_back_as_it_was_saved_last(engine, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(globals(), "suspend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.start_flow(charge, "tea")
    monkeypatch.undo()
    (run,) = engine.find_runs()

    assert (run.state, run.waiting_for) == (RunState.SUSPENDED, "longterm.checkpoint")
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).waiting_for == "received"
    assert done == ["charge tea", "ship tea", "ship tea"]


@pytest.mark.parametrize("is_saved", [True, False])
@pytest.mark.parametrize("by", ["caller", "caller of async", "worker"])
def test_a_store_that_fails_at_it_is_no_failure_of_the_flow(
    engine, clock, monkeypatch, by, is_saved
):
    update, faults = engine.store.update, [StoreError("no answer")]

    def fails(run):
        if run.state is not RunState.RUNNING or not faults:
            return update(run)
        if is_saved:
            update(run)
        raise faults.pop()

    monkeypatch.setattr(engine.store, "update", fails)
    if by == "worker":
        engine.start(charge, ("tea",), at=timedelta(0))
        engine.run_pending()
    elif by == "caller":
        with pytest.raises(StoreError, match="no answer"):
            engine.start_flow(charge, "tea")
    else:
        with pytest.raises(StoreError, match="no answer"):
            asyncio.run(engine.astart_flow(charge_async, "tea"))
    assert done == ["charge tea"]
    clock.advance(2 * MINUTE)
    engine.run_pending()

    (run,) = engine.find_runs()
    assert (run.state, run.waiting_for) == (RunState.SUSPENDED, "received")
    assert done == ["charge tea"] * (1 if is_saved else 2) + ["ship tea"]


def test_outside_of_a_run_it_is_refused():
    with pytest.raises(NotInRun, match="checkpoint"):
        checkpoint()


KILLED = """
    import os, sys
    from datetime import timedelta
    from longterm import Engine, checkpoint, deflow, suspend

    @deflow
    def charge(path):
        order = suspend("order")
        note(path, f"charge {order}")
        checkpoint()
        note(path, "begin to ship")
        if len(open(path).readlines()) < 3:
            os._exit(7)
        note(path, "shipped")
        return order

    def note(path, text):
        with open(path, "a") as file:
            print(text, file=file)
"""


def test_a_process_that_dies_after_it_has_lost_nothing(tmp_path: Path) -> None:
    tmp_path.joinpath("shipping.py").write_text(textwrap.dedent(KILLED))
    told = tmp_path / "told.txt"
    url = f"sqlite:///{tmp_path}/runs.db"

    def python(code: str) -> subprocess.CompletedProcess[str]:
        begin = (
            "import shipping; from datetime import timedelta; from longterm import Engine; "
            f"engine = Engine({url!r}, lease=timedelta(seconds=1)); "
        )
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", begin + code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )

    started = python(f"print(engine.start_flow(shipping.charge, {str(told)!r}).id)")
    run_id = started.stdout.strip()
    assert python(f"engine.process_event({run_id!r}, 'order', 'tea')").returncode == 7

    worked = python(
        "import time; time.sleep(1.5); print(len(engine.release_stale()), engine.run_pending());"
        f"print(engine.get_run({run_id!r}).result)"
    )

    assert worked.stdout.split() == ["1", "1", "tea"], worked.stderr
    lines = told.read_text().splitlines()
    assert lines == ["charge tea", "begin to ship", "begin to ship", "shipped"]


def test_the_claim_is_renewed_by_it(tmp_path, clock):
    @deflow
    def slow():
        clock.advance(50 * MINUTE)
        checkpoint()
        return 1

    with closing(Engine(f"sqlite:///{tmp_path}/runs.db", clock=clock).store) as store:
        engine = Engine(store, clock=clock, lease=30 * MINUTE)
        seen: list[Any] = []
        save = store.update
        store.update = lambda run: seen.append(save(run)) or seen[-1]  # type: ignore[method-assign]
        engine.start_flow(slow)

    assert seen[0].claimed_until == seen[0].updated_at + 30 * MINUTE


def test_what_it_has_saved_stays_though_the_claim_is_lost_after_it(clock):
    store = MemoryStore()
    slow, other = (Engine(store, clock=clock, lease=MINUTE) for _ in range(2))

    def pauses():
        clock.advance(3 * MINUTE)
        other.release_stale()
        other.run_pending()

    paused.append(pauses)
    run = slow.start_flow(reads_and_saves)
    with pytest.raises(ClaimLost):
        slow.process_event(run.id, "order", "tea", key="k")

    rests = slow.get_run(run.id)
    assert (rests.waiting_for, rests.response) == ("order", ["tea"])
    assert slow.process_event(run.id, "order", "tea", key="k").is_duplicate
    assert not paused
