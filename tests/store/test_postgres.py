"""The Postgres store keeps the contract, on a real server; its schema is made once and checked."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from longterm.errors import StoreError, UnreadableRun
from longterm.run import RunState
from longterm.store import open_store
from longterm.store._rows import MIGRATIONS
from longterm.store.base import Query
from longterm.testing._damage_contract import DamageContract
from longterm.testing._races import race
from longterm.testing._sample_runs import claim, full_run, suspended_run
from longterm.testing.contract import StoreContract

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import _schema as _postgres_schema  # noqa: E402
from longterm.store.postgres._store import PostgresStore, schema_sql  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


@pytest.fixture(scope="module")
def common_url(server: PostgresServer) -> str:
    with PostgresStore(server.url()) as store:
        store.create(suspended_run())
    return server.url()


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def store(self, common_url: str) -> Iterator[PostgresStore]:
        ask(
            common_url,
            "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox, "
            "longterm.outbox, longterm.queues, longterm.progress, longterm.history, "
            "longterm.versions, longterm.shard",
        )
        with PostgresStore(common_url) as store:
            yield store

    @pytest.fixture
    def reopen(self, common_url: str) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(PostgresStore(common_url))


DAMAGE = {
    "a flipped bit": "stack = set_bit(stack, 7, 1 - get_bit(stack, 7))",
    "before all time": "deadline = '-infinity', checksum = NULL",
    "before Christ": "deadline = '0044-03-15 BC', checksum = NULL",
    "after all time": "created_at = 'infinity', checksum = NULL",
    "year 10000": "created_at = '10000-01-01', checksum = NULL",
}


class TestPostgresStoreWithDamage(DamageContract):
    store = TestPostgresStore.store

    @pytest.fixture(params=sorted(DAMAGE))
    def damage(
        self, request: pytest.FixtureRequest, common_url: str
    ) -> Callable[[str], Callable[[], None]]:
        def damage(run_id: str) -> Callable[[], None]:
            where = f"WHERE id = '{run_id}'"
            ask(common_url, f"UPDATE longterm.runs SET {DAMAGE[request.param]} {where}")
            mended = (
                "UPDATE longterm.runs SET stack = '\\x6672616d65732000ff', deadline = NULL,"
                f" created_at = NULL, updated_at = NULL, checksum = NULL {where}"
            )
            return partial(ask, common_url, mended)

        return damage


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what somebody sees who asks the database itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def refusal(url: str, **options: Any) -> str:
    """Return the error of a store that cannot be used."""
    with PostgresStore(url, **options) as store, pytest.raises(StoreError) as refused:
        store.create(suspended_run())
    return str(refused.value)


def test_a_person_who_asks_the_database_sees_each_run_as_a_row(url: str) -> None:
    run = full_run()
    with PostgresStore(url) as store:
        store.create(run)

    assert ask(
        url,
        "SELECT id, flow, state, turn, waiting_for, stack, response, result, error, attempts,"
        " delivery, 'dose=1.5' = ANY (facts), created_at, deadline FROM longterm.runs",
    ) == [
        (
            *("r1", "shop.orders:greet", "suspended", 7, "number", b"frames", b"said", b"a result"),
            *("Traceback:\n  no", 2, "click 17", True, run.created_at, run.deadline),
        )
    ]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_database_that_isolates_more_than_usual_still_takes_every_turn(
    url: str, isolation: str
) -> None:
    name = url.rpartition("/")[2]
    ask(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    with PostgresStore(url) as store:
        store.create(replace(suspended_run(), stack=b"0"))

        def take_turns() -> int:
            won = 0
            while won < 10:
                claimed = store.unsuspend("r1", "number")
                if claimed is not None:
                    won += 1
                    store.update(replace(claimed, state=RunState.SUSPENDED))
            return won

        assert race([take_turns] * 4) == [10] * 4
        assert store.get("r1").turn == 41


def test_many_turns_leave_one_row_and_a_small_table(url: str) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        for _ in range(300):
            store.update(replace(claim(store), state=RunState.SUSPENDED))

    ask(url, "VACUUM longterm.runs")
    assert ask(url, "SELECT count(*) FROM longterm.runs") == [(1,)]
    ((size,),) = ask(url, "SELECT pg_total_relation_size('longterm.runs')")
    assert size < 230_000  # of it 8,192 for each index that is empty


@pytest.mark.parametrize("query", [Query(waiting_for="number"), Query(flow="shop.orders:greet")])
def test_running_runs_are_found_in_order_among_those_that_wait(url: str, query: Query) -> None:
    with PostgresStore(url) as store:
        for run_id in "fbdace":
            store.create(suspended_run(run_id))
        for run_id in "bef":
            assert store.unsuspend(run_id, "number")

        pages = [store.find(replace(query, limit=4, after=after)) for after in (None, "d")]

    assert [run.id for page in pages for run in page] == ["a", "b", "c", "d", "e", "f"]
    assert [run.turn for page in pages for run in page] == [1, 2, 1, 1, 2, 2]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_postgres_cannot_hold_is_refused_and_nothing_stored(url: str, text: str) -> None:
    with PostgresStore(url) as store:
        with pytest.raises(StoreError, match="cannot create run"):
            store.create(suspended_run(text))
        store.create(suspended_run())

    assert ask(url, "SELECT id FROM longterm.runs") == [("r1",)]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("moment", [datetime.max, datetime.min])
def test_the_first_and_the_last_moment_come_back_in_any_time_zone(
    url: str, zone: str, moment: datetime
) -> None:
    ask(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET timezone = '{zone}'")
    run = replace(suspended_run(), deadline=moment.replace(tzinfo=UTC))
    with PostgresStore(url) as store:
        store.create(run)

        assert store.get("r1") == run


def test_a_moment_that_python_has_no_words_for_is_named(url: str) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        ask(url, "UPDATE longterm.runs SET deadline = 'infinity'")

        with pytest.raises(UnreadableRun, match="its deadline is not between the years 1 and 9999"):
            store.get("r1")


def test_what_is_too_large_for_an_index_is_refused_with_what_fits(url: str) -> None:
    large = random.Random(1).randbytes(4_000).hex()
    with PostgresStore(url) as store:
        with pytest.raises(StoreError, match=r"a value is too large \(keep .* than 2,000 bytes"):
            store.create(replace(suspended_run(), index={"a": large}))
        store.create(replace(suspended_run(), waiting_for=large))  # as the names of many events are


def test_a_process_may_have_many_files_open(url: str) -> None:
    script = (
        "import os, resource, sys\n"
        "from longterm.store.postgres import PostgresStore\n"
        "from longterm.testing._sample_runs import suspended_run\n"
        "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n"
        "files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]\n"
        "with PostgresStore(sys.argv[1], wait_seconds=5) as store:\n"
        "    print(store.create(suspended_run()) == store.get('r1'))\n"
    )

    said = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True)

    assert said.stdout == "True\n", said.stderr


# -- the schema ----------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_stores_that_start_at_once_migrate_once(url: str, isolation: str) -> None:
    name = url.rpartition("/")[2]
    ask(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    with ExitStack() as opened:
        stores = [opened.enter_context(PostgresStore(url)) for _ in range(6)]
        runs = [suspended_run(f"r{number}") for number in range(6)]

        outcomes = race(
            [partial(store.create, run) for store, run in zip(stores, runs, strict=True)]
        )

        assert outcomes == runs
    assert ask(url, "SELECT version, name FROM longterm.migrations ORDER BY version") == [
        (number, name) for number, name in enumerate(MIGRATIONS, start=1)
    ]


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ["CREATE SCHEMA longterm", "CREATE TABLE longterm.runs (id text)", "SELECT 1 / 0"]
    monkeypatch.setattr(_postgres_schema, "_steps", lambda *_, **__: steps)
    assert "division by zero" in refusal(url)
    monkeypatch.undo()

    with PostgresStore(url) as store:
        store.create(suspended_run())


def test_a_store_that_may_not_migrate_says_how_and_works_once_it_is_done(url: str) -> None:
    needed = len(MIGRATIONS)
    words = f"version 0, and this longterm needs {needed} (apply what"
    assert words in refusal(url, migrate=False)

    ask(url, schema_sql())

    with PostgresStore(url, migrate=False) as store:
        assert store.create(suspended_run()) == store.get("r1")


def test_a_user_needs_no_more_than_the_rows_once_the_schema_is_made(
    url: str, server: PostgresServer
) -> None:
    name = url.rpartition("/")[2]
    ask(url, f"CREATE USER {name}_app")
    app_url = server.url(name, user=f"{name}_app")

    # No right to make the schema, then none to use it, then all that is needed.
    error = refusal(app_url)
    assert "this user may not (let a DBA run: CREATE SCHEMA longterm; GRANT USAGE" in error
    assert "permission denied for database" in error
    ask(url, schema_sql())
    assert "this user may not (grant it USAGE on schema longterm" in refusal(app_url)
    ask(url, f"GRANT USAGE ON SCHEMA longterm TO {name}_app")
    ask(
        url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA longterm TO {name}_app",
    )
    with PostgresStore(app_url) as store:
        store.create(suspended_run())
        assert claim(store).turn == 2


def test_an_empty_schema_that_a_dba_made_is_used(url: str) -> None:
    ask(url, "CREATE SCHEMA longterm")

    with PostgresStore(url) as store:
        assert store.create(suspended_run()) == store.get("r1")


def test_a_schema_of_another_application_is_left_alone(url: str) -> None:
    ask(url, "CREATE SCHEMA longterm; CREATE TABLE longterm.runs (id text)")

    assert "its schema longterm belongs to another application (name another" in refusal(url)

    assert ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'longterm'") == [("runs",)]


def test_the_schema_of_a_newer_longterm_is_left_alone(url: str) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
    newest = len(MIGRATIONS)
    ask(url, f"INSERT INTO longterm.migrations VALUES ({newest + 1}, 'later.sql', now())")

    assert (
        f"schema longterm has version {newest + 1}, and this longterm knows versions up to "
        f"{newest} (upgrade longterm; the schema was left as it is)"
    ) in refusal(url)


def test_a_database_of_another_encoding_is_refused(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    name = fresh_database("ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")

    assert "its encoding is SQL_ASCII, which cannot hold every text" in refusal(server.url(name))


# -- opening -------------------------------------------------------------------------------------


def test_a_url_opens_the_store_and_its_options_reach_it(url: str) -> None:
    store = open_store(
        f"{url}?max_connections=2&application_name=my%20shop&wait_seconds=5&migrate=yes"
    )

    assert isinstance(store, PostgresStore)
    with store:
        answer = store._database.execute("SHOW application_name", (), "ask")
    assert answer.rows == [("my shop",)]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg", "postgresql+psycopg_async"])
def test_other_schemes_name_the_same_database(url: str, scheme: str) -> None:
    other = url.replace("postgresql", scheme, 1)
    with open_store(url) as store, open_store(other) as opened:  # type: ignore[attr-defined]
        store.create(suspended_run())
        with PostgresStore(other) as made:
            assert made.get("r1") == opened.get("r1") == suspended_run()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("max_connections=0", r"max_connections='0' is no number from 1 on \(write"),
        ("wait_seconds=soon", r"wait_seconds='soon' is no number of seconds \(write"),
        ("migrate=perhaps", r"migrate='perhaps' is neither yes nor no \(write migrate=no\)"),
        ("sslmod=require", r"an option is unknown \(is it sslmode\?\) \(write postgresql://"),
    ],
)
def test_a_wrong_option_is_refused(query: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        open_store(f"postgresql://me:secret@host/shop?{query}")

    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    error = refusal("postgresql://me:secret@127.0.0.1:1/shop")

    assert "database 'shop' at 127.0.0.1:1: the server cannot be reached (check that" in error
    assert "secret" not in error


def test_a_database_that_is_not_there_is_named(server: PostgresServer) -> None:
    assert 'database "nowhere" does not exist' in refusal(server.url("nowhere"))


def test_a_missing_driver_is_named_with_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from longterm.store import StoreError, open_store\n"
        "try:\n"
        "    open_store('postgresql://host/shop')\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "the Postgres store needs psycopg (pip install 'longterm[postgres]')" in said.stdout


def test_a_closed_store_says_so(url: str) -> None:
    store = PostgresStore(url)
    store.create(suspended_run())

    store.close()
    store.close()

    with pytest.raises(StoreError, match=r"the store is closed \(open it again"):
        store.get("r1")


def test_a_step_that_waits_for_a_connection_is_told_that_the_store_was_closed(url: str) -> None:
    store = PostgresStore(url, max_connections=1, wait_seconds=60)
    store.create(suspended_run())
    loan = store._database._pool.loan()
    loan.take(deadline=0)
    refused: list[str] = []

    def get() -> None:
        with pytest.raises(StoreError) as error:
            store.get("r1")
        refused.append(str(error.value))

    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    time.sleep(0.2)
    store.close()
    thread.join(timeout=40)

    assert refused == ["the store is closed (open it again with `open_store`)"]


def test_a_server_that_falls_silent_is_given_up_unless_the_url_says_when(url: str) -> None:
    for query, milliseconds in (("", "7000"), ("?tcp_user_timeout=900", "900")):
        with PostgresStore(url + query, wait_seconds=7) as store:
            parameters = store._database.on_connection(
                lambda connection, _: connection.info.get_parameters(), "look"
            )
        assert parameters["tcp_user_timeout"] == milliseconds
