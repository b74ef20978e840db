"""Every remedy that is named of databases of applications is followed, and helps."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from functools import partial

import pytest

from longterm.database import Database
from tests.advice import printed
from tests.database.conftest import StormyPool, case_of


def one(tx):
    return 1


async def one_soon(tx):
    return 1


@pytest.fixture
def path(tmp_path):
    Database(tmp_path / "shop.db").migrate()
    return tmp_path / "shop.db"


@pytest.fixture
def psycopg():
    return pytest.importorskip("psycopg", reason="NOT TESTED: psycopg is missing")


def test_a_function_that_opens_something_else(path):
    with printed("give a Database a function that returns one"):
        Database(lambda: 7).once("key", one)

    assert Database(lambda: sqlite3.connect(path)).once("key", one) == 1


def test_an_asynchronous_function_in_a_plain_database(path):
    with printed(
        "write `def`, or give a Database an AsyncEngine or async_sessionmaker of SQLAlchemy, or an "
        "AsyncConnectionPool of psycopg"
    ):
        asyncio.run(Database(path).aonce("key", one_soon))

    assert Database(path).once("key", one) == 1


def test_a_plain_function_in_an_asynchronous_database(path):
    asynchronous = pytest.importorskip("sqlalchemy.ext.asyncio", reason="NOT TESTED: SQLAlchemy")
    for name in ("aiosqlite", "greenlet"):
        pytest.importorskip(name, reason=f"NOT TESTED: {name} is missing")

    async def asked():
        engine = asynchronous.create_async_engine(f"sqlite+aiosqlite:///{path}")
        with printed("write `async def`, or give a Database what opens plain connections"):
            Database(engine).once("key", one)
        found = await Database(engine).aonce("key", one_soon)
        await engine.dispose()
        return found

    assert asyncio.run(asked()) == 1
    assert Database(lambda: sqlite3.connect(path)).once("key", one) == 1


def test_a_key_that_is_none(path):
    with printed("give what names the work, such as 'order 4711'"):
        Database(path).once("", one)

    assert Database(path).once("order 4711", one) == 1


def test_a_table_that_is_missing(tmp_path, capsys):
    from longterm.cli import main

    for name in ("a.db", "b.db"):
        database = Database(tmp_path / name)
        with printed("run `longterm migrate --db *`, or call `migrate()` of the Database once"):
            database.once("key", one)
        if name == "a.db":
            assert main(["migrate", "--db", f"sqlite:///{tmp_path}/a.db"]) == 0
        else:
            database.migrate()

        assert database.once("key", one) == 1


def test_a_function_that_commits_by_itself(path):
    database = Database(path)

    def commits(tx):
        tx.execute("CREATE TABLE booked (item)")
        tx.commit()

    with printed(
        "leave out `commit`, `rollback` and `with` around the connection: the transaction is "
        "committed with the step's value"
    ):
        database.once("key", commits)
    with printed(
        "look what is there, then delete the row from longterm_steps, to have it called again"
    ):
        database.once("key", one)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT count(*) FROM booked").fetchone() == (0,)
        connection.execute("DELETE FROM longterm_steps WHERE key = 'key'")

    assert database.once("key", one) == 1


def test_a_pool_of_another_library(request, psycopg):
    pools = pytest.importorskip("psycopg_pool", reason="NO POOL: it is not installed")
    case = case_of("postgres conninfo", request)
    Database(case.address).migrate()

    class Pool:
        @contextmanager
        def connection(self):
            yield 7

    with printed("give a Database a pool of psycopg_pool, or what else its documentation names"):
        Database(Pool()).once("key", one)

    with pools.ConnectionPool(case.address, min_size=1, open=True) as pool:
        assert Database(pool).once("key", one) == 1
    assert Database(case.address).once("key", one) == 1


def test_a_connection_that_is_left_in_a_transaction(request, psycopg):
    case = case_of("postgres conninfo", request)
    Database(case.address).migrate()

    def opened(is_committed):
        connection = psycopg.connect(case.address)
        connection.execute("SET TIME ZONE 'UTC'")
        if is_committed:
            connection.commit()
        return connection

    with printed("what opens connections for a Database must commit what it does with them"):
        Database(partial(opened, False)).once("key", one)

    assert Database(partial(opened, True)).once("key", one) == 1


def test_an_engine_that_commits_each_statement(request, psycopg):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
    case = case_of("postgres conninfo", request)
    Database(case.address).migrate()
    url = case.sqlalchemy_url("postgresql+psycopg")

    at_once = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with printed('give a Database one without isolation_level="AUTOCOMMIT"'):
        Database(at_once).once("key", one)
    at_once.dispose()

    engine = sqlalchemy.create_engine(url)
    assert Database(engine).once("key", one) == 1
    engine.dispose()


def test_a_database_of_another_kind(path):
    """Without a server: what matters is known before anything is sent."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
    from longterm.database._sqlalchemy import must_begin

    with printed("give a database in SQLite or Postgres"):
        must_begin(sqlalchemy.create_mock_engine("oracle://", lambda *each: None))

    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    assert Database(engine).once("key", one) == 1
    engine.dispose()


def test_a_commit_whose_answer_is_lost(request, psycopg):
    case = case_of("postgres conninfo", request)
    Database(case.address).migrate()
    weather = ["lost", *["out of reach"] * 3]

    database = Database(StormyPool(case.address, weather))
    with printed("ask again with the same key: if it is, its value is returned"):
        database.once("key", case.work("tea", 5))

    assert database.once("key", case.work("milk", 6)) == 5
