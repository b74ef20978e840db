"""Postgres behind a real PgBouncer in transaction mode works; nothing is left in its sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from longterm import Engine, deflow, suspend
from longterm.errors import StoreError
from longterm.run import Run, RunState
from longterm.store import open_store
from longterm.testing._races import race
from longterm.testing._sample_runs import claim, suspended_run
from longterm.testing.contract import StoreContract
from longterm.worker import Worker

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from tests.store.pooler import Pooler  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402


@pytest.fixture(scope="module")
def common_database(server: PostgresServer) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE pooled")
    return "pooled"


@pytest.fixture
def database(fresh_database: Callable[..., str]) -> str:
    return fresh_database()


@pytest.fixture
def past_pooler(server: PostgresServer, database: str) -> Iterator[Any]:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        yield connection


class TestPostgresStoreBehindPooler(StoreContract):
    @pytest.fixture
    def store(
        self, pooler: Pooler, server: PostgresServer, common_database: str
    ) -> Iterator[PostgresStore]:
        with PostgresStore(pooler.url(common_database)) as store:
            store.migrate()
            with psycopg.connect(server.url(common_database), autocommit=True) as connection:
                connection.execute(
                    "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox, "
                    "longterm.outbox, longterm.queues, longterm.progress, longterm.history, "
                    "longterm.versions, longterm.shard"
                )
            yield store

    @pytest.fixture
    def reopen(self, pooler: Pooler, common_database: str) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(PostgresStore(pooler.url(common_database)))


@deflow
def count_to(wanted: int) -> int:
    counted = 0
    while counted < wanted:
        counted += suspend("next")
    return counted


def turns_of_many(url: str) -> list[Any]:
    """Take ten turns of each of sixty runs, in six threads of two stores; say how they ended."""

    def take_turns(engine: Engine) -> list[RunState]:
        runs = [engine.start_flow(count_to, 10) for _ in range(10)]
        for _ in range(10):
            for run in runs:
                engine.process_event(run.id, "next", 1)
        return [engine.get_run(run.id).state for run in runs]

    with ExitStack() as opened:
        stores = [opened.enter_context(open_store(url)) for _ in range(2)]  # type: ignore[type-var]
        return race([partial(take_turns, Engine(store)) for store in stores * 3])


@pytest.mark.parametrize("option", ["", "?pooler=yes"])
def test_every_turn_is_taken_though_sessions_are_shared(
    pooler: Pooler, database: str, option: str
) -> None:
    assert turns_of_many(pooler.url(database) + option) == [[RunState.COMPLETE] * 10] * 6


def test_a_pooler_that_is_taken_for_a_server_is_named_with_the_way_out(
    pooler: Pooler, database: str
) -> None:
    outcomes = turns_of_many(f"{pooler.url(database)}?pooler=no")

    words = "a pooler has given the session to another client (add pooler=yes to the URL)"
    assert any(isinstance(each, StoreError) and words in str(each) for each in outcomes)


def test_nothing_is_left_behind_in_the_sessions(
    pooler: Pooler, database: str, past_pooler: Any
) -> None:
    past_pooler.execute(f"ALTER DATABASE {database} SET synchronous_commit = off".encode())
    turns_of_many(pooler.url(database))

    with psycopg.connect(pooler.url(database), autocommit=True) as other:
        other.prepare_threshold = None
        assert other.execute(
            "SELECT current_setting('synchronous_commit'),"
            " (SELECT count(*) FROM pg_prepared_statements),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),"
            " (SELECT count(*) FROM pg_listening_channels())"
        ).fetchall() == [("off", 0, 0, 0)]


@pytest.mark.parametrize(
    ("default", "option", "expected"),
    [
        ("off", "", "on"),
        ("local", "", "local"),
        ("on", "?synchronous_commit=off", "off"),
    ],
)
def test_a_commit_is_as_durable_as_without_a_pooler(
    pooler: Pooler, database: str, past_pooler: Any, default: str, option: str, expected: str
) -> None:
    past_pooler.execute(f"ALTER DATABASE {database} SET synchronous_commit = '{default}'".encode())
    with open_store(pooler.url(database) + option) as store:  # type: ignore[attr-defined]
        store.migrate()
        # Deferred, so that it sees what the commit goes by.
        past_pooler.execute(
            "CREATE TABLE seen (setting text);"
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER seen AFTER INSERT OR UPDATE ON longterm.runs"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see()"
        )
        store.create(suspended_run())
        store.update(replace(claim(store), state=RunState.COMPLETE))

    assert past_pooler.execute("SELECT setting FROM seen").fetchall() == [(expected,)] * 3


@deflow
def impatient(seconds: float) -> Any:
    return suspend("answer", expires=timedelta(seconds=seconds), default="too late")


def test_a_resting_worker_looks_for_what_it_cannot_hear(pooler: Pooler, database: str) -> None:
    with PostgresStore(pooler.url(database)) as store:
        engine = Engine(store)
        worker = Worker(engine, poll=timedelta(minutes=5))
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            engine.start_flow(impatient, 200)
            time.sleep(2)
            run = engine.start_flow(impatient, 0.5)
            end = time.monotonic() + 30
            while engine.get_run(run.id).state is not RunState.COMPLETE:
                assert time.monotonic() < end, "the worker overslept"
                time.sleep(0.05)
        finally:
            worker.stop()
            thread.join()


def test_a_resting_worker_hears_by_the_server_behind_the_pooler(
    pooler: Pooler, server: PostgresServer, database: str
) -> None:
    url = f"{pooler.url(database)}?pooler=yes&listen=127.0.0.1:{server.port}"
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.migrate()
        assert store._listener.listen()
        threading.Timer(0.5, store.create, [due()]).start()
        begin, now = time.monotonic(), datetime.now(UTC)
        store.wait_for_work(
            looked_at=now, now=now, until=now + timedelta(minutes=1), is_stopped=lambda: False
        )
        assert 0.3 < time.monotonic() - begin < 20  # one that is deaf rests for a minute

        assert store._listener._connection.info.port == server.port


def due() -> Run:
    return suspended_run().changed(deadline=datetime.now(UTC))


def test_a_server_of_ones_own_is_not_taken_for_a_pooler(
    server: PostgresServer, database: str
) -> None:
    with PostgresStore(server.url(database)) as store:
        assert not store._database.on_connection(lambda used, _: used.is_shared, "look")
