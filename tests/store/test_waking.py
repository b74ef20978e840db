"""A worker that rests for long on Postgres is there when a run is due."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from longterm import Engine, RunState, deflow, suspend
from longterm.worker import Worker

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")


@deflow
def impatient(seconds):
    return suspend("answer", expires=timedelta(seconds=seconds), default="too late")


@pytest.fixture
def engine(server, fresh_database):
    engine = Engine(server.url(fresh_database()))
    yield engine
    engine.store.close()


@pytest.fixture
def start_worker(engine):
    started = []

    def start():
        worker = Worker(engine, poll=timedelta(minutes=5))
        thread = threading.Thread(target=worker.run, daemon=True)
        started.append((worker, thread))
        thread.start()
        return worker, thread

    yield start
    for worker, _ in started:
        worker.stop()
    for _, thread in started:
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def worker(start_worker):
    return start_worker()[0]


def wait_until_complete(engine, run):
    end = time.monotonic() + 30
    while engine.get_run(run.id).state is not RunState.COMPLETE:
        assert time.monotonic() < end, "the worker overslept"
        time.sleep(0.05)


def test_a_deadline_from_before_is_kept(engine, request):
    run = engine.start_flow(impatient, 1)
    request.getfixturevalue("worker")

    wait_until_complete(engine, run)


def test_a_deadline_that_is_saved_while_it_rests_is_kept(engine, worker):
    far = engine.start_flow(impatient, 200)
    time.sleep(1)

    wait_until_complete(engine, engine.start_flow(impatient, 0.5))

    assert engine.get_run(far.id).state is RunState.SUSPENDED


def test_a_worker_whose_sessions_are_ended_goes_on(engine, worker, server):
    wait_until_complete(engine, engine.start_flow(impatient, 0))
    worker._poll = 0.5
    with psycopg.connect(engine.store._pool._conninfo, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    wait_until_complete(engine, engine.start_flow(impatient, 0.5))


def test_a_run_that_no_worker_here_can_carry_on_does_not_keep_it_busy(engine, worker, caplog):
    run = engine.start_flow(impatient, 0.5)
    with psycopg.connect(engine.store._pool._conninfo, autocommit=True) as connection:
        connection.execute("UPDATE longterm.runs SET flow = 'no:flow'")
    time.sleep(2)

    warnings = [each for each in caplog.records if run.id in each.getMessage()]
    assert len(warnings) < 5


def test_a_worker_listens_in_place_of_one_that_stops(engine, start_worker):
    first, thread = start_worker()
    time.sleep(1)
    start_worker()
    time.sleep(1)

    first.stop()
    thread.join(timeout=20)

    assert not thread.is_alive()
    wait_until_complete(engine, engine.start_flow(impatient, 0.2))


def test_a_worker_stops_beside_one_that_listens(engine, start_worker):
    start_worker()
    time.sleep(1)
    second, thread = start_worker()
    time.sleep(1)

    second.stop()
    thread.join(timeout=20)

    assert not thread.is_alive()
    wait_until_complete(engine, engine.start_flow(impatient, 0.2))
