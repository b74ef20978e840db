"""`@step(db=…)`: what it does in the application's database is committed once, whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
import traceback
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest

from longterm import (
    CannotStore,
    ClaimLost,
    Engine,
    NotAStep,
    StoreError,
    deflow,
    respond,
    step,
    step_key,
    suspend,
)
from longterm.database import Database
from longterm.testing import interpret
from tests.chaos.faulty_store import FaultyStore

SECOND = timedelta(seconds=1)
done = []
faults = []


class Ledger:
    """Where the steps below write: a database of a test's own, and how it is to be reached."""

    address = ""
    is_reachable = True

    @classmethod
    def open(cls):
        if not cls.is_reachable:
            raise psycopg_error("OperationalError", "connection refused")
        if cls.address.startswith("postgresql"):
            import psycopg

            return psycopg.connect(cls.address)
        return sqlite3.connect(cls.address, timeout=20)

    @classmethod
    async def aopen(cls):
        import psycopg

        return await psycopg.AsyncConnection.connect(cls.address)

    @classmethod
    def ask(cls, statement):
        with closing(cls.open()) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
            return [row[0] for row in found]

    @classmethod
    def items(cls):
        return cls.ask("SELECT item FROM bookings ORDER BY item")

    @classmethod
    def keys(cls):
        return cls.ask("SELECT key FROM longterm_steps ORDER BY key")


def psycopg_error(name, text):
    return getattr(pytest.importorskip("psycopg"), name)(text)


ledger = Database(Ledger.open)
async_ledger = Database(Ledger.aopen)


@pytest.fixture(params=["sqlite", "postgres"])
def books(request, tmp_path):
    """A new database, in which nothing is booked yet."""
    done.clear()
    faults.clear()
    Ledger.is_reachable = True
    if request.param == "sqlite":
        Ledger.address = f"{tmp_path}/ledger.db"
    else:
        server = request.getfixturevalue("server")
        Ledger.address = server.url(request.getfixturevalue("fresh_database")())
    with closing(Ledger.open()) as connection:
        connection.execute("CREATE TABLE bookings (item text)")
        connection.commit()
    ledger.migrate()
    return Ledger


def insert(tx, item):
    done.append((item, step_key()))
    tx.execute(f"INSERT INTO bookings VALUES ('{item}')")
    if faults:
        raise faults.pop(0)


@step(db=ledger)
def book(tx, item):
    insert(tx, item)
    return {"booked": item}


@step(db=ledger, max_attempts=3, retry_on=(ConnectionError,))
def insist(tx, item):
    insert(tx, item)
    return item


@step
def both(item):
    return book(item)


@deflow
def sell(*items):
    booked = [book(item) for item in items]
    respond("booked")
    return booked, suspend("paid")


@deflow
def sell_one(item):
    try:
        return insist(item)
    except ZeroDivisionError as error:
        return f"no: {error}"


@deflow
def strict(item):
    return book(item)


@deflow
async def asell(item):
    return book(item), await suspend("paid")


# -- in runs ---------------------------------------------------------------------------------------


def test_each_call_is_committed_with_its_key(books, engine):
    run = engine.start_flow(sell, "tea", "milk")

    assert books.items() == ["milk", "tea"]
    assert books.keys() == [f"{run.id}:1:book", f"{run.id}:2:book"]
    assert done == [("tea", f"{run.id}:1:book"), ("milk", f"{run.id}:2:book")]
    assert engine.process_event(run.id, "paid", 1).result == (
        [{"booked": "tea"}, {"booked": "milk"}],
        1,
    )


def test_compiled_and_interpreted_do_the_same(books, engine):
    seen = interpret(sell, ("tea",), [5])
    run = engine.start_flow(sell, "tea")

    assert engine.process_event(run.id, "paid", 5).result == seen.result
    assert books.items() == ["tea", "tea"]


def test_outside_of_a_run_and_in_another_step_it_is_a_transaction(books, engine):
    assert book("tea") == {"booked": "tea"}
    faults.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        book("milk")
    assert (books.items(), books.keys()) == (["tea"], [])

    @deflow
    def calls():
        return both("coffee")

    assert engine.start_flow(calls).result == {"booked": "coffee"}
    assert (books.items(), books.keys()) == (["coffee", "tea"], [])


def test_what_it_raises_is_undone_and_raised_at_the_call(books, engine):
    faults.append(ZeroDivisionError("nothing left"))

    assert engine.start_flow(sell_one, "tea").result == "no: nothing left"
    assert (books.items(), books.keys()) == ([], [])


def test_it_is_tried_again_and_only_the_last_attempt_is_there(books, engine):
    faults.extend([ConnectionError(), ConnectionError()])

    assert engine.start_flow(sell_one, "tea").result == "tea"
    assert (len(done), len({key for _, key in done})) == (3, 1)
    assert books.items() == ["tea"]


def test_failed_run_is_retried_at_the_step(books, engine):
    faults.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        engine.start_flow(strict, "tea")
    (run,) = engine.find_runs()

    assert engine.retry(run.id).result == {"booked": "tea"}
    assert books.items() == ["tea"]


def test_in_async_flows_plain_and_asynchronous(books, engine):
    run = asyncio.run(engine.astart_flow(asell, "tea"))
    assert asyncio.run(engine.aprocess_event(run.id, "paid", 1)).result == ({"booked": "tea"}, 1)

    if not books.address.startswith("postgresql"):
        return
    run = asyncio.run(engine.astart_flow(areally, "milk"))
    assert (run.result, books.items()) == (["milk", "milk 2"], ["milk", "milk 2", "tea"])
    assert books.keys().count(f"{run.id}:2:abook") == 1


@step(db=async_ledger)
async def abook(tx, item):
    done.append((item, step_key()))
    await tx.execute("INSERT INTO bookings VALUES (%s)", [item])
    if faults:
        raise faults.pop(0)
    return item


@deflow
async def areally(item):
    return [await abook(item), await abook(f"{item} 2")]


def test_value_that_cannot_be_stored_is_undone(books, engine):
    assert engine.start_flow(unstorable).result == "refused"
    assert (books.items(), books.keys()) == ([], [])


@step(db=ledger)
def hands_out(tx):
    tx.execute("INSERT INTO bookings VALUES ('tea')")
    return tx


@deflow
def unstorable():
    try:
        return hands_out()
    except CannotStore:
        return "refused"


# -- what dies between the commit and the save -----------------------------------------------------


@deflow
def later():
    item = suspend("begin")
    return book(item), suspend("paid")


@deflow
async def alater():
    item = await suspend("begin")
    return book(item), await suspend("paid")


SAVES = ("update", "update_read")


@pytest.mark.parametrize("flow", [later, alater])
def test_after_a_commit_whose_run_was_not_saved_the_value_is_read(books, tmp_path, flow):
    """The store fails after the step's commit, before it has the run."""
    failures = []

    def fault(name, when, call):
        if (name in SAVES, when) == (True, "before") and done and not failures:
            failures.append(name)
            raise StoreError("the disk is full")

    real = Engine(f"sqlite:///{tmp_path}/runs.db")
    run = asyncio.run(real.astart_flow(flow))
    failing = Engine(FaultyStore(real.store, fault))
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(failing.aprocess_event(run.id, "begin", "tea"))
    assert (books.items(), real.get_run(run.id).state) == (["tea"], "running")

    successor = Engine(real.store, clock=Later())
    successor.release_stale()
    asyncio.run(successor.aprocess_event(run.id, "begin", "tea"))
    found = asyncio.run(successor.aprocess_event(run.id, "paid", 1)).result
    assert found == ({"booked": "tea"}, 1)
    assert (len(done), books.items()) == (1, ["tea"])
    real.store.close()


def test_zombie_and_successor_do_it_once(books, tmp_path):
    """A process has lost its claim in the step, and another takes the run up meanwhile."""
    real = Engine(f"sqlite:///{tmp_path}/runs.db")
    run = real.start_flow(later)
    seen = []

    def take_over(name, when, call):
        if (name in SAVES, when) == (True, "before") and not seen:
            seen.append(real.get_run(run.id).state)
            successor = Engine(real.store, clock=Later())
            successor.release_stale()
            seen.append(successor.process_event(run.id, "begin", "tea").waiting_for)

    with pytest.raises(ClaimLost):
        Engine(FaultyStore(real.store, take_over)).process_event(run.id, "begin", "tea")
    assert seen == ["running", "paid"]
    assert (len(done), books.items()) == (1, ["tea"])
    real.store.close()


class Later:
    def now(self):
        from datetime import UTC, datetime

        return datetime.now(UTC) + timedelta(minutes=10)

    def sleep(self, seconds):
        raise AssertionError


# -- a database that is out of reach ---------------------------------------------------------------


def test_while_the_database_is_out_of_reach_the_run_rests(books, engine, clock, caplog):
    books.is_reachable = False
    run = engine.start_flow(strict, "tea")

    assert (run.state, run.deadline) == ("suspended", clock.now() + 10 * SECOND)
    assert "the database of step" in caplog.text
    assert "is out of reach (OperationalError)" in caplog.text
    clock.advance(10 * SECOND)
    assert engine.run_pending(1) == 1
    assert engine.get_run(run.id).state == "suspended"

    books.is_reachable = True
    clock.advance(10 * SECOND)
    engine.run_pending()
    assert engine.get_run(run.id).result == {"booked": "tea"}
    assert (len(done), books.items()) == (1, ["tea"])


@step(db=ledger, queue="ledger", partition=lambda item: item)
def book_in_turn(tx, item):
    insert(tx, item)
    return {"booked": item}


@deflow
def books_in_turn(items):
    return [book_in_turn(item) for item in items]


def test_in_a_queue_it_waits_and_is_committed_once(books, engine):
    engine.queue("ledger", concurrency=1)
    run = engine.start_flow(books_in_turn, ["tea", "milk"])
    assert (run.queue, run.partition, books.items()) == ("ledger", "tea", [])

    faults.append(OSError("no ink"))
    engine.run_pending()
    assert (engine.get_run(run.id).state, books.items()) == ("failed", [])
    engine.retry(run.id)
    while engine.run_pending():
        pass
    assert engine.get_run(run.id).result == [{"booked": "tea"}, {"booked": "milk"}]
    assert books.items() == ["milk", "tea"]
    assert len(books.keys()) == 2


def test_what_the_database_says_is_an_outcome(books, engine):
    with closing(books.open()) as connection:
        connection.execute("DROP TABLE longterm_steps")
        connection.commit()
    with pytest.raises(StoreError, match="longterm migrate --db"):
        engine.start_flow(strict, "tea")
    ledger.migrate()
    (run,) = engine.find_runs()
    assert engine.retry(run.id).result == {"booked": "tea"}


def test_error_of_the_function_like_that_of_the_database_is_an_outcome(books, engine):
    faults.append(psycopg_error("OperationalError", "another server is gone"))
    with pytest.raises(Exception, match="another server is gone"):
        engine.start_flow(strict, "tea")
    (run,) = engine.find_runs()
    assert (run.state, books.items()) == ("failed", [])


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (insert, {"db": "ledger.db"}, "'ledger.db' is no Database"),
        (insert, {"db": ledger, "at_most_once": True}, "more than at_most_once"),
        (insert, {"db": Database("x.db"), "max_attempts": 0}, "allows nothing"),
        (abook.__wrapped__, {"db": Database("x.db")}, "is not asynchronous"),
    ],
)
def test_what_cannot_work_in_a_database_is_refused(function, options, words):
    with pytest.raises(NotAStep, match=words):
        step(function, **options)


def test_step_that_is_not_found_by_its_name_is_refused_before_anything_is_done(books, engine):
    @step(db=ledger)
    def hidden(tx):
        insert(tx, "tea")

    @deflow
    def calls():
        hidden()

    with pytest.raises(CannotStore, match=r"put @step\(db=…\) on a function of a module"):
        engine.start_flow(calls)
    assert (done, books.items()) == ([], [])


def test_traceback_shows_the_lines_of_the_flow_and_of_the_step(books, engine):
    faults.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError) as caught:
        engine.start_flow(strict, "tea")
    (run,) = engine.find_runs()

    for shown in ("".join(traceback.format_exception(caught.value)), run.error):
        lines = [line.rpartition(" in ")[2] for line in shown.splitlines() if "  File" in line]
        assert lines[-3:] == ["strict", "book", "insert"]
        assert "contextlib" not in shown


def test_options_of_a_partial_function(books, engine):
    """Anything that can be called is given the transaction first."""
    made = step(partial(insert, item="tea"), db=ledger)
    made()
    assert books.items() == ["tea"]
