"""Workers are told of work beside the saves: seldom, after the commit, and without a promise."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from longterm.errors import StoreError
from longterm.run import Run, RunState
from longterm.testing._inbox_contract import letter
from longterm.testing._races import race
from longterm.testing._sample_runs import suspended_run

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402
from tests.store.statements import all_statements  # noqa: E402


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with PostgresStore(url) as store:
        store.migrate()
        yield store


@pytest.fixture
def heard(url: str, store: PostgresStore) -> Iterator[Callable[..., list[float]]]:
    """Return a function that returns what was said on the channel."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN longterm")

        def hear(stop_after: int | None = None, timeout: float = 0.3) -> list[float]:
            said = connection.notifies(timeout=timeout, stop_after=stop_after)
            return [float(message.payload) for message in said]

        yield hear


def due(run_id: str, seconds: float) -> Run:
    return suspended_run(run_id).changed(deadline=datetime.now(UTC) + timedelta(seconds=seconds))


def rest(store: PostgresStore, seconds: float) -> float:
    """Rest as a worker does that has just looked; return for how many seconds."""
    now, begin = datetime.now(UTC), time.monotonic()
    until = now + timedelta(seconds=seconds)
    store.wait_for_work(looked_at=now, now=now, until=until, is_stopped=lambda: False)
    return time.monotonic() - begin


def test_no_step_notifies_by_itself() -> None:
    """A NOTIFY in a transaction keeps all others that have one from committing beside it."""
    notifying = {name for name, text in all_statements().items() if "notify" in text.lower()}
    assert notifying == {"waking.NOTIFY", "waking.HINT"}


def test_many_saves_are_few_hints_with_the_soonest_moment(
    store: PostgresStore, heard: Callable[..., list[float]]
) -> None:
    runs = [due(f"r{number}", 100 + number) for number in range(300)]
    begin = time.monotonic()

    race([partial(lambda those: list(map(store.create, those)), runs[k::4]) for k in range(4)])

    took = time.monotonic() - begin
    hints = heard()
    assert 0 < len(hints) <= took / 0.02 + 2
    assert min(hints) == min(run.deadline.timestamp() for run in runs if run.deadline)


@pytest.mark.parametrize("seconds", [-100, 100, 1000])
def test_what_is_due_is_told_as_workers_need_it(
    store: PostgresStore, heard: Callable[..., list[float]], seconds: float
) -> None:
    run = store.create(due("r1", seconds))

    assert run.deadline is not None
    told = [0.0] if seconds < 0 else [run.deadline.timestamp()]
    # Of what is due later than they look anyway, workers are not told.
    assert heard(stop_after=1) == ([] if seconds == 1000 else told)


def test_an_event_is_told_if_its_run_can_go_on_by_it(
    store: PostgresStore, heard: Callable[..., list[float]]
) -> None:
    store.create(suspended_run())
    store.post(letter("something else", "a"), limit=9)
    assert heard() == []

    store.post(letter("number", "b"), limit=9)
    assert heard(stop_after=1, timeout=5) == [0.0]


def test_a_hint_of_the_last_moment_is_sent_before_the_store_is_closed(
    url: str, heard: Callable[..., list[float]]
) -> None:
    with PostgresStore(url) as store:
        for number in range(3):  # the second is held back after the first
            store.create(due(f"r{number}", -1))

    assert heard() == [0.0, 0.0]
    assert not [each for each in threading.enumerate() if each.name == "longterm-waker"]


def test_a_hint_that_cannot_be_sent_is_lost_and_nothing_else(
    store: PostgresStore, heard: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise StoreError("the server is away")

    with monkeypatch.context() as patched:
        patched.setattr(store._waker, "_send", fail)
        store.create(due("r1", -1))
        assert failed.wait(5)
        assert heard() == []
        # A worker that rests finds it when it looks next.
        now = datetime.now(UTC)
        assert [run.id for run in store.claim_due(now=now, until=now, limit=9)] == ["r1"]

    store.create(due("r2", -1))
    assert heard(stop_after=1, timeout=5) == [0.0]


def test_a_resting_worker_does_not_hear_of_what_it_has_seen(store: PostgresStore, url: str) -> None:
    rest(store, 0.1)  # it listens from now on
    with psycopg.connect(url, autocommit=True) as other:
        for seconds in (5, 60, 3600):
            other.execute("SELECT pg_notify('longterm', %s)", (str(time.time() - seconds),))

    assert rest(store, 0.5) > 0.4


def test_one_look_is_enough_for_all_that_was_said_meanwhile(store: PostgresStore, url: str) -> None:
    rest(store, 0.1)
    with psycopg.connect(url, autocommit=True) as other:
        for _ in range(50):
            other.execute("SELECT pg_notify('longterm', '0')")

    assert rest(store, 0.5) < 0.4
    assert rest(store, 0.5) > 0.4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no forks")
def test_a_forked_process_tells_by_itself(url: str, heard: Callable[..., list[float]]) -> None:
    with PostgresStore(url) as store:
        store.create(due("r1", 100))
        assert len(heard(stop_after=1, timeout=5)) == 1
        child = os.fork()
        if child == 0:
            try:
                store.create(suspended_run("r2").changed(state=RunState.SUSPENDED))
                store.create(due("r3", -1))
                store.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)

        assert heard(stop_after=1, timeout=5) == [0.0]
