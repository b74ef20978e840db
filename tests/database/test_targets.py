"""What a Database can be made of, what it refuses, and what it leaves as it is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

import longterm
from longterm import StoreError, WrongConnection, WrongSeal
from longterm.database import Database
from tests.database.conftest import case_of, django_database
from tests.sealing import KEY, envelope

__all__ = ["envelope"]

LIBRARIES = ("sqlite3", "psycopg", "psycopg_pool", "sqlalchemy", "django")


def test_no_library_is_imported_before_one_of_its_targets_is_given():
    code = f"import longterm.database, sys; print({LIBRARIES} & sys.modules.keys())"
    code = code.replace("('", "{'").replace("')", "'}")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("text", ["{}/shop.db", "sqlite:///{}/shop.db", "SQLITE:///{}/a b%.x"])
def test_path_and_url_of_a_file(text, tmp_path):
    database = Database(text.format(tmp_path))
    database.migrate()
    assert database.once("key", lambda tx: tx.execute("SELECT 1").fetchall()) == [(1,)]
    assert len(list(tmp_path.iterdir())) == 1


def test_path_object_that_is_relative_stays_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database(Path("shop.db"))
    database.migrate()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert database.once("key", lambda tx: 1) == 1


@pytest.mark.parametrize(
    "target",
    [
        *(7, None, b"shop.db", object(), "shop", "", "memory://", "mysql://user:secret@host/shop"),
        *("mysql+pymysql://user:secret@host/shop.db", "user:secret@host/shop.db", "sqlite://"),
    ],
)
def test_what_is_no_database_is_refused_with_what_is_one(target):
    with pytest.raises(StoreError, match=r"no Database .*\(give a path or URL") as caught:
        Database(target)
    assert "secret" not in str(caught.value)


def test_password_is_shown_nowhere():
    pytest.importorskip("psycopg")
    for text in ("postgresql://ada:secret@nowhere.invalid/shop", "dbname=shop password=secret"):
        database = Database(text)
        assert "secret" not in repr(database)
        assert database._adapter.url is None


def test_address_of_sqlalchemy_names_the_same_server(request):
    case = case_of("postgres conninfo", request)
    database = Database(case.sqlalchemy_url("postgresql+asyncpg"))
    database.migrate()
    assert database.once("key", case.work("tea", 5)) == 5


def test_engine_of_another_kind_of_database_is_refused():
    """Without a server: what matters is known before anything is sent."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
    from longterm.database._sqlalchemy import must_begin

    connection = sqlalchemy.create_mock_engine("oracle://", lambda *each: None)
    with pytest.raises(StoreError, match="exactly once in oracle"):
        must_begin(connection)


def test_sessionmaker_of_async_sessions_is_asynchronous(tmp_path):
    orm = pytest.importorskip("sqlalchemy.orm", reason="NOT TESTED: SQLAlchemy is missing")
    pytest.importorskip("greenlet", reason="NOT TESTED: greenlet is missing")
    asynchronous = pytest.importorskip("sqlalchemy.ext.asyncio")

    made = Database(orm.sessionmaker(class_=asynchronous.AsyncSession))

    assert (made.takes_sync, made.takes_async) == (False, True)


def test_connection_of_django_stands_for_its_alias(tmp_path):
    pytest.importorskip("django", reason="NOT TESTED: Django is missing")
    with django_database("books", f"{tmp_path}/shop.db", is_sqlite=True):
        from django.db import connections

        try:
            database = Database(connections["books"])
            database.migrate()
            assert database.once("key", lambda tx: tx.alias) == "books"
            assert Database("django:books").once("key", lambda tx: 1 / 0) == "books"
        finally:
            connections["books"].close()


def test_session_is_no_pool(tmp_path):
    orm = pytest.importorskip("sqlalchemy.orm", reason="NOT TESTED: SQLAlchemy is missing")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with orm.Session(engine) as session, pytest.raises(WrongConnection, match="no connection of"):
        Database(session).once("key", lambda tx: 1)
    engine.dispose()


def test_function_that_opens_something_else_is_refused():
    with pytest.raises(WrongConnection, match="gave a int, and a plain function needs"):
        Database(lambda: 7).once("key", lambda tx: 1)


def test_connection_that_is_left_in_a_transaction_is_refused(request):
    case = case_of("postgres opener", request)

    def opened():
        connection = case._opener()()
        connection.execute("SELECT 1")
        return connection

    with pytest.raises(WrongConnection, match="in a transaction already"):
        Database(opened).once("key", lambda tx: 1)


MODES = [{}, {"isolation_level": None}, {"isolation_level": "EXCLUSIVE"}]
if sys.version_info >= (3, 12):
    MODES += [{"autocommit": True}, {"autocommit": False}]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_each_mode_of_sqlite3_is_one_transaction(mode, tmp_path):
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookings (item text)")
    database = Database(partial(sqlite3.connect, path, **mode))
    database.migrate()

    def book(tx):
        tx.execute("INSERT INTO bookings VALUES ('tea')")
        return tx.execute("SELECT count(*) FROM bookings").fetchall()

    def fail(tx):
        book(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.once("key", fail)
    assert database.once("key", book) == database.once("key", fail) == [(1,)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM bookings").fetchall() == [(1,)]


@pytest.mark.parametrize("way", ["sqlite opener", "postgres pool", "postgres opener"])
def test_settings_of_connections_stay_theirs(way, request):
    case = case_of(way, request)

    def opened():
        connection = case._opener()()
        if case.is_sqlite:
            connection.row_factory, connection.text_factory = sqlite3.Row, bytes
        else:
            from psycopg.rows import dict_row

            connection.row_factory = dict_row
        return connection

    database = Database(opened)
    database.migrate()

    def book(tx):
        tx.execute("INSERT INTO bookings VALUES ('tea')")
        return dict(tx.execute("SELECT item FROM bookings").fetchone())

    expected = {"item": b"tea" if case.is_sqlite else "tea"}
    assert database.once("key", book) == database.once("key", book) == expected


def test_value_is_sealed_for_its_key(tmp_path, envelope):
    database = Database(tmp_path / "shop.db")
    database.migrate()
    longterm.set_keys(KEY)
    assert database.once("one", lambda tx: 1) == database.once("one", lambda tx: 3) == 1
    database.once("two", lambda tx: 2)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute(
            "UPDATE longterm_steps SET value ="
            " (SELECT value FROM longterm_steps WHERE key = 'two') WHERE key = 'one'"
        )
    with pytest.raises(WrongSeal, match=r"under key 'one' has the seal of .* under key 'two'"):
        database.once("one", lambda tx: 1)
