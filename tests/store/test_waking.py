"""A worker that rests for long on Postgres is there when a run is due."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from longterm import Engine, RunState, StoreError, deflow, suspend
from longterm._turns.claim import Claim
from longterm.worker import Worker

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")


@deflow
def impatient(seconds):
    return suspend("answer", expires=timedelta(seconds=seconds), default="too late")


def ask(engine, statement, *parameters):
    """Ask the database itself, as somebody else."""
    with psycopg.connect(engine.url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def engine(server, fresh_database):
    url = server.url(fresh_database())
    engine = Engine(url)
    engine.url = url
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


def test_an_event_that_is_sent_while_it_rests_is_read(engine, worker):
    runs = [engine.start_flow(impatient, 200) for _ in range(2)]
    time.sleep(1)

    for run in runs:
        engine.send(run.id, "later", 1)
        engine.send(run.id, "answer", "in time")

        wait_until_complete(engine, run)
        assert engine.get_run(run.id).result == "in time"


def test_an_event_that_comes_before_its_wait_is_read_by_a_resting_worker(engine, worker):
    run = engine.start_flow(impatient, 200)
    time.sleep(1)
    claimed = engine.store.unsuspend(run.id, "answer")

    engine.send(run.id, "answer", "in time")
    engine.store.update(claimed.changed(state=RunState.SUSPENDED))

    wait_until_complete(engine, run)


def test_a_deadline_that_is_saved_while_it_rests_is_kept(engine, worker):
    far = engine.start_flow(impatient, 200)
    time.sleep(1)

    wait_until_complete(engine, engine.start_flow(impatient, 0.5))

    assert engine.get_run(far.id).state is RunState.SUSPENDED


def test_a_worker_whose_sessions_are_ended_goes_on(engine, worker, server):
    wait_until_complete(engine, engine.start_flow(impatient, 0))
    ask(
        engine,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )

    wait_until_complete(engine, engine.start_flow(impatient, 0.5))


def test_a_run_that_no_worker_here_can_carry_on_does_not_keep_it_busy(
    engine, start_worker, monkeypatch
):
    looks = []
    claim_due = engine.store.claim_due
    monkeypatch.setattr(
        engine.store, "claim_due", lambda **asked: looks.append(asked) or claim_due(**asked)
    )
    start_worker()
    engine.start_flow(impatient, 0.5)
    ask(engine, "UPDATE longterm.runs SET flow = 'no:flow', checksum = NULL")
    time.sleep(2)

    assert len(looks) < 6


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


@pytest.mark.parametrize("seconds", [3, 0.000_001])
def test_a_run_that_is_let_go_of_wakes_a_worker(engine, request, seconds):
    run = engine.start_flow(impatient, seconds)
    ask(
        engine,
        "UPDATE longterm.runs SET updated_at = updated_at - interval '1 day', checksum = NULL",
    )
    claim = Claim(engine._claims)
    claim.take(run.id, "answer")
    request.getfixturevalue("worker")
    time.sleep(1)

    claim.release()

    wait_until_complete(engine, run)


def test_what_another_application_says_on_the_channel_is_passed_over(engine, worker, caplog):
    engine.start_flow(impatient, 200)
    time.sleep(1)
    ask(engine, "NOTIFY longterm")

    wait_until_complete(engine, engine.start_flow(impatient, 0.5))

    assert "could not do its round" not in caplog.text


def wait_for_work(engine, seconds=60):
    now = engine.clock.now()
    engine.store.wait_for_work(
        looked_at=now,
        now=now,
        until=now + timedelta(seconds=seconds),
        is_stopped=lambda: False,
    )


def test_the_time_that_it_takes_to_connect_is_part_of_the_rest(engine, monkeypatch):
    engine.start_flow(impatient, 1)
    listener = engine.store._listener
    listener.listen()
    monkeypatch.setattr(listener, "listen", lambda: time.sleep(3))
    heard = []
    monkeypatch.setattr(listener, "_heard", lambda *_: heard.append(1) or [])

    wait_for_work(engine)

    assert not heard


def test_what_was_saved_before_a_worker_began_to_listen_is_found_soon(
    engine, start_worker, monkeypatch
):
    late = []
    claim_due = engine.store.claim_due

    def claim_too_early(**asked):
        claimed = claim_due(**asked)
        if not late:
            late.append(engine.start_flow(impatient, -1))
        return claimed

    monkeypatch.setattr(engine.store, "claim_due", claim_too_early)
    start_worker()
    while not late:
        time.sleep(0.05)

    wait_until_complete(engine, late[0])


def test_a_worker_whose_connection_another_one_lost_looks_again(engine, monkeypatch):
    monkeypatch.setattr(engine.store._listener, "listen", lambda: None)

    wait_for_work(engine)


def test_a_store_that_is_closed_does_not_begin_to_listen(engine):
    engine.start_flow(impatient, 200)
    engine.store.close()

    with pytest.raises(StoreError, match="the store is closed"):
        wait_for_work(engine)

    listening = "SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND datname = %s"
    assert ask(engine, listening, engine.url.rpartition("/")[2]) == []
