"""`@step(db=…)` in the very database of the runs: the work and the run are one commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from longterm import (
    CannotStore,
    ClaimLost,
    CommitUnknown,
    Engine,
    deflow,
    respond,
    send,
    step,
    suspend,
)
from longterm.database import Database
from longterm.store import open_store

done = []
faults = []


class Books:
    """Where the steps below write; set by each test."""

    engine = None
    database = None
    address = ""

    @classmethod
    def connect(cls):
        if cls.address.startswith("postgresql"):
            import psycopg

            return psycopg.connect(cls.address)
        return sqlite3.connect(cls.address, timeout=20)

    @classmethod
    def ask(cls, statement):
        with closing(cls.connect()) as connection:
            cursor = connection.execute(statement)
            while not cursor.description and cursor.nextset():
                pass
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
            return [row[0] for row in found]

    @classmethod
    def items(cls):
        return cls.ask("SELECT item FROM bookings ORDER BY item")


class Later:
    """The machine's clock ten minutes ahead: every lease has run out."""

    def now(self):
        return datetime.now(UTC) + timedelta(minutes=10)

    def sleep(self, seconds):
        raise AssertionError


ledger = Database(Books.connect)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path):
    done.clear()
    faults.clear()
    if request.param == "sqlite":
        url, Books.address = f"sqlite:///{tmp_path}/shop.db", f"{tmp_path}/shop.db"
    else:
        server = request.getfixturevalue("server")
        url = Books.address = server.url(request.getfixturevalue("fresh_database")())
    with open_store(url) as store:
        store.migrate()
        with closing(Books.connect()) as connection:
            connection.execute("CREATE TABLE bookings (item text)")
            connection.commit()
        yield Engine(store)


@step(db=ledger)
def book(tx, item):
    done.append(item)
    tx.execute(f"INSERT INTO bookings VALUES ('{item}')")
    respond(f"booking {item}")
    if faults:
        fault = faults.pop(0)
        if callable(fault):
            return fault()
        raise fault
    return {"booked": item}


@deflow
def sell(*items):
    shared = [1]
    booked = [book(item) for item in items]
    return booked, shared, suspend("paid")


@deflow
def later():
    item = suspend("begin")
    return book(item), suspend("paid")


@deflow
async def asell(item):
    return book(item), await suspend("paid")


@deflow
def careful(item):
    try:
        return book(item)
    except (CannotStore, ZeroDivisionError) as error:
        return type(error).__name__


def test_run_is_saved_in_the_transaction_and_no_key_is_kept(engine):
    """There is no table of keys at all."""
    run = engine.start_flow(sell, "tea", "milk")

    assert (run.response, Books.items()) == (["booking tea", "booking milk"], ["milk", "tea"])
    result = engine.process_event(run.id, "paid", 1).result
    assert result == ([{"booked": "tea"}, {"booked": "milk"}], [1], 1)


def test_in_async_flows(engine):
    run = asyncio.run(engine.astart_flow(asell, "tea"))
    assert asyncio.run(engine.aprocess_event(run.id, "paid", 1)).result == ({"booked": "tea"}, 1)
    assert Books.items() == ["tea"]


@pytest.mark.parametrize("fault", [ZeroDivisionError(), threading.Lock])
def test_what_fails_is_undone_with_the_save(engine, fault):
    faults.append(fault)

    assert engine.start_flow(careful, "tea").result in ("ZeroDivisionError", "CannotStore")
    assert Books.items() == []


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_zombie_commits_nothing(engine):
    """Its claim is lost in the function, so its run is not saved, and neither is its work.

    In SQLite nobody can take a run while a step holds the file.
    """
    run = engine.start_flow(later)

    def take_over():
        Books.ask(f"UPDATE longterm.runs SET turn = turn + 1 WHERE id = '{run.id}' RETURNING id")

    faults.append(take_over)
    with pytest.raises(ClaimLost):
        engine.process_event(run.id, "begin", "tea")
    assert (done, Books.items()) == (["tea"], [])


def test_events_that_are_read_and_letters_that_are_sent_are_part_of_it(engine):
    box = engine.start_flow(later)
    run = engine.start_flow(writes_to, box.id)
    engine.send(run.id, "go", "tea")
    engine.run_pending()

    assert engine.get_run(run.id).result == {"booked": "tea"}
    assert engine.get_run(run.id).unread == ()
    assert engine.get_run(box.id).waiting_for == "paid"
    assert Books.items() == ["letter", "tea"]


@deflow
def writes_to(box):
    item = suspend("go")
    send(box, "begin", "letter")
    return book(item)


def test_when_the_connection_is_lost_in_the_commit_the_run_tells(engine, monkeypatch):
    """Nothing is undone: where it was committed, the run goes on behind the step."""
    run = engine.start_flow(later)
    losing = losing_database(ledger)
    monkeypatch.setattr(ledger, "_adapter", losing)
    with pytest.raises(CommitUnknown):
        engine.process_event(run.id, "begin", "tea")
    monkeypatch.undo()
    assert engine.get_run(run.id).state == "running"

    successor = Engine(engine.store, clock=Later())
    successor.release_stale()
    successor.run_pending()
    assert successor.get_run(run.id).waiting_for == "paid"
    assert (done, Books.items()) == (["tea"], ["tea"])


def losing_database(database):
    """Return an adapter whose connections are lost when they have committed."""
    from contextlib import contextmanager

    class Losing(type(database._adapter)):
        is_armed = True

        @contextmanager
        def begin(self):
            with super().begin() as begun:
                yield begun
            if done:
                raise ConnectionResetError("the server is gone")

    return Losing(Books.connect)


def test_database_of_a_store(engine):
    database = Database(engine.store)

    assert database.joins(engine.store)
    assert not database.joins(Engine("memory://").store)
    assert database.call(lambda tx: tx.execute("SELECT 1").fetchone()[0]) == 1


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_pool_of_a_store_and_of_its_database(engine):
    from psycopg_pool import ConnectionPool

    from longterm.store.postgres import PostgresStore

    with (
        ConnectionPool(Books.address, min_size=1, open=True) as pool,
        PostgresStore(pool=pool) as store,
    ):
        # Of one connection: asked by another it would not answer.
        assert Database(pool).joins(store)
        assert Database(store).joins(store)
        assert Database(Books.connect).joins(store)
        assert Database(store)._adapter._pool is pool


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_role_that_must_not_see_the_runs_works_by_keys(engine):
    Books.ask("CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk; SELECT 1")
    try:
        database = Database(Books.address.replace("postgres@", "clerk@"))
        assert not database.joins(engine.store)
        database.migrate()
        assert database.once("key", lambda tx: 1) == 1
    finally:
        Books.ask("DROP OWNED BY clerk CASCADE; DROP ROLE clerk; SELECT 1")


def test_while_it_cannot_be_told_where_the_runs_are_the_run_rests(engine, monkeypatch):
    """By a key or with the run: each step has to be done in one way only."""

    def refuse():
        raise ConnectionRefusedError

    elsewhere = Database(Books.connect)
    monkeypatch.setattr(ledger, "_joined", elsewhere._joined)
    monkeypatch.setattr(ledger, "_adapter", Database(refuse)._adapter)
    run = engine.start_flow(sell, "tea")
    assert (run.waiting_for, done) == ("longterm.step", [])

    monkeypatch.setattr(ledger, "_adapter", elsewhere._adapter)
    Engine(engine.store, clock=Later()).run_pending()
    assert engine.get_run(run.id).waiting_for == "paid"
    assert Books.items() == ["tea"]


def test_another_database_is_none_of_the_stores(engine, tmp_path):
    database = Database(tmp_path / "another.db")
    database.migrate()
    assert not database.joins(engine.store)
