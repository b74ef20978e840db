"""Runs and events that are part of a transaction of the application's own."""

import itertools
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from longterm import (
    CannotStore,
    Engine,
    KeyReused,
    NotSupported,
    StaleEvent,
    StoreError,
    UnknownRun,
    WrongConnection,
    deflow,
    suspend,
)
from longterm.cli import main
from longterm.store import open_store
from longterm.testing import FakeClock
from tests.store.conftest import fresh_database, server

__all__ = ["fresh_database", "server"]

HOUR = timedelta(hours=1)
_numbers = itertools.count()
calls = []


@deflow
def order(item):
    calls.append(item)
    return item, suspend("paid")


@deflow
async def aorder(item):
    calls.append(item)
    return item, await suspend("paid")


class Setting:
    """A database with the runs and a table of the application's, and a way to connect to it."""

    def __init__(self, url, address):
        self.url = url
        self.address = address
        self.store = open_store(url)
        self.store.migrate()
        self.engine = Engine(self.store, clock=FakeClock())
        with self.opened() as connection:
            connection.execute("CREATE TABLE orders (item text)")
            connection.commit()

    @property
    def is_sqlite(self):
        return self.url.startswith("sqlite")

    def connect(self, **options):
        if self.is_sqlite:
            return sqlite3.connect(self.address, timeout=0.2, **options)
        import psycopg

        return psycopg.connect(self.address, **options)

    @contextmanager
    def opened(self, **options):
        with closing(self.connect(**options)) as connection:
            yield connection

    def orders(self):
        with self.opened() as connection:
            return [item for (item,) in connection.execute("SELECT item FROM orders").fetchall()]

    def runs(self):
        return [run.id for run in self.engine.find_runs()]


@pytest.fixture(params=["sqlite", "postgres"])
def setting(request, tmp_path):
    calls.clear()
    if request.param == "sqlite":
        made = Setting(f"sqlite:///{tmp_path}/runs.db", f"{tmp_path}/runs.db")
    else:
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
        made = Setting(url, url)
    yield made
    made.store.close()


def insert(connection, item="tea"):
    connection.execute(f"INSERT INTO orders VALUES ('{item}')")


# -- what is committed ---------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [order, aorder])
def test_run_is_there_with_the_commit(setting, flow):
    with setting.opened() as connection:
        insert(connection)
        run = setting.engine.within(connection).start(
            flow, ("tea",), id="order 1", index={"customer": 7}
        )
        assert (run.state, run.waiting_for, run.is_duplicate) == (
            *("suspended", "longterm.start"),
            False,
        )
        assert (setting.runs(), setting.orders()) == ([], [])
        assert setting.is_sqlite or setting.engine.run_pending() == 0  # the file is held
        connection.commit()

    assert setting.orders() == ["tea"]
    assert [run.id for run in setting.engine.find_runs(index={"customer": 7})] == ["order 1"]
    assert (setting.engine.run_pending(), calls) == (1, ["tea"])
    assert setting.engine.get_run("order 1").waiting_for == "paid"


def test_what_is_rolled_back_was_never_there(setting):
    run = setting.engine.start(order, ("milk",))
    with setting.opened() as connection:
        insert(connection)
        within = setting.engine.within(connection)
        within.start(order, ("tea",), id="order 1")
        within.send(run.id, "paid", 1, key="click")
        connection.rollback()

    assert setting.runs() == [run.id]
    assert setting.engine.get_run(run.id) == run
    assert setting.orders() == []
    assert setting.engine.run_pending() == 0
    assert not setting.engine.send(run.id, "paid", 1, key="click").is_duplicate
    assert not setting.engine.start(order, ("tea",), id="order 1").is_duplicate


def test_event_is_there_with_the_commit(setting):
    run = setting.engine.start(order, ("tea",))
    with setting.opened() as connection:
        receipt = setting.engine.within(connection).send(
            run.id, "paid", "yes", key="click", revision=run.revision
        )
        assert receipt.number == 1
        assert setting.engine.get_run(run.id).unread == ()
        connection.commit()

    assert setting.engine.run_pending() == 1
    assert setting.engine.get_run(run.id).result == ("tea", "yes")


def test_run_and_its_event_begin_together(setting):
    with setting.opened() as connection:
        within = setting.engine.within(connection)
        run = within.start(order, ("tea",), at=HOUR)
        within.send(run.id, "paid", "early")
        connection.commit()

    assert setting.engine.run_pending() == 0
    setting.engine.clock.advance(HOUR)
    assert setting.engine.run_pending() >= 1
    assert setting.engine.get_run(run.id).result == ("tea", "early")


# -- what is known before ------------------------------------------------------------------------


def test_repeats_are_known_in_the_transaction_and_after_it(setting):
    with setting.opened() as connection:
        within = setting.engine.within(connection)
        run = within.start(order, ("tea",), id="order 1")
        again = within.start(order, ("tea",), id="order 1")
        assert (again.is_duplicate, again.id) == (True, run.id)
        with pytest.raises(KeyReused):
            within.start(order, ("milk",), id="order 1")
        assert within.send(run.id, "paid", 1, key="click").number == 1
        assert within.send(run.id, "paid", 1, key="click").is_duplicate
        with pytest.raises(KeyReused):
            within.send(run.id, "paid", 2, key="click")
        insert(connection)
        connection.commit()

    assert setting.orders() == ["tea"]
    assert setting.engine.start(order, ("tea",), id="order 1").is_duplicate
    assert setting.engine.send(run.id, "paid", 1, key="click").is_duplicate


def test_refusal_leaves_the_transaction_as_it_was(setting):
    run = setting.engine.start(order, ("milk",))
    with setting.opened() as connection:
        insert(connection)
        within = setting.engine.within(connection)
        with pytest.raises(UnknownRun):
            within.send("nobody", "paid")
        with pytest.raises(CannotStore):
            within.start(order, (threading.Lock(),))
        with pytest.raises(CannotStore):
            within.send(run.id, "paid", threading.Lock())
        with pytest.raises(StaleEvent):
            within.send(run.id, "paid", revision=99)
        within.start(order, ("tea",), id="order 1")
        connection.commit()

    assert setting.orders() == ["tea"]
    assert sorted(setting.runs()) == sorted([run.id, "order 1"])


def test_step_that_fails_in_the_middle_is_undone_alone(setting, monkeypatch):
    run = setting.engine.start(order, ("milk",))
    with setting.opened() as connection:
        insert(connection)
        within = setting.engine.within(connection)
        with monkeypatch.context() as patched:
            if setting.is_sqlite:
                patched.setattr("longterm.store.sqlite._inbox._KEEP_KEY", "INSERT INTO nothing")
            else:
                from longterm.store.postgres._statements import inbox

                patched.setattr(inbox, "POST", inbox.POST + " WHERE 1 / 0 = 1")
            with pytest.raises(StoreError, match="cannot send an event"):
                within.send(run.id, "paid", 1)
        insert(connection, "coffee")
        connection.commit()

    assert setting.orders() == ["tea", "coffee"]
    assert setting.engine.get_run(run.id) == run


def test_settings_of_the_connection_stay_theirs(setting):
    with setting.opened() as connection:
        if setting.is_sqlite:
            connection.row_factory = lambda cursor, row: {"row": row}
            connection.text_factory = bytes
            expected = {"row": (b"tea",)}
        else:
            from psycopg.rows import dict_row

            connection.row_factory = dict_row
            expected = {"item": "tea"}
        within = setting.engine.within(connection)
        within.start(order, ("tea",), id="order 1")
        assert within.start(order, ("tea",), id="order 1").is_duplicate
        insert(connection)
        assert connection.execute("SELECT item FROM orders").fetchall() == [expected]
        connection.commit()

    assert setting.runs() == ["order 1"]


# -- wrong connections ---------------------------------------------------------------------------


def test_wrong_kind_of_connection_is_refused(setting, tmp_path):
    with pytest.raises(WrongConnection, match="object is no connection to"):
        setting.engine.within(object())
    with closing(sqlite3.connect(":memory:")) as other, pytest.raises(WrongConnection):
        setting.engine.within(other)


def test_another_database_is_refused(setting, tmp_path, request):
    if setting.is_sqlite:
        other = Setting(f"sqlite:///{tmp_path}/other.db", f"{tmp_path}/other.db")
    else:
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
        other = Setting(url, url)
        empty = server.url(request.getfixturevalue("fresh_database")())
        import psycopg

        with psycopg.connect(empty) as connection, pytest.raises(WrongConnection, match="not that"):
            setting.engine.within(connection)
    with other.opened() as connection:
        insert(connection)
        with pytest.raises(WrongConnection, match="connect to that"):
            setting.engine.within(connection)
        connection.commit()
    assert other.orders() == ["tea"]
    other.store.close()


def test_connection_without_a_transaction_is_refused(setting):
    options = {"isolation_level": None} if setting.is_sqlite else {"autocommit": True}
    with setting.opened(**options) as connection:
        with pytest.raises(WrongConnection, match="commits each statement by itself"):
            setting.engine.within(connection).start(order, ("tea",))
        connection.execute("BEGIN")
        within = setting.engine.within(connection)
        within.start(order, ("tea",), id="order 1")
        connection.execute("COMMIT")
        with pytest.raises(WrongConnection, match="in no transaction"):
            within.start(order, ("tea",), id="order 2")

    assert setting.runs() == ["order 1"]


def test_transaction_may_begin_by_the_start(setting):
    with setting.opened() as connection:
        within = setting.engine.within(connection)
        for number in range(2):
            within.start(order, ("tea",), id=f"order {number}")
            connection.commit()
        within.start(order, ("tea",), id="order 2")
        connection.rollback()

    assert setting.runs() == ["order 0", "order 1"]


def test_store_in_memory_says_so():
    with pytest.raises(NotSupported, match="transaction of yours"):
        Engine("memory://").within(object())


def test_file_without_tables_says_what_to_do(tmp_path):
    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    connection = sqlite3.connect(tmp_path / "runs.db")
    with pytest.raises(StoreError, match=f"run `longterm --store sqlite:///{tmp_path}/runs.db"):
        engine.within(connection)

    assert main(["--store", f"sqlite:///{tmp_path}/runs.db", "migrate"]) == 0
    engine.within(connection).start(order, ("tea",), id="order 1")
    connection.commit()
    assert engine.get_run("order 1").state == "suspended"
    connection.close()
    engine.store.close()


def test_a_transaction_on_a_file_holds_up_its_writers(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/runs.db?busy_seconds=0.2")
    store.migrate()
    engine = Engine(store)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        engine.within(connection).start(order, ("tea",), id="order 1")
        with pytest.raises(StoreError):
            engine.start_flow(order, "milk")
        assert engine.find_runs() == []
        connection.commit()
    assert engine.start_flow(order, "milk").waiting_for == "paid"
    store.close()


# -- concurrent ----------------------------------------------------------------------------------


def test_of_two_transactions_with_one_id_one_creates_the_run(setting):
    outcomes = []
    with setting.opened() as first:
        setting.engine.within(first).start(order, ("tea",), id="order 1")

        def second():
            with setting.opened() as connection:
                if setting.is_sqlite:
                    connection.execute("PRAGMA busy_timeout = 10000")
                within = setting.engine.within(connection)
                outcomes.append(within.start(order, ("tea",), id="order 1").is_duplicate)
                connection.commit()

        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
        assert outcomes == []
        first.commit()
        other.join(10)

    assert outcomes == [True]
    assert setting.runs() == ["order 1"]


# -- SQLAlchemy and Django -----------------------------------------------------------------------


@pytest.fixture
def alchemy(setting):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
    url = setting.url.replace("postgresql://", "postgresql+psycopg://", 1)
    if setting.is_sqlite:
        url = f"sqlite:///{setting.address}"
    made = sqlalchemy.create_engine(url)
    yield made
    made.dispose()


def test_connection_of_sqlalchemy(setting, alchemy):
    from sqlalchemy import text

    with alchemy.begin() as connection:
        connection.execute(text("INSERT INTO orders VALUES ('tea')"))
        setting.engine.within(connection).start(order, ("tea",), id="order 1")
    with alchemy.connect() as connection:
        with pytest.raises(WrongConnection, match="in no transaction"):
            setting.engine.within(connection)
        connection.begin()
        setting.engine.within(connection).start(order, ("tea",), id="order 2")
        connection.rollback()

    assert (setting.runs(), setting.orders()) == (["order 1"], ["tea"])


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_session_of_sqlalchemy(setting, alchemy, ends):
    from sqlalchemy.orm import Session

    with Session(alchemy) as session:
        setting.engine.within(session).start(order, ("tea",), id="order 1")
        getattr(session, ends)()

    assert setting.runs() == (["order 1"] if ends == "commit" else [])


@pytest.mark.parametrize("kind", ["AsyncSession", "AsyncConnection"])
def test_asynchronous_connection_is_refused(setting, kind):
    # As SQLAlchemy's are; its own need another library to be made.
    given = type(kind, (), {"sync_session" if "Session" in kind else "sync_connection": None})()

    with pytest.raises(WrongConnection, match=f"{kind} is asynchronous"):
        setting.engine.within(given)


def test_connection_of_django(setting):
    django = pytest.importorskip("django", reason="NOT TESTED: Django is missing")
    from django.conf import settings

    if not settings.configured:
        settings.configure(DATABASES={}, USE_TZ=True)
        django.setup()
    from django.db import connections, transaction
    from django.db.utils import ConnectionHandler

    if setting.is_sqlite:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": setting.address}
    else:
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(setting.address)
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.get("dbname"),
            "USER": parts.get("user"),
            "HOST": parts.get("host"),
            "PORT": parts.get("port", ""),
            "PASSWORD": parts.get("password", ""),
        }
    connection = ConnectionHandler({"default": database})["default"]

    with pytest.raises(WrongConnection, match=r"transaction\.atomic\(\)"):
        setting.engine.within(connection)

    def fails():
        with transaction.atomic():
            setting.engine.within(connection).start(order, ("tea",), id="order 2")
            raise ZeroDivisionError

    connections["default"] = connection
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO orders VALUES ('tea')")
            setting.engine.within(connection).start(order, ("tea",), id="order 1")
        with pytest.raises(ZeroDivisionError):
            fails()
    finally:
        connection.close()
        del connections["default"]

    assert (setting.runs(), setting.orders()) == (["order 1"], ["tea"])
