"""Work that is done once: its value, its rollback, and what two who try at one time see.

Each test is taken on each way to a database.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest

from longterm import CannotStore, InvalidDeliveryKey, StoreError, WrongConnection
from longterm.database import Database
from tests.database.conftest import case_of


def run(scenario, case):
    async def entered():
        async with AsyncExitStack() as stack:
            await scenario(case, await case.opened(stack))

    asyncio.run(entered())


SOME = ["sqlite path", "postgres pool", "postgres async engine"]
"""Ways for what is the same on all of them."""
VALUES = [None, 7, {"paid": (Decimal("1.50"), {1, 2})}, b"\x00\xff", "é" * 100_000]


def test_function_is_called_once_and_its_value_comes_back(case):
    async def scenario(case, database):
        for number, value in enumerate(VALUES):
            work = case.work(f"tea {number}", value)
            first = await case.once(database, f"key {number}", work)
            second = await case.once(database, f"key {number}", work)
            assert (first, type(first)) == (second, type(second)) == (value, type(value))

    run(scenario, case)
    assert case.items() == case.calls == [f"tea {number}" for number in range(len(VALUES))]


def test_what_it_raises_undoes_it_and_frees_the_key(case):
    async def scenario(case, database):
        with pytest.raises(ZeroDivisionError):
            await case.once(database, "key", case.work("tea", error=ZeroDivisionError()))
        assert (case.items(), case.keys()) == ([], [])
        assert await case.once(database, "key", case.work("milk", 3)) == 3

    run(scenario, case)
    assert (case.items(), case.keys()) == (["milk"], ["key"])


@pytest.mark.parametrize("case", SOME, indirect=True)
def test_value_that_cannot_be_stored_undoes_it(case):
    async def scenario(case, database):
        with pytest.raises(CannotStore, match="the value under key 'key'"):
            await case.once(database, "key", case.work("tea", threading.Lock()))

    run(scenario, case)
    assert (case.items(), case.keys()) == ([], [])


def test_of_two_at_one_time_the_second_waits_and_reads(case):
    """The second comes while the function of the first is under way."""

    async def scenario(case, database):
        begun, may_end = threading.Event(), threading.Event()
        first = case.work("tea", "first")

        if case.is_async:

            async def slow(tx):
                begun.set()
                await asyncio.to_thread(may_end.wait, 20)
                return await first(tx)
        else:

            def slow(tx):
                begun.set()
                assert may_end.wait(20)
                return first(tx)

        one = asyncio.create_task(case.once(database, "key", slow))
        assert await asyncio.to_thread(begun.wait, 20)
        two = asyncio.create_task(case.once(database, "key", case.work("milk", "second")))
        await asyncio.sleep(0.2)
        assert not two.done()
        may_end.set()
        assert await asyncio.gather(one, two) == ["first", "first"]

    run(scenario, case)
    assert (case.items(), case.calls) == (["tea"], ["tea"])


@pytest.mark.parametrize("case", SOME, indirect=True)
def test_when_the_first_fails_the_second_does_it(case):
    async def scenario(case, database):
        begun, may_end = threading.Event(), threading.Event()

        def wait():
            begun.set()
            assert may_end.wait(20)
            raise ZeroDivisionError

        async def await_it(tx):
            await asyncio.to_thread(wait)

        slow = await_it if case.is_async else lambda tx: wait()
        one = asyncio.create_task(case.once(database, "key", slow))
        assert await asyncio.to_thread(begun.wait, 20)
        two = asyncio.create_task(case.once(database, "key", case.work("milk", "second")))
        await asyncio.sleep(0.1)
        may_end.set()
        with pytest.raises(ZeroDivisionError):
            await one
        assert await two == "second"

    run(scenario, case)
    assert case.items() == ["milk"]


def test_keys_that_are_old_are_pruned(case):
    async def scenario(case, database):
        for key in ("old", "new"):
            await case.once(database, key, case.work(key))
        ago = "at - 86400 * 10" if case.is_sqlite else "at - interval '10 days'"
        case.ask(f"UPDATE longterm_steps SET at = {ago} WHERE key = 'old' RETURNING key")
        assert await case.prune(database, timedelta(days=11)) == 0
        assert await case.prune(database, timedelta(days=9)) == 1
        assert case.keys() == ["new"]
        await case.once(database, "old", case.work("old"))

    run(scenario, case)
    assert case.items() == ["new", "old", "old"]


@pytest.mark.parametrize("case", SOME, indirect=True)
def test_more_are_pruned_than_are_deleted_at_once(case, monkeypatch):
    monkeypatch.setattr("longterm.database._PRUNED_AT_ONCE", 2)

    async def scenario(case, database):
        for number in range(5):
            await case.once(database, f"{number}", case.work("tea"))
        assert await case.prune(database, timedelta(seconds=-2)) == 5

    run(scenario, case)
    assert case.keys() == []


def test_missing_table_names_the_command_and_the_method(case):
    async def scenario(case, database):
        with case.connected() as connection:
            connection.execute("DROP TABLE longterm_steps")
            connection.commit()
        for ask in (
            case.once(database, "key", case.work("tea")),
            case.prune(database, timedelta()),
        ):
            with pytest.raises(StoreError, match=r"`longterm migrate --db .*`, or call `migrate"):
                await ask
        await (database.amigrate() if case.is_async else case.in_thread(database.migrate))
        await case.once(database, "key", case.work("tea"))

    run(scenario, case)
    assert case.items() == ["tea"]


def test_missing_table_of_the_application_is_its_own_error(case):
    async def scenario(case, database):
        async def aask(tx):
            await case.send(tx, "INSERT INTO nothing VALUES (1)")

        def ask(tx):
            case.send(tx, "INSERT INTO nothing VALUES (1)")

        with pytest.raises(Exception, match="nothing") as caught:
            await case.once(database, "key", aask if case.is_async else ask)
        assert not isinstance(caught.value, StoreError)

    run(scenario, case)
    assert case.keys() == []


def test_function_that_commits_by_itself_is_told(case):
    async def scenario(case, database):
        def commit(tx):
            case.work("tea")(tx)
            tx.commit()
            return 1

        async def acommit(tx):
            await case.work("tea")(tx)
            await tx.commit()
            return 1

        with pytest.raises(Exception, match=r"(?i)transaction|commit|atomic"):
            await case.once(database, "key", acommit if case.is_async else commit)
        if case.keys():  # the library let it: nobody takes it for done
            assert case.items() == ["tea"]
            with pytest.raises(StoreError, match="its function ended the transaction by itself"):
                await case.once(database, "key", case.work("milk"))
        else:
            assert case.items() == []

    run(scenario, case)


def test_call_is_done_each_time_and_whole(case):
    async def scenario(case, database):
        for item in ("tea", "milk"):
            assert await case.call(database, case.work(item, item)) == item
        with pytest.raises(ZeroDivisionError):
            await case.call(database, case.work("coffee", error=ZeroDivisionError()))

    run(scenario, case)
    assert (case.items(), case.keys()) == (["milk", "tea"], [])


@pytest.mark.parametrize("key", ["", "a\0b", "x" * 601, None, 5, "\ud800"])
def test_wrong_key_is_refused(key, tmp_path):
    with pytest.raises(InvalidDeliveryKey, match="a key is a string of 1 to 600 characters"):
        Database(tmp_path / "shop.db").once(key, lambda tx: None)


def test_error_of_the_wrong_kind_of_function_says_what_to_give(case):
    async def scenario(case, database):
        if case.is_async and not database.takes_sync:
            with pytest.raises(StoreError, match="is asynchronous"):
                database.once("key", lambda tx: None)
        if not case.is_async and not database.takes_async:
            with pytest.raises(StoreError, match="is not asynchronous"):
                await database.aonce("key", case.work("tea"))

    run(scenario, case)
    assert case.calls == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_engine_that_commits_each_statement_is_made_to_wait_or_refused(kind, request):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="NOT TESTED: SQLAlchemy is missing")
    case = case_of(f"{kind} engine", request)
    engine = sqlalchemy.create_engine(
        case.sqlalchemy_url("sqlite" if case.is_sqlite else "postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
    )
    with case.connected() as connection:
        connection.execute("CREATE TABLE longterm_steps (key text PRIMARY KEY, value bytea)")
        connection.commit()
    with pytest.raises(ZeroDivisionError if case.is_sqlite else WrongConnection):
        Database(engine).once("key", case.work("tea", error=ZeroDivisionError()))
    assert (case.items(), case.keys()) == ([], [])
    engine.dispose()
