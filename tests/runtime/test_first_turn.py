"""The first turn: its run is there before it, can be started again, and leaves none if refused."""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest

from longterm import (
    Cancelled,
    CannotRestart,
    CannotStore,
    CannotSuspend,
    CorruptData,
    Engine,
    RunState,
    WrongEvent,
    deflow,
    set_index,
    suspend,
)
from longterm._codec import decode_frames, encode
from longterm._event_names import START
from longterm._flows.registry import flow_of
from longterm._turns.claim import Claim
from longterm._turns.due_claims import DueClaims
from longterm._turns.starts import Start, new_run
from longterm.frame import Frame
from longterm.run import context_of
from longterm.store.memory import MemoryStore

broken = []
"""While something is in it, the flows below fail before their first wait."""
seen = []


def work(*what):
    """Do what a flow does in its first turn."""
    seen.append(what)
    if broken:
        raise ValueError("broken")


@deflow
def greet(name="nobody", *, mood="good"):
    work(name, mood)
    return name, mood, suspend("answer")


@deflow
async def greet_async(name):
    work(name)
    return name, suspend("answer")


@dataclass
class Shop:
    name: str
    sold: list = field(default_factory=list)

    @deflow
    def order(self, what="coffee"):
        work(self.name, what)
        self.sold.append(what)
        return self.name, self.sold, suspend("answer")

    @classmethod
    @deflow
    def open(cls, name="corner"):
        work(cls.__name__, name)
        return cls(name).name, suspend("answer")

    @deflow
    def __call__(self, what="tea"):
        work(self.name, what)
        return self.name, what, suspend("answer")


class Bakery(Shop):
    """Another class of the same flows."""


def make_adder(number):
    @deflow
    def add(other=1):
        work(number, other)
        return number + other

    return add


class FourMethods:
    """A store that offers its whole duty and nothing else."""

    def __init__(self):
        self.inner = MemoryStore()

    def create(self, run):
        return self.inner.create(run)

    def get(self, run_id):
        return self.inner.get(run_id)

    def unsuspend(self, run_id, event_id):
        return self.inner.unsuspend(run_id, event_id)

    def update(self, run):
        return self.inner.update(run)


@pytest.fixture(autouse=True)
def _begin_anew():
    broken.clear()
    seen.clear()


def failed_start(engine, function, *args, **kwargs):
    """Start a flow that fails before its first wait; return its run."""
    broken.append(True)
    with pytest.raises(ValueError, match="broken"):
        engine.start_flow(function, *args, **kwargs)
    broken.clear()
    seen.clear()
    (run,) = engine.find_runs(state="failed")
    return run


def died_start(engine, function, *args, **kwargs):
    """Leave a run as a process leaves it that dies in the run's first turn."""
    start = Start(flow_of(function), function, args, kwargs)
    engine._turns._begin(Claim(engine._claims), start)
    engine.clock.advance(timedelta(minutes=2))
    (run,) = engine.release_stale()
    return run


# -- what is kept --------------------------------------------------------------------------------


engines = []


@deflow
def looks():
    (engine,) = engines
    (run,) = engine.find_runs()
    seen.append((run.state, run.waiting_for, run.stack is not None, run.claimed_until))
    return run.id


def test_run_is_there_before_the_first_line_runs(engine, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "engines", [engine])

    done = engine.start_flow(looks)

    assert seen == [(RunState.RUNNING, START, True, engine.clock.now() + timedelta(seconds=60))]
    assert (done.state, done.turn, done.deadline, done.waiting_for) == ("complete", 1, None, None)
    assert done.result == done.id


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "said", "result"),
    [
        (greet, ("Ada",), {"mood": "fine"}, ("Ada", "fine"), ("Ada", "fine", 7)),
        (greet, (), {}, ("nobody", "good"), ("nobody", "good", 7)),
        (partial(greet, "Ada"), (), {}, ("Ada", "good"), ("Ada", "good", 7)),
        (partial(greet, mood="bad"), ("Bob",), {}, ("Bob", "bad"), ("Bob", "bad", 7)),
        (Shop("north").order, (), {}, ("north", "coffee"), ("north", ["coffee"], 7)),
        (Bakery("south").order, ("bun",), {}, ("south", "bun"), ("south", ["bun"], 7)),
        (Shop.order, (Shop("east"),), {}, ("east", "coffee"), ("east", ["coffee"], 7)),
        (Shop.open, (), {}, ("Shop", "corner"), ("corner", 7)),
        (Bakery.open, ("mill",), {}, ("Bakery", "mill"), ("mill", 7)),
        (Shop("west"), (), {}, ("west", "tea"), ("west", "tea", 7)),
        (partial(Shop("west"), "bun"), (), {}, ("west", "bun"), ("west", "bun", 7)),
        (partial(Shop("a").order, what="b"), (), {}, ("a", "b"), ("a", ["b"], 7)),
    ],
    ids=lambda value: repr(value)[:30] if callable(value) else "",
)
@pytest.mark.parametrize("how", ["retried", "taken up"])
def test_what_was_called_is_called_again(engine, function, args, kwargs, said, result, how):
    if how == "retried":
        run = engine.retry(failed_start(engine, function, *args, **kwargs).id)
    else:
        run = died_start(engine, function, *args, **kwargs)
        assert (run.state, run.waiting_for, run.attempts) == (RunState.SUSPENDED, START, 1)
        assert engine.run_pending() == 1
        run = engine.get_run(run.id)

    assert seen == [said]
    assert (run.state, run.waiting_for, run.attempts) == (RunState.SUSPENDED, "answer", 0)
    assert (run.deadline, run.error) == (None, None)
    assert engine.process_event(run.id, "answer", 7).result == result


def test_of_two_functions_of_one_factory_the_one_that_was_called_is(engine):
    ten, hundred = make_adder(10), make_adder(100)
    runs = []
    for function in (ten, hundred):
        broken.append(True)
        with pytest.raises(ValueError, match="broken"):
            engine.start_flow(function)
        broken.clear()
        runs += [run.id for run in engine.find_runs(state="failed") if run.id not in runs]
    del ten, hundred, function

    assert [engine.retry(run_id).result for run_id in runs] == [11, 101]


def test_async_flow_is_started_again(engine):
    broken.append(True)
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(engine.astart_flow(greet_async, "Ada"))
    broken.clear()
    (failed,) = engine.find_runs(state="failed")

    assert asyncio.run(engine.aretry(failed.id)).waiting_for == "answer"

    died = died_start(engine, greet_async, "Bob")
    assert engine.run_pending() == 1
    assert engine.get_run(died.id).waiting_for == "answer"
    assert seen == [("Ada",), ("Ada",), ("Bob",)]


def test_start_is_done_again_by_the_code_of_today(engine):
    run = died_start(engine, greet, "Ada")
    frames = decode_frames(run.stack, context_of(run, "stack"))
    frames[0].version = "another"
    claimed = engine.store.claim(run.id, START, now=engine.clock.now(), until=engine.clock.now())
    stack = encode(frames, context_of(run, "stack"))
    engine.store.update(claimed.changed(state=RunState.SUSPENDED, stack=stack))

    assert engine.run_pending() == 1

    assert engine.get_run(run.id).waiting_for == "answer"


# -- what becomes of a run whose start died ------------------------------------------------------


def test_start_that_dies_again_and_again_is_failed(engine, clock):
    run = died_start(engine, greet, "Ada")
    for attempt in (2, 3):
        (claim,) = DueClaims(engine._claims).take(1, [run.flow])
        engine._claims.keeper.drop(claim)
        clock.advance(timedelta(minutes=2))
        (run,) = engine.release_stale(max_attempts=3)
        assert run.attempts == attempt

    assert (run.state, run.waiting_for) == (RunState.FAILED, START)
    assert "3 turns in a row died" in run.error
    assert seen == []
    assert engine.retry(run.id).waiting_for == "answer"


def test_start_whose_process_is_killed_is_done_again_by_another(tmp_path):
    (tmp_path / "killed_flows.py").write_text(
        "import os\n"
        "from longterm import deflow, suspend\n\n\n"
        "@deflow\n"
        "def ask(question, *, log):\n"
        "    with open(log, 'a') as lines:\n"
        "        lines.write(question)\n"
        "    if os.environ.get('DIES'):\n"
        "        os._exit(9)\n"
        "    return suspend(question)\n"
    )
    script = (
        "import sys\nfrom datetime import timedelta\nimport killed_flows\n"
        "from longterm import Engine\nfrom longterm.worker import Worker\n"
        "engine = Engine(sys.argv[1], lease=timedelta(microseconds=1))\n"
        "if sys.argv[2] == 'start':\n"
        "    engine.start_flow(killed_flows.ask, 'size', log=sys.argv[3])\n"
        "Worker(engine).run_once()\n"
    )
    url, log = f"sqlite:///{tmp_path}/runs.db", tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LONGTERM_CACHE": "off"}
    for how, dies, status in (("start", "1", 9), ("work", "1", 9), ("work", "", 0)):
        done = subprocess.run(
            [sys.executable, "-c", script, url, how, str(log)],
            env={**environment, "DIES": dies},
            check=False,
        )
        assert done.returncode == status

    engine = Engine(url)
    (run,) = engine.find_runs()
    engine.store.close()
    assert (run.state, run.waiting_for, run.turn) == (RunState.SUSPENDED, "size", 3)
    assert log.read_text() == "size" * 3


def test_run_that_is_to_be_started_takes_no_event(engine):
    run = died_start(engine, greet)

    with pytest.raises(WrongEvent, match=r"\(it waits for 'longterm.start'\)"):
        engine.process_event(run.id, "answer", 1)

    assert engine.get_run(run.id) == run


def test_run_that_is_to_be_started_can_be_cancelled(engine):
    run = died_start(engine, greet)

    assert engine.cancel(run.id).state is RunState.CANCELLED

    assert (seen, engine.run_pending()) == ([], 0)


def test_run_that_is_to_be_started_can_be_ended_by_an_exception(engine):
    run = died_start(engine, greet)

    with pytest.raises(OSError, match="no more"):
        engine.throw(run.id, OSError("no more"))

    assert (seen, engine.get_run(run.id).state) == ([], RunState.FAILED)


def test_run_that_is_to_be_started_can_be_started_at_once(engine):
    run = died_start(engine, greet)

    assert engine.expire(run.id).waiting_for == "answer"


# -- what cannot be stored -----------------------------------------------------------------------


@deflow
def takes_lock(lock, how):
    with lock:
        work(how)
    if how == "done":
        return how
    del lock
    return suspend(how)


def test_arguments_that_cannot_be_stored_are_allowed(engine):
    assert engine.start_flow(takes_lock, threading.Lock(), "done").result == "done"
    run = engine.start_flow(takes_lock, threading.Lock(), "waits")

    assert (run.waiting_for, run.error) == ("waits", None)


def test_failed_run_whose_arguments_cannot_be_stored_is_not_started_again(engine):
    failed = failed_start(engine, takes_lock, threading.Lock(), "waits")
    assert "ValueError: broken" in failed.error

    with pytest.raises(CannotRestart, match=r"could not be stored \(start a new run\)"):
        engine.retry(failed.id)

    after = engine.get_run(failed.id)
    assert (after.state, after.error, after.claimed_until) == ("failed", failed.error, None)


def test_died_run_whose_arguments_cannot_be_stored_is_failed_and_says_so(engine):
    run = died_start(engine, takes_lock, threading.Lock(), "waits")

    assert run.state is RunState.FAILED
    assert "its process died in its first turn, and it cannot be started again" in run.error
    assert "lock" in run.error
    assert engine.run_pending() == 0
    with pytest.raises(CannotRestart):
        engine.retry(run.id)


def test_call_that_takes_too_many_bytes_is_as_one_that_cannot_be_stored(clock):
    engine = Engine("memory://", clock=clock, max_bytes=1000)

    run = died_start(engine, greet, "x" * 1000)

    assert run.state is RunState.FAILED
    assert "it takes 1,0" in run.error
    assert "1,000 bytes are allowed" in run.error


def test_function_that_is_gone_is_not_started_again(engine):
    namespace = {"deflow": deflow, "__name__": "module_of_one_flow"}
    source = "@deflow\ndef leaves():\n    return 1\n"
    lines = source.splitlines(keepends=True)
    linecache.cache["<leaves>"] = (len(source), None, lines, "<leaves>")
    exec(compile(source, "<leaves>", "exec"), namespace)
    run = died_start(engine, namespace["leaves"])
    del namespace["leaves"]
    gc.collect()

    with pytest.raises(CannotRestart, match="module_of_one_flow:leaves is not here any more"):
        engine.expire(run.id)

    assert engine.get_run(run.id).state is RunState.SUSPENDED


# -- starts that are refused ---------------------------------------------------------------------


@deflow
def keeps_lock():
    set_index(kept=True)
    lock = threading.Lock()
    suspend("answer")
    return lock.locked()


@deflow
def is_interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("flow", "error"), [(keeps_lock, CannotStore), (is_interrupted, KeyboardInterrupt)]
)
def test_start_that_is_refused_leaves_no_run(engine, flow, error):
    with pytest.raises(error):
        engine.start_flow(flow)

    assert engine.find_runs() == []
    assert engine.release_stale() == []


def test_start_that_is_refused_is_failed_where_the_store_forgets_nothing():
    store = FourMethods()
    engine = Engine(store)

    for flow, error, words in (
        (keeps_lock, CannotSuspend, "cannot store local 'lock'"),
        (is_interrupted, KeyboardInterrupt, "KeyboardInterrupt"),
    ):
        with pytest.raises(error):
            engine.start_flow(flow)
        (run,) = runs_of(store)
        assert run.state is RunState.FAILED
        assert words in run.error
        store.inner._runs.clear()


def runs_of(store):
    return list(store.inner._runs.values())


def test_start_of_a_store_of_four_methods_is_there_before_its_turn():
    store = FourMethods()
    engine = Engine(store)

    @deflow
    def looks():
        return [run.state for run in runs_of(store)]

    assert engine.start_flow(looks).result == [RunState.RUNNING]


def test_retry_that_is_refused_leaves_the_run_failed(engine):
    failed = failed_start(engine, refused_later)

    with pytest.raises(CannotStore):
        engine.retry(failed.id)

    after = engine.get_run(failed.id)
    assert (after.state, after.error, after.turn) == (RunState.FAILED, failed.error, 2)


@deflow
def refused_later():
    work()
    lock = threading.Lock()
    suspend("answer")
    return lock


def test_started_again_by_a_worker_and_refused_is_parked(engine):
    run = died_start(engine, keeps_lock)

    assert engine.run_pending() == 1

    parked = engine.get_run(run.id)
    assert (parked.state, parked.waiting_for) == (RunState.SUSPENDED, START)
    assert "cannot store local 'lock'" in parked.error
    assert parked.deadline > engine.clock.now()


def test_task_that_is_cancelled_in_the_first_turn_leaves_no_run(engine):
    @deflow
    async def sleeps():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(engine.astart_flow(sleeps))
        while not engine.find_runs(state="running"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert engine.find_runs() == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_interrupt_while_a_run_is_created_leaves_none(engine, monkeypatch, moment):
    create = engine.store.create

    def interrupted(run):
        if moment == "after":
            create(run)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine.store, "create", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.start_flow(greet)

    assert (engine.find_runs(), seen) == ([], [])


# -- facts ---------------------------------------------------------------------------------------


@deflow
def finds(patient, how):
    set_index(patient=patient)
    if how == "at once":
        raise ValueError(how)
    try:
        suspend("first")
    finally:
        set_index(ward="B", patient=patient + 1)
    raise ValueError(how)


def test_facts_that_were_set_before_a_failure_are_kept(engine):
    with pytest.raises(ValueError, match="at once"):
        engine.start_flow(finds, 1, "at once")
    (failed,) = engine.find_runs(index={"patient": 1})
    assert (failed.state, failed.index) == (RunState.FAILED, {"patient": 1})

    run = engine.start_flow(finds, 2, "later")
    with pytest.raises(ValueError, match="later"):
        engine.process_event(run.id, "first")
    (failed,) = engine.find_runs(index={"patient": 3, "ward": "B"})
    assert (failed.id, failed.state) == (run.id, RunState.FAILED)
    assert engine.find_runs(index={"patient": 2}) == []


def test_facts_of_a_cancelled_run_are_kept(engine):
    run = engine.start_flow(finds, 2, "later")

    engine.cancel(run.id)

    assert engine.get_run(run.id).index == {"ward": "B", "patient": 3}


# -- what other bytes may say --------------------------------------------------------------------


def stored(engine, slots, flow=greet):
    """Create a failed run with a call of these slots, as other hands or other versions write it."""
    known = flow_of(flow)
    now = engine.clock.now()
    run = new_run(Start(known, greet, (), {}), now=now, until=None, max_bytes=10**6)
    stack = encode([Frame(known.name, known.version, 0, 0, slots)], ("stack", run.id, 1, ""))
    return engine.store.create(run.changed(state=RunState.FAILED, stack=stack, waiting_for=None))


def test_call_that_a_longterm_before_this_one_stored_is_done_again(engine):
    run = stored(engine, {"args": ("Ada",), "kwargs": {"mood": "fine"}})

    assert engine.retry(run.id).waiting_for == "answer"
    assert seen == [("Ada", "fine")]


def test_call_of_a_method_that_a_longterm_before_this_one_stored_is_refused(engine):
    run = stored(engine, {"args": ("coffee",), "kwargs": {}}, Shop.order)

    with pytest.raises(CannotRestart, match=r"before 0\.2 did not keep what it was called on"):
        engine.retry(run.id)

    assert (engine.get_run(run.id).state, seen) == (RunState.FAILED, [])


@pytest.mark.parametrize("function", [work, Shop, Shop("a").order, partial(work, 1), 7])
def test_bytes_that_call_something_else_than_the_flow_are_refused(engine, function):
    run = stored(engine, {"function": function, "args": (), "kwargs": {}})

    with pytest.raises(CorruptData, match="call something else than flow"):
        engine.retry(run.id)

    assert seen == []


def test_cancelled_is_no_failure_of_the_start(engine):
    @deflow
    def cancels_itself():
        raise Cancelled("other")

    with pytest.raises(Cancelled):
        engine.start_flow(cancels_itself)

    assert engine.find_runs() == []
