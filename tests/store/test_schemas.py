"""A Postgres store lives in a schema that one names, and sees nothing of any other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from longterm import Engine, deflow, suspend
from longterm.cli import main
from longterm.errors import StoreError, UnknownRun
from longterm.run import RunState
from longterm.store import open_store
from longterm.store.base import Query
from longterm.testing._sample_runs import suspended_run
from longterm.testing.contract import StoreContract
from longterm.worker import Worker
from tests.store.pooler import Pooler

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from longterm.store.postgres._names import Schema  # noqa: E402
from longterm.store.postgres._store import schema_sql  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402
from tests.store.statements import all_statements  # noqa: E402

NAMES = ("shop_runs", "user", "My longterm-runs 1.0", "1st", "größe")
"""The second is a word of SQL, the third has in it what stands for the schema in statements."""
HARD = NAMES[2]


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def opened(url: str, schema: str) -> Any:
    return open_store(f"{url}?schema={quote(schema)}")


@pytest.fixture(scope="module")
def common_url(server: PostgresServer) -> str:
    with PostgresStore(server.url(), schema=HARD) as store:
        store.migrate()
    return server.url()


class TestPostgresStoreInAnotherSchema(StoreContract):
    @pytest.fixture
    def store(self, common_url: str) -> Iterator[PostgresStore]:
        ask(
            common_url,
            f'TRUNCATE "{HARD}".runs, "{HARD}".facts, "{HARD}".deliveries, "{HARD}".inbox, '
            f'"{HARD}".outbox, "{HARD}".queues, "{HARD}".progress, "{HARD}".history, '
            f'"{HARD}".versions, "{HARD}".shard',
        )
        with PostgresStore(common_url, schema=HARD) as store:
            yield store

    @pytest.fixture
    def reopen(self, common_url: str) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(PostgresStore(common_url, schema=HARD))


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_in_the_schema_and_nothing_elsewhere(url: str, name: str) -> None:
    things = (
        "SELECT relname FROM pg_class WHERE relnamespace = {0} UNION ALL"
        " SELECT proname FROM pg_proc WHERE pronamespace = {0}"
    )
    before = ask(url, "SELECT nspname FROM pg_namespace")
    with opened(url, name) as store:
        run = suspended_run().changed(index={"a": 1})
        assert store.create(run) == store.get("r1") == run

    assert sorted(ask(url, "SELECT nspname FROM pg_namespace")) == sorted([*before, (name,)])
    assert ask(url, f'SELECT run, fact FROM "{name}".facts') == [("r1", "a=1")]
    with PostgresStore(url) as usual:
        usual.migrate()
    namespace = "(SELECT oid FROM pg_namespace WHERE nspname = '{}')"
    ours, theirs = (
        sorted(ask(url, things.format(namespace.format(each)))) for each in (name, "longterm")
    )
    assert ours == theirs


def test_stores_in_two_schemas_know_nothing_of_each_other(url: str) -> None:
    with opened(url, "one") as one, opened(url, HARD) as two, open_store(url) as usual:  # type: ignore[attr-defined]
        one.create(suspended_run().changed(index={"a": 1}, flow="one:flow"))
        two.create(suspended_run().changed(index={"a": 1}, flow="two:flow"))

        assert usual.find(Query()) == []
        assert [run.flow for run in one.find(Query(index={"a": 1}))] == ["one:flow"]
        assert two.update(two.unsuspend("r1", "number").changed(state=RunState.COMPLETE))
        assert two.delete("r1")
        assert one.get("r1").state is RunState.SUSPENDED
        with pytest.raises(UnknownRun):
            two.get("r1")


@deflow
def impatient(seconds: float) -> Any:
    return suspend("answer", expires=timedelta(seconds=seconds), default="too late")


def test_a_resting_worker_hears_of_its_own_schema_only(url: str) -> None:
    with opened(url, HARD) as store, opened(url, "other") as other:
        store.migrate()
        heard: list[str] = []
        listening = psycopg.connect(url, autocommit=True)
        for channel in ("longterm", "other", HARD):
            listening.execute(f'LISTEN "{channel}"'.encode())
        Engine(other).start_flow(impatient, 0.1)
        heard += [each.channel for each in listening.notifies(timeout=5, stop_after=1)]
        worker = Worker(Engine(store), poll=timedelta(minutes=5))
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            time.sleep(2)
            run = Engine(store).start_flow(impatient, 0.2)
            heard += [each.channel for each in listening.notifies(timeout=5, stop_after=1)]
            end = time.monotonic() + 30
            while store.get(run.id).state is not RunState.COMPLETE:
                assert time.monotonic() < end, "the worker overslept"
                time.sleep(0.05)
        finally:
            worker.stop()
            thread.join()
            listening.close()
    assert heard == ["other", HARD]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "''"),
        ('a"; DROP SCHEMA public; --', "'a\"; DROP SCHEMA public; --'"),
        ("pg_runs", "'pg_runs'"),
        ("ö" * 32, repr("ö" * 32)),
        (" shop", "' shop'"),
        ("50%", "'50%'"),
    ],
)
def test_a_name_that_no_schema_has_is_refused(name: str, shown: str) -> None:
    with pytest.raises(StoreError) as refused:
        opened("postgresql://host/shop", name)

    assert f"schema={shown} is no name for a schema (take letters" in str(refused.value)


def test_the_sql_for_a_dba_makes_the_schema_that_is_named(url: str) -> None:
    with PostgresStore(url, schema=HARD, migrate=False) as store:
        with pytest.raises(StoreError, match=f"schema {HARD} has version 0"):
            store.get("r1")
        ask(url, store.migration_sql())
        store.create(suspended_run())
        assert store.migration_sql() == ""

    assert ask(url, "SELECT to_regnamespace('longterm')") == [(None,)]


def test_the_sql_for_a_dba_takes_an_empty_schema(url: str) -> None:
    ask(url, "CREATE SCHEMA longterm")
    ask(url, schema_sql())

    with PostgresStore(url, migrate=False) as store:
        store.create(suspended_run())


@pytest.mark.parametrize("is_made", [False, True])
def test_a_user_who_may_not_is_told_what_to_run(
    url: str, server: PostgresServer, is_made: bool
) -> None:
    name = url.rpartition("/")[2]
    ask(url, f'CREATE USER "{name}-app"')
    if is_made:
        ask(url, f'CREATE SCHEMA "{HARD}"')
    with opened(server.url(name, user=f"{name}-app"), HARD) as store:
        with pytest.raises(StoreError, match="this user may not") as refused:
            store.migrate()
        remedy = re.search(r"let a DBA run: (.*)\): permission denied", str(refused.value))
        assert remedy, refused.value
        assert ("CREATE SCHEMA" in remedy[1]) is not is_made
        ask(url, remedy[1])
        assert store.migrate() > 0
        assert store.create(suspended_run()) == store.get("r1")


def test_a_user_who_does_not_own_the_tables_is_told_who_migrates(
    url: str, server: PostgresServer
) -> None:
    name = url.rpartition("/")[2]
    ask(url, schema_sql())
    ask(url, "DELETE FROM longterm.migrations WHERE version > 1")
    ask(url, f"CREATE USER {name}_app; GRANT USAGE, CREATE ON SCHEMA longterm TO {name}_app")
    ask(url, f"GRANT ALL ON ALL TABLES IN SCHEMA longterm TO {name}_app")
    with (
        PostgresStore(server.url(name, user=f"{name}_app")) as store,
        pytest.raises(StoreError, match="let the owner of the tables apply what `longterm migr"),
    ):
        store.migrate()


@pytest.mark.parametrize(
    "table", ["migrations (id int)", "migrations (version text, name text)", "orders (id int)"]
)
def test_a_schema_of_another_application_is_left_alone(url: str, table: str) -> None:
    ask(url, f"CREATE TABLE public.{table}")
    with opened(url, "public") as store, pytest.raises(StoreError) as refused:
        store.create(suspended_run())

    assert "its schema public belongs to another application (name another one" in str(
        refused.value
    )
    assert len(ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")) == 1


def test_no_statement_names_the_schema_in_a_text() -> None:
    """What stands in a text is not taken for the schema, so none may be meant by one."""
    for text in (*all_statements().values(), schema_sql()):
        meant = Schema("other").sql(text).decode()
        assert not re.findall(r"longterm", meant.replace("'longterm.", "'")), meant


COMMANDS = [
    ("migrate",),
    ("migrate", "--sql"),
    ("runs",),
    ("show", "{run}"),
    ("discard", "{failed}", "0"),
    ("retry", "{failed}"),
    ("send", "{run}", "amount", "1"),
    ("cancel", "{failed}"),
    ("delete", "{failed}", "--yes"),
    ("prune", "--older-than", "1"),
    ("seal",),
]


def test_each_command_takes_such_a_url(url: str, tmp_path: Path) -> None:
    (tmp_path / "till.py").write_text(TILL)
    store = f"{url}?schema={quote(HARD)}"
    start = partial(
        subprocess.Popen,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LONGTERM_KEY": "CHN7l8vJ1mTYMHtvbYVxEzKT1nVYjZ2WQd3vGmDqbkQ"},
    )
    longterm = [sys.executable, "-m", "longterm.cli", "--store", store, "--app", "till"]
    run, failed = start([sys.executable, "-c", STARTS, store]).communicate()[0].split()
    for words in COMMANDS:
        with start([*longterm, *(word.format(run=run, failed=failed) for word in words)]) as done:
            _, errors = done.communicate()
        assert done.returncode == 0, (words, errors)
    with start([*longterm, "worker"]) as worker:
        assert "worker started" in worker.stderr.readline()
        worker.terminate()
    assert worker.returncode == 0
    with start([sys.executable, "-m", "longterm.cli", "demo", "--store", store]) as demo:
        demo.communicate()
    assert demo.returncode == 0

    runs = ask(url, f'SELECT flow, state FROM "{HARD}".runs ORDER BY id')
    assert runs[0] == ("till:pay", "complete")
    assert len(runs) == 2  # and that of the demo
    assert ask(url, "SELECT to_regnamespace('longterm')") == [(None,)]


TILL = """
from longterm import deflow, suspend

@deflow
def pay(limit):
    assert suspend("amount") <= limit
"""
STARTS = """
import sys, till, longterm
longterm.set_runstore(sys.argv[1])
print(longterm.start_flow(till.pay, 1).id)
run = longterm.start_flow(till.pay, 0)
try:
    longterm.process_event(run.id, "amount", 1)
except AssertionError:
    print(run.id)
"""


@pytest.mark.parametrize("command", ["runs", "send r1 amount", "prune --older-than 1"])
def test_a_schema_that_is_not_there_is_made_by_no_look(
    url: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", f"{url}?schema=shpo", *command.split()]) == 1

    assert (
        "there is no schema shpo with the tables of longterm in database" in capsys.readouterr().err
    )
    assert ask(url, "SELECT to_regnamespace('shpo')") == [(None,)]


def test_two_schemas_share_the_sessions_of_a_pooler(pooler: Pooler, url: str) -> None:
    shared = pooler.url(url.rpartition("/")[2])
    with opened(shared, "one") as one, opened(shared, HARD) as two:
        for number in range(20):
            one.create(suspended_run(f"one{number}"))
            two.create(suspended_run(f"two{number}"))
        assert {run.id[:3] for run in one.find(Query())} == {"one"}
        assert {run.id[:3] for run in two.find(Query())} == {"two"}
    assert ask(shared, "SHOW search_path") == ask(url, "SHOW search_path")
