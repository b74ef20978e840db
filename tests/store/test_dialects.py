"""A distributed store keeps the contract, over plain Postgres; see `test_citus` for more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from longterm import Engine, deflow, suspend
from longterm.cli import main
from longterm.errors import StoreError, UnknownRun
from longterm.run import RunState
from longterm.store import open_store
from longterm.store._rows import Rows
from longterm.store.base import Query
from longterm.store.queues import Queue
from longterm.testing._sample_runs import LATER, NOON, claim, suspended_run
from longterm.testing.contract import StoreContract
from tests.store.citus import TABLES

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres._by_key.saves import (  # noqa: E402
    create_with_facts,
    save_with_facts,
)
from longterm.store.postgres._statements import by_key, slots  # noqa: E402
from longterm.store.postgres.distributed import DistributedStore  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return f"{server.url(fresh_database())}?dialect=bare"


@pytest.fixture
def store(url: str) -> Iterator[Any]:
    with opened(url) as store:
        yield store


@pytest.fixture(scope="module")
def common_url(server: PostgresServer) -> str:
    """The URL of tables that the contract empties; the schema is one of its own."""
    url = f"{server.url()}?schema=longterm_bare&dialect=bare"
    with opened(url) as store:
        store.migrate()
    return url


class TestBareStore(StoreContract):
    @pytest.fixture
    def store(self, server: PostgresServer, common_url: str) -> Iterator[Any]:
        ask(server.url(), f"TRUNCATE {', '.join('longterm_bare.' + table for table in TABLES)}")
        with opened(common_url) as store:
            yield store

    @pytest.fixture
    def reopen(self, common_url: str) -> Iterator[Callable[[], Any]]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(opened(common_url))


def opened(url: str) -> Any:
    store = open_store(url)
    assert isinstance(store, DistributedStore)
    return store


def plain(url: str) -> str:
    """Return a URL without its dialect."""
    return url.replace("dialect=bare", "").rstrip("?&")


def ask(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        answer = connection.execute(statement, parameters or None)
        return answer.fetchall() if answer.description else []


def test_a_dialect_that_nobody_knows_is_refused() -> None:
    with pytest.raises(StoreError) as refused:
        open_store("postgresql://localhost/db?dialect=oracle")

    assert "dialect='oracle' is none that longterm knows (choose from bare, citus, or" in str(
        refused.value
    )


def test_a_server_that_is_not_what_the_dialect_says_is_refused(url: str) -> None:
    wrong = url.replace("bare", "citus")
    with opened(wrong) as store, pytest.raises(StoreError) as refused:
        store.get("r1")

    assert "it is no citus, as dialect=citus says (run CREATE EXTENSION citus" in str(refused.value)
    assert ask(url, "SELECT FROM pg_namespace WHERE nspname = 'longterm'") == []
    assert main(["--store", wrong, "migrate", "--sql"]) == 1


def test_commits_of_other_nodes_cannot_be_settled(url: str) -> None:
    with pytest.raises(StoreError, match=r"synchronous_commit= does not reach each node of bare"):
        open_store(f"{url}&synchronous_commit=off")


def test_tables_without_triggers_are_refused_without_their_dialect(url: str) -> None:
    with opened(url) as store:
        store.create(suspended_run())
    with open_store(plain(url)) as other, pytest.raises(StoreError) as refused:  # type: ignore[attr-defined]
        other.get("r1")

    assert "schema longterm is that of a distributed Postgres" in str(refused.value)
    assert "?dialect=citus" in str(refused.value)


def test_tables_of_postgres_are_adapted_with_what_is_in_them(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(plain(url)) as store:  # type: ignore[attr-defined]
        store.declare_queue(Queue(name="mail", concurrency=1))
        store.create(suspended_run("r1").changed(index={"ward": "A"}))
        store.create(suspended_run("r2"))
        running = claim(store, "r2")
        assert running is not None
    with opened(f"{url}&migrate=no") as store, pytest.raises(StoreError) as refused:
        store.get("r1")
    assert "schema longterm is not adapted to bare (stop whoever uses it" in str(refused.value)

    assert main(["--store", url, "migrate"]) == 0
    assert capsys.readouterr().out == "migrated by 1 step\n"
    assert main(["--store", url, "migrate"]) == 0
    assert main(["--store", url, "migrate", "--sql"]) == 0
    up_to_date = "the schema is up to date\n"
    assert capsys.readouterr().out == f"{up_to_date}-- {up_to_date}"

    with opened(f"{url}&migrate=no") as store:
        assert [run.id for run in store.find(Query(index={"ward": "A"}))] == ["r1"]
        assert [run.id for run in store.find(Query(state=RunState.RUNNING))] == ["r2"]
        store.update(running.changed(state=RunState.COMPLETE, claimed_until=None))
        assert store.delete("r2")


def test_what_is_printed_makes_tables_that_can_be_used(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", url, "migrate", "--sql"]) == 0
    ask(url, capsys.readouterr().out)

    with opened(f"{url}&migrate=no") as store:
        assert store.create(suspended_run()) == store.get("r1")


def test_what_has_ended_is_not_kept_by_month(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ((), ("--sql",)):
        assert main(["--store", url, "migrate", "--ended-by-month", *more]) == 1
        assert "not kept by month with dialect=bare (prune them" in capsys.readouterr().err


def test_no_trigger_is_left(store: Any, url: str) -> None:
    store.create(suspended_run())
    assert ask(url, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []


def test_each_write_is_of_one_row_by_its_key() -> None:
    texts = {
        name: text
        for module in (by_key, slots)
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str)
    }
    writing = {name: text for name, text in texts.items() if re.search("UPDATE|DELETE", text)}
    assert len(writing) > 10
    for name, text in writing.items():
        for part in re.split(r"(?=UPDATE longterm|DELETE FROM longterm)", text)[1:]:
            assert re.search(r"\b(id|run|sender|queue) = %s", part), name
    assert not [name for name, text in texts.items() if "FOR UPDATE" in text]


def test_a_save_writes_facts_only_of_a_run_that_has_some() -> None:
    # Citus takes an INSERT of what came of an UPDATE as steps of their own, which need all nodes.
    plain = suspended_run()
    for run, has_facts in ((plain, False), (plain.changed(index={"order": "7"}), True)):
        statement, _ = save_with_facts(Rows(has_types=True).row_of(run), run, None, (), None)
        assert ("INSERT INTO longterm.facts" in statement) is has_facts
        created, _ = create_with_facts(Rows(has_types=True).row_of(run), run)
        assert ("INSERT INTO longterm.facts" in created) is has_facts


def test_a_slot_that_nobody_claims_is_given_to_another(store: Any, url: str) -> None:
    """Its holder died between the two writes, or is late: then its claim comes to nothing."""
    store.declare_queue(Queue(name="mail", concurrency=1))
    for place, name in enumerate(("a", "b")):
        since = NOON - timedelta(minutes=5 - place)
        store.create(suspended_run(name).changed(queue="mail", deadline=since, updated_at=NOON))
    found = store.get("a")
    lease = NOON + timedelta(minutes=5)
    given = f'[["a",{found.turn},"","{NOON.isoformat()}"]]'
    ask(url, "INSERT INTO longterm.slots VALUES ('mail', 1, %s, '', NULL, NULL, 0)", given)

    soon = NOON + timedelta(seconds=5)
    assert store.claim_queued(now=soon, until=lease, limit=5) == []
    (taken,) = store.claim_queued(now=NOON + timedelta(seconds=11), until=lease, limit=5)

    assert taken.id == "a"
    end = store._database.end_of_step()
    assert store._claim_as_found("a", found.turn, 7, lease, end) is None
    assert store.claim_queued(now=LATER, until=lease, limit=5) == []


@deflow
def ask_for_number() -> int:
    number: int = suspend("number")
    return number


def test_steps_are_part_of_a_transaction(store: Any, url: str) -> None:
    engine = Engine(store)
    run = engine.start(ask_for_number)
    with psycopg.connect(plain(url)) as connection:
        within = engine.within(connection)
        within.send(run.id, "number", 1)
        lost = within.start(ask_for_number)
        connection.rollback()
        kept = within.start(ask_for_number)
        connection.commit()

    assert {found.id for found in engine.find_runs()} == {run.id, kept.id}
    with pytest.raises(UnknownRun):
        engine.get_run(lost.id)
    assert engine.process_event(run.id, "number", 7).result == 7
    assert store.delete(run.id)
