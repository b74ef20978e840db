"""An exception of a signal at any place of a turn leaves nothing held."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from longterm import (
    CannotStore,
    Engine,
    RunState,
    StoreError,
    WrongEvent,
    deflow,
    respond,
    set_index,
    suspend,
)
from longterm._codec.decode import decoder
from longterm._flows.context import current
from longterm._turns.attempts import reading
from longterm.store import open_store
from longterm.store.sqlite import SQLiteStore
from longterm.testing import FakeClock
from longterm.testing._sample_runs import claim, suspended_run
from tests.store.interrupting import Interrupted, Signal, TimeIsUp

KINDS = (Interrupted, TimeIsUp)
IS_LONG = os.environ.get("LONGTERM_PROFILE") == "long"
DAY = timedelta(days=1)


@deflow
def asks(fails_first=False):
    set_index(topic="trust")
    if fails_first and not have_failed:
        raise LookupError("at first")
    shared = ["a"] * 3
    both = (shared, shared)
    try:
        answer = suspend("first", expires=DAY, default="late")
    except LookupError:
        answer = "thrown"
    respond(answer, both)
    if answer == "fail":
        raise LookupError(answer)
    kept = threading.Lock() if answer == "refuse" else answer
    second = suspend("second")
    return kept, second, both


have_failed: list[bool] = []


@dataclass(frozen=True)
class Case:
    """What is done to a run, and what it is before."""

    act: Any
    prepare: Any
    raises: type[BaseException] | None = None
    keeps_run: bool = True


def starts(engine):
    return engine.start_flow(asks)


def fails(engine):
    run = engine.start_flow(asks)
    with pytest.raises(LookupError):
        engine.process_event(run.id, "first", "fail", key="k")
    return engine.get_run(run.id)


def fails_at_first(engine):
    have_failed.clear()
    known = {run.id for run in engine.find_runs(state="failed", limit=1000)}
    with pytest.raises(LookupError):
        engine.start_flow(asks, True)
    have_failed.append(True)
    (run,) = (run for run in engine.find_runs(state="failed", limit=1000) if run.id not in known)
    return run


def due(engine):
    run = engine.start_flow(asks)
    engine.clock.advance(2 * DAY)
    return run


def sent_ahead(engine):
    run = engine.start_flow(asks)
    engine.send(run.id, "second", 2)
    return engine.get_run(run.id)


def ended(engine):
    return engine.process_event(delivered(engine).id, "second", 2)


def delivered(engine):
    return engine.process_event(engine.start_flow(asks).id, "first", "x", key="k")


CASES = {
    "start": Case(lambda engine, run: engine.start_flow(asks), lambda engine: None),
    "event": Case(lambda engine, run: engine.process_event(run.id, "first", "x", key="k"), starts),
    "end": Case(lambda engine, run: engine.process_event(run.id, "second", 2), delivered),
    "again": Case(
        lambda engine, run: engine.process_event(run.id, "first", "x", key="k"), delivered
    ),
    "failure": Case(
        lambda engine, run: engine.process_event(run.id, "first", "fail"), starts, LookupError
    ),
    "refusal": Case(
        lambda engine, run: engine.process_event(run.id, "first", "refuse"), starts, CannotStore
    ),
    "wrong event": Case(lambda engine, run: engine.process_event(run.id, "x"), starts, WrongEvent),
    "expire": Case(lambda engine, run: engine.expire(run.id), starts),
    "throw": Case(lambda engine, run: engine.throw(run.id, LookupError()), starts),
    "cancel": Case(lambda engine, run: engine.cancel(run.id), starts),
    "due": Case(lambda engine, run: engine.run_pending(), due),
    "retry": Case(lambda engine, run: engine.retry(run.id), fails, LookupError),
    "retry of a start": Case(lambda engine, run: engine.retry(run.id), fails_at_first),
    "send": Case(lambda engine, run: engine.send(run.id, "first", "x", key="k"), starts),
    "send ahead": Case(lambda engine, run: engine.send(run.id, "second", 2), starts),
    "event before a sent one": Case(
        lambda engine, run: engine.process_event(run.id, "first", "x"), sent_ahead
    ),
    "delete": Case(lambda engine, run: engine.delete(run.id), ended, keeps_run=False),
    "async event": Case(
        lambda engine, run: asyncio.run(engine.aprocess_event(run.id, "first", "x")), starts
    ),
}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def engine(request, tmp_path):
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/runs.db"}[request.param]
    engine = Engine(open_store(url), clock=FakeClock())
    delivered(engine)  # what it runs is compiled, and the thread that renews claims is there
    gc.freeze()  # so that the collector has little to look through
    yield engine
    gc.unfreeze()
    if hasattr(engine.store, "close"):
        engine.store.close()


# What comes while a generator is closed is told, and ignored, by Python itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CASES)
def test_signal_at_any_place_leaves_nothing_held(engine, name, monkeypatch):
    monkeypatch.setattr(decoder, "WORTH_IT_BYTES", 0)
    case = CASES[name]
    places = Signal(at=None)
    for _ in range(2):  # the first time it may do more than later
        places = Signal(at=None)
        run = case.prepare(engine)
        raised = places.during(lambda: case.act(engine, run))  # noqa: B023
        assert raised is case.raises
    assert places.seen > 10
    for at in range(0, places.seen, 1 if IS_LONG else max(17, places.seen // 20)):
        for kind in KINDS if IS_LONG else KINDS[at % 2 :][:1]:
            run = case.prepare(engine)
            signal = Signal(at, kind)
            signal.during(lambda: case.act(engine, run))  # noqa: B023
            before = run if case.keeps_run else None
            check(engine, before, signal.place, may_be_claimed=name == "due")


def test_handler_that_uses_the_engine_is_served_or_refused(engine):
    counts = dict.fromkeys(("served", "refused"), 0)

    def handle():
        """Do in the handler of a signal what an application may do there."""
        try:
            other = engine.start_flow(asks)
            engine.process_event(other.id, "first", "x")
            counts["served"] += 1
        except StoreError as error:
            if "a signal handler cannot use the store" not in str(error):
                raise
            counts["refused"] += 1

    places = Signal(at=None)
    places.during(lambda: delivered(engine))
    for at in range(0, places.seen, 1 if IS_LONG else 7):
        signal = Signal(at, handle=handle)
        run = None

        def turns():
            nonlocal run
            signal.during(lambda: note(delivered(engine)))  # noqa: B023

        def note(done):
            nonlocal run
            run = done

        in_a_thread(turns, signal)
        assert run is not None, signal.place
        assert (run.state, run.waiting_for) == (RunState.SUSPENDED, "second"), signal.place
    assert counts["served"] > places.seen // 20


@pytest.fixture(params=["sqlite", "postgres", "borrowed"])
def store(request, tmp_path):
    """Return a store that has a connection for one caller only, where that can be limited."""
    if request.param == "sqlite":
        with SQLiteStore(tmp_path / "runs.db") as store:
            yield store
        return
    server = request.getfixturevalue("server")
    url = server.url(request.getfixturevalue("fresh_database")())
    if request.param == "postgres":
        with open_store(f"{url}?max_connections=1&wait_seconds=4") as store:
            yield store
        return
    psycopg_pool = pytest.importorskip("psycopg_pool", reason="NO POOL: it is not installed")
    from longterm.store.postgres import PostgresStore

    with psycopg_pool.ConnectionPool(url, min_size=1, max_size=1, open=True) as pool:
        yield PostgresStore(pool=pool, wait_seconds=4)


# What comes in a `__del__` is told, and ignored, by Python itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_exception_of_a_signal_that_is_kept_keeps_no_connection(store):
    store.create(suspended_run("r0"))
    store.update(claim(store, "r0").changed(state=RunState.SUSPENDED))
    places = Signal(at=None)
    places.during(lambda: take_turn(store, "r1"))
    kept = []

    def step(number):
        try:
            take_turn(store, f"s{number}")
        except Interrupted as error:
            kept.append(error)

    for at in range(0, places.seen, 1 if IS_LONG else 5):
        signal = Signal(at)
        signal.during(partial(step, at))
        in_a_thread(lambda: store.get("r0"), signal.place)
        if isinstance(store, SQLiteStore):
            assert store._pool.lent() == 0, signal.place
    assert len(kept) > 10


def take_turn(store, run_id):
    store.create(suspended_run(run_id))
    store.update(claim(store, run_id).changed(state=RunState.COMPLETE))


def check(engine, before, place, *, may_be_claimed):
    """Check that nothing is held, and that the run is as before or as after, and goes on.

    Args:
        engine: the engine.
        before: the run as it was.
        place: where the signal came.
        may_be_claimed: whether the run may stay claimed, for its time: what a store claims of
            itself, as it does of due runs, is not known before it has answered.
    """
    assert gc.isenabled(), place
    assert (current.get(), reading.get()) == (None, None), place
    gc.collect()  # what the frames of an exception refer to is held until they are gone
    in_a_thread(lambda: engine.find_runs(limit=1), place)
    in_a_thread(lambda: fork(engine.store), place)
    claims = engine._claims.keeper
    claims.renew()
    assert not claims._held, place
    runs = engine.find_runs(state="running")
    if runs:
        assert may_be_claimed, place
        engine.clock.advance(timedelta(minutes=2))
        engine.release_stale()
    if before is not None:
        after = engine.get_run(before.id)
        if (after.state, after.waiting_for) == (before.state, before.waiting_for):
            assert after.stack == before.stack, place
            # A retry has let go of the key: it is that of an event in the inbox.
            is_in_inbox = after.next_unread is not None and after.delivery is None
            assert is_in_inbox or after.delivery == before.delivery, place
        if after.next_unread is not None and after.state is RunState.SUSPENDED:
            engine.clock.advance(timedelta(minutes=2))  # it may be parked for a minute
            engine.run_pending()  # a worker takes it on, by what it was sent
            done = engine.get_run(before.id)  # one that fails by its event keeps it
            assert done.next_unread is None or done.state is RunState.FAILED, place
        elif after.state is RunState.SUSPENDED:
            try:
                engine.process_event(after.id, after.waiting_for, 1)
            except BaseException as error:
                raise AssertionError(place) from error


def fork(store):
    """Do what a fork does to a store's connections: it waits until all are back."""
    if isinstance(store, SQLiteStore):
        store._pool.before_fork()
        store._pool.after_fork_in_parent()


def in_a_thread(step, place):
    """Do something in another thread, which waits for ever if a lock is held."""
    thread = threading.Thread(target=step, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), place
