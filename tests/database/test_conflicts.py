"""Transactions that others are in the way of: tried again, three times, and then no more."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from contextlib import closing
from functools import partial

import pytest

import longterm.database
from longterm import CommitUnknown
from longterm.database import Database
from tests.database.conftest import StormyPool, case_of
from tests.database.test_once import run
from tests.store.deaf_proxy import DeafProxy


def test_busy_file_is_tried_three_times_more(tmp_path):
    path = tmp_path / "shop.db"
    opens = []

    def opened():
        opens.append(1)
        return sqlite3.connect(path, timeout=0)

    database = Database(opened)
    database.migrate()
    opens.clear()
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.once("key", lambda tx: 1)
    assert len(opens) == 4
    assert database.once("key", lambda tx: 1) == 1


def test_function_that_conflicts_again_and_again_ends_with_the_conflict(request):
    errors = pytest.importorskip("psycopg.errors", reason="POSTGRES NOT TESTED: no psycopg")

    case = case_of("postgres pool", request)
    calls = []

    def fail(tx):
        calls.append(1)
        raise errors.DeadlockDetected("by hand")

    database = Database(case.address)
    database.migrate()
    with pytest.raises(errors.DeadlockDetected):
        database.once("key", fail)
    assert (len(calls), case.keys()) == (4, [])


def test_real_serialization_failure_is_tried_again(request):
    """Two transactions each read what the other writes: one of them has to be done again."""
    psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: no psycopg")

    case = case_of("postgres opener", request)
    case.ask("INSERT INTO bookings VALUES ('seen') RETURNING item")
    calls = []
    meeting = threading.Barrier(2, timeout=20)

    def opened():
        connection = psycopg.connect(case.address)
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        return connection

    database = Database(opened)
    database.migrate()

    def book(item, tx):
        calls.append(item)
        count = tx.execute("SELECT count(*) FROM bookings").fetchone()[0]
        if calls.count(item) == 1:
            meeting.wait()
        tx.execute("INSERT INTO bookings VALUES (%s)", [f"{item} after {count}"])
        return count

    results = {}

    def once(item):
        results[item] = database.once(item, partial(book, item))

    threads = [threading.Thread(target=once, args=(item,)) for item in ("tea", "milk")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(results.values()) == [1, 2]
    assert (len(calls), len(case.items())) == (3, 3)


def test_real_deadlock_is_tried_again(request):
    case = case_of("postgres pool", request)
    case.ask("INSERT INTO bookings VALUES ('a'), ('b') RETURNING item")
    database = Database(case.address)
    database.migrate()
    meeting = threading.Barrier(2, timeout=20)
    calls = []

    def change(items, tx):
        calls.append(items)
        first, second = items
        tx.execute("UPDATE bookings SET item = item WHERE item = %s", [first])
        if calls.count(items) == 1:
            meeting.wait()
        tx.execute("UPDATE bookings SET item = item WHERE item = %s", [second])
        return items

    results = {}

    def once(items):
        results[items] = database.once(items, partial(change, items))

    threads = [threading.Thread(target=once, args=(items,)) for items in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {"ab": "ab", "ba": "ba"}
    assert len(calls) == 3


@pytest.mark.parametrize(
    "way",
    [
        *("conninfo", "pool", "opener", "engine", "sessionmaker", "django"),
        *("async pool", "async opener", "async engine", "async sessionmaker"),
    ],
)
def test_answer_to_a_commit_that_is_lost_is_asked_for_by_the_key(way, request, monkeypatch):
    """The server commits, and its answer never comes."""
    case = case_of(f"postgres {way}", request)
    server = request.getfixturevalue("server")
    proxy = DeafProxy(server.port)
    case.address = case.address.replace(f":{server.port}/", f":{proxy.port}/")

    commits = []

    class Arming(longterm.database._Commit):
        """Has the answer to the first commit lost."""

        def __setattr__(self, name, value):
            if (name, value) == ("has_begun", True) and not commits:
                commits.append(1)
                proxy.swallow_next_answer()
            super().__setattr__(name, value)

    monkeypatch.setattr(longterm.database, "_Commit", Arming)

    async def scenario(case, database):
        assert await case.once(database, "key", case.work("tea", 5)) == 5
        assert await case.once(database, "key", case.work("milk", 6)) == 5

    try:
        run(scenario, case)
    finally:
        proxy.close()
    case.address = server.url()
    assert (case.items(), case.calls, proxy.swallowed) == (["tea"], ["tea"], 1)


@pytest.mark.parametrize("is_done", [True, False])
def test_while_nobody_can_tell_it_is_unknown(is_done, request):
    """The connection is lost in the commit, and the server is out of reach then."""
    pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: no psycopg")

    case = case_of("postgres conninfo", request)
    weather = ["lost", "out of reach", "out of reach", "out of reach"]

    database = Database(StormyPool(case.address, weather))
    Database(case.address).migrate()
    with pytest.raises(CommitUnknown, match="the work under key 'key'"):
        database.once("key", case.work("tea", 5))
    assert (weather, case.items()) == ([], ["tea"])
    if not is_done:  # as if the server had not come to it
        case.ask("DELETE FROM longterm_steps RETURNING key")
    assert database.once("key", case.work("milk", 6)) == (5 if is_done else 6)


def test_connection_that_is_lost_while_the_value_is_read_is_had_again(request):
    pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: no psycopg")

    case = case_of("postgres conninfo", request)
    weather = ["fine", "lost"]

    database = Database(StormyPool(case.address, weather))
    Database(case.address).migrate()
    for item in ("tea", "milk"):
        assert database.once("key", case.work(item, item)) == "tea"
    assert (weather, case.calls) == ([], ["tea"])


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_second_of_two_reads_at_each_level_of_isolation(level, request):
    """Where its snapshot is older than the first's commit, it is done again with a new one."""
    psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: no psycopg")

    case = case_of("postgres opener", request)

    def opened():
        connection = psycopg.connect(case.address)
        connection.isolation_level = psycopg.IsolationLevel[level.replace(" ", "_")]
        return connection

    database = Database(opened)
    database.migrate()
    begun, may_end = threading.Event(), threading.Event()
    results = []

    def slow(tx):
        begun.set()
        assert may_end.wait(20)
        return "first"

    threads = [
        threading.Thread(target=lambda work=work: results.append(database.once("key", work)))
        for work in (slow, lambda tx: "second")
    ]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive()
    may_end.set()
    for thread in threads:
        thread.join(20)
    assert results == ["first", "first"]


def attempt(address, barrier, keys, results):
    """What each process does: the same keys, each at the same moment as the other."""
    from longterm.database import Database

    database = Database(address)
    for number in range(keys):
        barrier.wait(20)
        results.put((number, database.once(f"key {number}", partial(book, address))))


def book(address, tx):
    item = f"{threading.get_native_id()} {next(numbers)}"
    mark = "%s" if address.startswith("postgresql") else "?"
    tx.execute(f"INSERT INTO bookings VALUES ({mark})", [item])
    return item


numbers = iter(range(1_000_000))


@pytest.mark.parametrize("way", ["sqlite path", "postgres conninfo"])
def test_two_processes_at_a_barrier_do_each_key_once(way, request):
    case, keys = case_of(way, request), 40
    Database(case.address).migrate()
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(2), spawn.SimpleQueue()
    processes = [
        spawn.Process(target=attempt, args=(case.address, barrier, keys, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get() for _ in range(2 * keys)]
    for process in processes:
        process.join(20)

    assert len(set(found)) == keys
    assert sorted(item for _, item in set(found)) == case.items()
