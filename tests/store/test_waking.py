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
def worker(engine):
    worker = Worker(engine, poll=timedelta(minutes=5))
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield worker
    worker.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()


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


def test_workers_of_one_process_rest_side_by_side(engine, worker):
    other = Worker(engine, poll=timedelta(minutes=5))
    thread = threading.Thread(target=other.run)
    thread.start()
    time.sleep(1)

    other.stop()
    thread.join(timeout=10)

    assert not thread.is_alive()
    wait_until_complete(engine, engine.start_flow(impatient, 0.2))
