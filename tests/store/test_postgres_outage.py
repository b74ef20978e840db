"""A Postgres that is away or silent is waited for, and used as soon as it is back.

Its own server: what is stopped here would be missed by the other tests.
"""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store.base import Query
from longterm.store.queues import Queue
from longterm.testing._history_contract import entry
from longterm.testing._inbox_contract import letter
from longterm.testing._races import race
from longterm.testing._sample_runs import claim, suspended_run
from tests.store.deaf_proxy import DeafProxy
from tests.store.postgres_server import PostgresServer, binaries_or_skip

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store import open_store  # noqa: E402
from longterm.store.postgres import PostgresStore  # noqa: E402

LONG = os.environ.get("LONGTERM_PROFILE") == "long"
OUTAGES = [20, 70, 150] if LONG else [4]
"""Seconds; what doubles its pauses shows itself in long ones."""


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    binaries = binaries_or_skip()
    server = PostgresServer(binaries)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def url(own_server: PostgresServer) -> str:
    with PostgresStore(own_server.url()) as store:
        store.create(suspended_run(f"made to have a schema {time.monotonic()}"))
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        connection.execute(
            "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox, "
            "longterm.outbox, longterm.queues, longterm.progress, longterm.history, "
            "longterm.versions, longterm.shard"
        )
    return own_server.url()


@pytest.fixture
def proxy(own_server: PostgresServer) -> Iterator[DeafProxy]:
    with closing(DeafProxy(own_server.port)) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: DeafProxy, own_server: PostgresServer, url: str) -> Iterator[PostgresStore]:
    """A store behind the proxy that gives up soon."""
    with PostgresStore(url.replace(str(own_server.port), str(proxy.port)), wait_seconds=2) as store:
        store.create(suspended_run())
        yield store


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


# -- away ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", OUTAGES)
@pytest.mark.parametrize("wait_seconds", [1, 30])
def test_a_server_that_is_back_is_used_within_two_seconds(
    url: str, own_server: PostgresServer, seconds: int, wait_seconds: int
) -> None:
    callers = 4
    back = [float("inf")]
    with PostgresStore(url, wait_seconds=wait_seconds) as store:
        for number in range(callers):
            store.create(suspended_run(f"r{number}"))

        def work(run_id: str) -> float:
            """Take turns all the time; return when the first succeeded after the outage."""
            while True:
                try:
                    begin = time.monotonic()
                    store.get(run_id)
                except StoreError as error:
                    if "the server cannot be reached" not in str(error):
                        raise
                else:
                    if begin > back[0] or time.monotonic() > back[0]:
                        return time.monotonic()

        def outage() -> float:
            own_server.stop("fast")
            time.sleep(seconds)
            own_server.start()
            back[0] = time.monotonic()
            return back[0]

        works = [partial(work, f"r{number}") for number in range(callers)]
        returned, *worked = race([outage, *works])

    assert isinstance(returned, float)
    late = [moment - returned for moment in worked if isinstance(moment, float)]
    assert len(late) == callers, worked
    print(f"after {seconds} s of outage: {max(late):.2f} s")
    assert max(late) < 2


def test_more_callers_than_connections_wait_for_a_server_that_is_away(
    url: str, own_server: PostgresServer
) -> None:
    with PostgresStore(url, max_connections=2, wait_seconds=20) as store:
        store.create(suspended_run())
        own_server.stop("fast")
        starts = threading.Timer(1, own_server.start)
        starts.start()

        runs = race([partial(store.get, "r1")] * 12)
        starts.join()

    assert [getattr(run, "id", run) for run in runs] == ["r1"] * 12


def test_an_attempt_that_failed_leaves_its_place_to_the_next_one(
    url: str, own_server: PostgresServer
) -> None:
    with PostgresStore(url, max_connections=1, wait_seconds=0.3) as store:
        store.create(suspended_run())
        own_server.stop("fast")
        kept = []
        for _ in range(3):
            with pytest.raises(StoreError, match="the server cannot be reached") as refused:
                store.get("r1")
            kept.append(refused)  # and with it every frame of the attempt
        own_server.start()

        assert store.get("r1").id == "r1"


# -- silent --------------------------------------------------------------------------------------


def steps_of(store: PostgresStore) -> dict[str, Callable[[], object]]:
    now = datetime.now(UTC)
    until = now + timedelta(minutes=1)
    return {
        "get": partial(store.get, "r1"),
        "claim": partial(store.claim, "r1", "number", now=now, until=until),
        "save": partial(store.update, replace(suspended_run(), state=RunState.COMPLETE)),
        "create": partial(store.create, suspended_run("r2")),
        "due": partial(store.claim_due, now=now, until=until, limit=9),
    }


@pytest.mark.parametrize("step", ["get", "claim", "save", "create", "due"])
def test_a_peer_that_acknowledges_and_never_answers_is_given_up(
    store: PostgresStore, proxy: DeafProxy, step: str
) -> None:
    with proxy.silent(), at_most(5), pytest.raises(StoreError, match="did not answer in time"):
        steps_of(store)[step]()

    assert store.get("r1").id == "r1"


def test_a_peer_that_never_answers_who_connects_is_given_up(
    proxy: DeafProxy, own_server: PostgresServer, url: str
) -> None:
    silent = url.replace(str(own_server.port), str(proxy.port))
    with PostgresStore(silent, wait_seconds=2) as store:
        with proxy.silent(), at_most(6), pytest.raises(StoreError, match="cannot open the store"):
            store.get("r1")

        store.create(suspended_run())


def test_a_server_that_was_stopped_in_its_tracks_is_given_up_and_used_again(
    own_server: PostgresServer, url: str
) -> None:
    with PostgresStore(url, wait_seconds=2, max_connections=3) as store:
        store.create(suspended_run())
        with own_server.frozen(), at_most(12):
            refused = race([partial(store.get, "r1")] * 6)
            refused += race([partial(store.get, "r1")] * 6)

        with at_most(2):
            assert store.get("r1").id == "r1"
    for error in refused:
        assert isinstance(error, StoreError), error
        assert "answer" in str(error) or "in use" in str(error) or "cannot be reached" in str(error)


def test_every_step_ends_in_time_though_the_server_was_stopped_in_its_tracks(
    own_server: PostgresServer, url: str
) -> None:
    with PostgresStore(url, wait_seconds=2, max_connections=64) as store:
        store.create(suspended_run())
        race([partial(store._database.execute, "SELECT pg_sleep(0.2)", (), "warm up")] * 40)
        steps = every_step(store)
        with own_server.frozen():
            outcomes = race([partial(seconds_until_refused, step) for step in steps.values()])

    took = dict(zip(steps, outcomes, strict=True))
    assert len(took) > 40
    assert not {name: end for name, end in took.items() if not isinstance(end, float) or end > 6}


NO_STEPS = {
    *("by_month_sql", "clock_ahead", "close", "loop_steps", "must_exist", "share_connections"),
    "within",
}


def every_step(store: PostgresStore) -> dict[str, Callable[[], object]]:
    """Return each method of a store with the arguments that it needs."""
    now, event = datetime.now(UTC), letter("number", "a")
    known: dict[str, object] = {
        "run": suspended_run(),
        "run_id": "r1",
        "event_id": "number",
        "turn": 1,
        "key": "a",
        "now": now,
        "until": now,
        "looked_at": now,
        "saved_before": now,
        "taken_before": now,
        "limit": 9,
        "max_attempts": 3,
        "query": Query(),
        "is_stopped": lambda: False,
        "event": event,
        "events": [],
        "number": 1,
        "message_id": "m1",
        "note": "half",
        "queue": Queue(name="mail"),
        "queues": ["mail"],
        "name": "mail",
        "place": (1, 1),
        "revision": 1,
        "was": entry(1),
        "entry": entry(1),
        "version": "f@1",
        "source": b"",
        "begin": "f",
        "run_ids": ["r1"],
        "before": "none",
    }
    steps: dict[str, Callable[[], object]] = {}
    for name, method in inspect.getmembers(store, inspect.ismethod):
        if not name.startswith("_") and name not in NO_STEPS:
            wanted = inspect.signature(method).parameters.values()
            needed = [each.name for each in wanted if each.default is inspect.Parameter.empty]
            steps[name] = partial(method, **{name: known[name] for name in needed})
    return steps


def seconds_until_refused(step: Callable[[], object]) -> float:
    begin = time.monotonic()
    with pytest.raises(StoreError):
        step()
    return time.monotonic() - begin


def test_a_worker_whose_connection_is_deaf_finds_out_and_listens_anew(
    store: PostgresStore, proxy: DeafProxy
) -> None:
    def rest(seconds: float) -> None:
        now = datetime.now(UTC)
        store.wait_for_work(
            looked_at=now,
            now=now,
            until=now + timedelta(seconds=seconds),
            is_stopped=lambda: False,
        )

    rest(0.2)
    with proxy.silent(), at_most(10), pytest.raises(StoreError, match="cannot listen for work"):
        rest(60)

    with at_most(10):
        rest(0.2)
    assert not store._listener.listen()  # since it listens already


def test_a_listener_that_lost_its_session_connects_at_once(
    own_server: PostgresServer, url: str
) -> None:
    with PostgresStore(url) as store:
        assert store._listener.listen()
        own_server.stop("fast")
        own_server.start()

        assert store._listener.listen()


# -- how durable a commit is ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("default", "option", "expected"),
    [
        ("off", "", "on"),
        ("on", "", "on"),
        ("local", "", "local"),
        ("remote_apply", "", "remote_apply"),
        ("on", "?synchronous_commit=off", "off"),
        ("off", "?synchronous_commit=remote_write", "remote_write"),
    ],
)
def test_a_commit_waits_for_the_disk_whatever_the_database_says(
    own_server: PostgresServer, url: str, default: str, option: str, expected: str
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE postgres SET synchronous_commit = '{default}'")
    try:
        with open_store(url + option) as store:  # type: ignore[attr-defined]
            setting = "SHOW synchronous_commit"
            answers = race([partial(store._database.execute, setting, (), "ask")] * 3)
            (on_first,) = store._database.on_connection(
                lambda connection, _: connection.execute(setting.encode()).fetchall(), "ask"
            )
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE postgres RESET synchronous_commit")

    assert [answer.rows for answer in answers] == [[(expected,)]] * 3
    assert on_first == (expected,)


def test_a_setting_that_postgres_does_not_have_is_refused() -> None:
    with pytest.raises(StoreError, match=r"'sometimes' is no setting .* \(choose from on"):
        open_store("postgresql://host/shop?synchronous_commit=sometimes")


@pytest.mark.parametrize("option", ["", "?synchronous_commit=off"])
def test_no_saved_turn_is_lost_when_every_process_of_the_server_is_killed(option: str) -> None:
    binaries = binaries_or_skip()
    # What waits for the next of these writes is in the server's memory alone.
    settings = "-c synchronous_commit=off -c wal_writer_delay=10s -c wal_writer_flush_after=1GB"
    server = PostgresServer(binaries, settings=settings)
    try:
        acknowledged = 0
        with open_store(server.url() + option) as store:  # type: ignore[attr-defined]
            store.create(replace(suspended_run(), stack=b"0"))
            for number in range(1, 50):
                made = replace(claim(store), state=RunState.SUSPENDED, stack=b"%d" % number)
                store.update(made)
                acknowledged = number
            server.kill_all()
        server.start_again()
        with open_store(server.url()) as store:  # type: ignore[attr-defined]
            found = lost_all(store)
        # Asked to, it loses them: so this test can fail.
        assert found == (acknowledged if option == "" else None)
    finally:
        server.remove()


def lost_all(store: PostgresStore) -> int | None:
    """Return the turn that is stored, None if not even the schema was saved."""
    try:
        return int(store.get("r1").stack or b"")
    except Exception:
        return None
