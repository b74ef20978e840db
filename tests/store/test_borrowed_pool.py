"""A Postgres store over a pool of the application's: borrowed for a step, and left as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from longterm import Engine, deflow, suspend
from longterm.errors import StoreError
from longterm.run import RunState
from longterm.testing._races import race
from longterm.testing._sample_runs import claim, suspended_run
from longterm.testing.contract import StoreContract
from longterm.worker import Worker
from tests.store.postgres_server import PostgresServer, binaries_or_skip

if TYPE_CHECKING:
    import sqlalchemy

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
psycopg_pool = pytest.importorskip("psycopg_pool", reason="NO POOL: psycopg-pool is not installed")

from psycopg.rows import dict_row  # noqa: E402

from longterm.store.postgres import PostgresStore  # noqa: E402


@contextmanager
def pool_of(url: str, **options: Any) -> Iterator[Any]:
    """Open a pool as an application would have it: rows are dicts, and each use a transaction."""
    options = {"min_size": 1, "max_size": 4, "open": True} | options
    with psycopg_pool.ConnectionPool(
        url, kwargs={"row_factory": dict_row, "prepare_threshold": 0}, **options
    ) as pool:
        yield pool


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


@pytest.fixture
def pool(url: str) -> Iterator[Any]:
    with pool_of(url) as pool:
        yield pool


@pytest.fixture(scope="module")
def common_pool(server: PostgresServer) -> Iterator[Any]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE borrowed")
    with pool_of(server.url("borrowed")) as pool:
        yield pool


class TestPostgresStoreOverBorrowedPool(StoreContract):
    @pytest.fixture
    def store(self, common_pool: Any) -> Iterator[PostgresStore]:
        with PostgresStore(pool=common_pool) as store:
            store.migrate()
            with common_pool.connection() as connection:
                connection.execute(
                    "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox, "
                    "longterm.outbox, longterm.queues, longterm.progress, longterm.history, "
                    "longterm.versions, longterm.shard"
                )
            yield store

    @pytest.fixture
    def reopen(self, common_pool: Any) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(PostgresStore(pool=common_pool))


@deflow
def count_to(wanted: int) -> int:
    counted = 0
    while counted < wanted:
        counted += suspend("next")
    return counted


def test_the_application_and_longterm_share_the_connections(pool: Any) -> None:
    engine = Engine(PostgresStore(pool=pool))

    def take_turns() -> int:
        run = engine.start_flow(count_to, 10)
        for _ in range(10):
            engine.process_event(run.id, "next", 1)
            with pool.connection() as connection:
                (row,) = connection.execute(
                    "SELECT turn FROM longterm.runs WHERE id = %s", [run.id]
                ).fetchall()
        return int(row["turn"])

    assert race([take_turns] * 6) == [11] * 6


def test_connections_come_back_as_they_were(url: str) -> None:
    with pool_of(url, max_size=1) as pool:
        check_that_connections_come_back_as_they_were(pool)


def check_that_connections_come_back_as_they_were(pool: Any) -> None:
    shown = (
        "SELECT current_setting('synchronous_commit') AS commit,"
        " current_setting('client_min_messages') AS messages,"
        " (SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'UPDATE %') AS prepared"
    )
    notices: list[Any] = []
    with PostgresStore(pool=pool, synchronous_commit="remote_write") as store:
        for number in range(20):
            store.create(suspended_run(f"r{number}"))
            store.update(claim(store, f"r{number}").changed(state=RunState.COMPLETE))
        with pool.connection() as connection:
            connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            assert connection.autocommit is False
            before = connection._notice_handlers[:]
        with pytest.raises(StoreError):
            store.create(suspended_run("a\x00b"))
        store.get("r1")

    with pool.connection() as connection:  # the pool is open: the store does not own it
        assert connection.execute(shown).fetchall() == [
            {"commit": "on", "messages": "notice", "prepared": 0}
        ]
        connection.execute("DO $$ BEGIN RAISE NOTICE 'heard'; END $$")
        assert connection._notice_handlers == before
    assert notices == ["heard"]


def test_a_closed_store_says_so_and_leaves_the_pool_open(pool: Any) -> None:
    store = PostgresStore(pool=pool)
    store.create(suspended_run())

    store.close()

    with pytest.raises(StoreError, match="the store is closed"):
        store.get("r1")
    with pool.connection() as connection:
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


class Simple:
    """The least that can lend connections."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.options = options
        self.before = ""
        self.lent = 0

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with psycopg.connect(self.url, **self.options) as connection:
            if self.before:
                connection.execute(self.before.encode())
            self.lent += 1
            try:
                yield connection
            finally:
                self.lent -= 1


def test_whatever_lends_connections_will_do(url: str) -> None:
    lends = Simple(url)
    with PostgresStore(pool=lends, schema="Other") as store:
        store.create(suspended_run())
        assert store.get("r1") == suspended_run()
    assert lends.lent == 0


class SQLAlchemyPool:
    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.engine = engine

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        lent = self.engine.raw_connection()
        try:
            yield lent.driver_connection
        finally:
            lent.close()


def test_the_pool_of_sqlalchemy_lends_too(url: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NO SQLALCHEMY: it is not installed")
    engine = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), pool_size=1, max_overflow=0
    )
    with PostgresStore(pool=SQLAlchemyPool(engine)) as store:
        store.create(suspended_run())
        name = url.rpartition("/")[2]
        ask(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        )
        store.update(claim(store).changed(state=RunState.COMPLETE))
        with engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT state FROM longterm.runs"))
            assert rows.scalars().all() == ["complete"]
    engine.dispose()


def test_a_transaction_of_somebody_else_is_not_joined(url: str) -> None:
    lends = Simple(url)
    with PostgresStore(pool=lends) as store:
        store.create(suspended_run())
        lends.before = "SELECT 1"
        with pytest.raises(StoreError, match="get run 'r1' in the database of the pool: the pool"):
            store.get("r1")
    assert lends.lent == 0


def test_an_encoding_that_cannot_hold_all_is_refused(url: str) -> None:
    with (
        PostgresStore(pool=Simple(url, client_encoding="latin1")) as store,
        pytest.raises(StoreError, match="client_encoding is b'LATIN1', which cannot hold"),
    ):
        store.get("r1")


def test_what_lends_nothing_of_psycopgs_is_refused(url: str) -> None:
    class Other(Simple):
        @contextmanager
        def connection(self) -> Iterator[Any]:
            yield object()

    with pytest.raises(StoreError, match="dict has no connections to lend"):
        PostgresStore(pool={})  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="the pool lent a object"):
        PostgresStore(pool=Other(url)).get("r1")
    pool = psycopg_pool.AsyncConnectionPool(url, open=False)
    with pytest.raises(StoreError, match="AsyncConnectionPool lends nothing by `with`"):
        PostgresStore(pool=pool).get("r1")


def test_a_pool_that_is_not_open_is_named_at_once(url: str) -> None:
    pool = psycopg_pool.ConnectionPool(url, open=False, name="shop")
    begin = time.monotonic()
    with pytest.raises(StoreError) as refused:
        PostgresStore(pool=pool).get("r1")

    assert time.monotonic() - begin < 5
    assert "in the database of pool 'shop': the pool gives no connection: PoolClosed: " in str(
        refused.value
    )


def test_a_pool_that_has_none_to_spare_is_asked_for_no_longer_than_allowed(url: str) -> None:
    with pool_of(url, max_size=1) as pool, PostgresStore(pool=pool, wait_seconds=1) as store:
        store.create(suspended_run())
        with pool.connection():
            begin = time.monotonic()
            with pytest.raises(StoreError, match="whoever holds one in the call of a flow needs"):
                store.get("r1")
            assert 0.9 < time.monotonic() - begin < 10
        assert store.get("r1").id == "r1"


def ask(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_connection_that_broke_is_replaced_and_the_step_is_taken(url: str, pool: Any) -> None:
    with PostgresStore(pool=pool) as store:
        store.create(suspended_run())
        name = url.rpartition("/")[2]
        ask(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        )
        assert store.update(claim(store).changed(state=RunState.COMPLETE)).turn == 2
        assert store.get("r1").state is RunState.COMPLETE


def test_a_server_that_is_silent_is_given_up_and_works_again() -> None:
    server = PostgresServer(binaries_or_skip())
    try:
        with pool_of(server.url(), reconnect_timeout=20) as pool:
            store = PostgresStore(pool=pool, wait_seconds=2)
            store.create(suspended_run())
            with server.frozen():
                for _ in range(3):
                    begin = time.monotonic()
                    with pytest.raises(StoreError):
                        store.get("r1")
                    assert time.monotonic() - begin < 8
            end = time.monotonic() + 60
            while True:
                try:
                    assert store.get("r1") == suspended_run()
                    break
                except StoreError:
                    assert time.monotonic() < end, "the pool did not come back"
    finally:
        server.remove()


@deflow
def impatient(seconds: float) -> Any:
    return suspend("answer", expires=timedelta(seconds=seconds), default="too late")


def test_a_resting_worker_looks_for_what_it_cannot_hear(pool: Any) -> None:
    engine = Engine(PostgresStore(pool=pool))
    worker = Worker(engine, poll=timedelta(minutes=5))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        time.sleep(1)
        run = engine.start_flow(impatient, 0.5)
        end = time.monotonic() + 30
        while engine.get_run(run.id).state is not RunState.COMPLETE:
            assert time.monotonic() < end, "the worker overslept"
            time.sleep(0.05)
    finally:
        worker.stop()
        thread.join()


def test_stores_over_one_pool_migrate_once(pool: Any) -> None:
    stores = [PostgresStore(pool=pool) for _ in range(6)]
    runs = [suspended_run(f"r{number}") for number in range(6)]

    assert race([partial(s.create, run) for s, run in zip(stores, runs, strict=True)]) == runs
