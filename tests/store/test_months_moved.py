"""What becomes of runs that are kept by month: on a real server, at each bad moment."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from longterm import Engine, deflow, suspend
from longterm.errors import RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Query
from longterm.testing._inbox_contract import letter
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, claim, suspended_run
from longterm.worker import Worker
from tests.store.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402

OCTOBER = datetime(2026, 10, 24, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 24, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return server.url(fresh_database())


@pytest.fixture
def store(url: str) -> Any:
    with PostgresStore(url, wait_seconds=20) as store:
        assert store.keep_by_month()
        yield store


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def complete_run(run_id: str = "r1", at: datetime = NOVEMBER, **more: Any) -> Run:
    run = replace(suspended_run(run_id), state=RunState.COMPLETE, waiting_for=None, **more)
    return replace(run, created_at=OCTOBER, updated_at=at, encoded_result=b"done")


def parts(url: str) -> list[str]:
    """Return the names of the tables of months that hold runs."""
    found = ask(url, "SELECT relname FROM pg_class WHERE relname ~ '^ended_runs_.*[0-9]$'")
    return sorted(name for (name,) in found)


def test_without_the_option_nothing_is_moved(url: str) -> None:
    with PostgresStore(url) as store:
        store.create(complete_run())

        assert store.move_ended(limit=9) == 0

        assert ask(url, "SELECT id FROM longterm.runs") == [("r1",)]
        assert parts(url) == []


def test_a_process_that_was_there_before_finds_what_is_moved(url: str) -> None:
    with PostgresStore(url) as old, PostgresStore(url) as new:
        old.create(complete_run())
        assert new.keep_by_month()
        assert not new.keep_by_month()
        assert new.move_ended(limit=9) == 1

        assert old.get("r1") == complete_run()
        assert [run.id for run in old.find(Query())] == ["r1"]
        with pytest.raises(RunExists):
            old.create(complete_run())


def test_a_run_is_in_the_month_of_its_end_in_utc(url: str, store: PostgresStore) -> None:
    ask(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET timezone = 'Asia/Tokyo'")
    last = DECEMBER - timedelta(microseconds=1)
    with PostgresStore(url) as elsewhere:
        elsewhere.create(complete_run("november", last))
        elsewhere.create(complete_run("december", DECEMBER))
        assert elsewhere.move_ended(limit=9) == 2

    assert parts(url) == ["ended_runs_2026_11", "ended_runs_2026_12"]
    assert ask(url, "SELECT id FROM longterm.ended_runs_2026_11") == [("november",)]
    assert store.delete_ended(saved_before=last, limit=9) == 0
    assert store.delete_ended(saved_before=DECEMBER, limit=9) == 1
    assert parts(url) == ["ended_runs_2026_12"]


def test_what_is_moved_has_the_columns_of_a_run(url: str, store: PostgresStore) -> None:
    columns = (
        "SELECT attname, format_type(atttypid, atttypmod), attcollation FROM pg_attribute"
        " WHERE attrelid = 'longterm.{}'::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum"
    )
    assert ask(url, columns.format("ended_runs")) == ask(url, columns.format("runs"))


def test_a_failed_run_of_last_month_is_retried_and_ends_this_month(
    url: str, store: PostgresStore
) -> None:
    failed = replace(complete_run("r1", OCTOBER), state=RunState.FAILED, waiting_for="number")
    store.create(failed)
    store.create(complete_run("r2", OCTOBER))
    assert store.move_ended(limit=9) == 1  # a failed run may go on, so it stays

    again = store.revive("r1", now=NOVEMBER, until=LATER)
    assert again is not None
    store.update(replace(again, state=RunState.COMPLETE, updated_at=NOVEMBER, claimed_until=None))
    assert store.move_ended(limit=9) == 1

    assert ask(url, "SELECT id FROM longterm.ended_runs_2026_11") == [("r1",)]
    assert store.get("r1").state is RunState.COMPLETE


def test_a_month_is_dropped_with_all_that_belongs_to_its_runs(
    url: str, store: PostgresStore
) -> None:
    for run_id, moment in (("old", OCTOBER), ("new", NOVEMBER)):
        store.create(replace(suspended_run(run_id), index={"customer": 4711}))
        assert store.post(letter("another", "a key", run_id), limit=9) == 1
        ended = replace(claim(store, run_id), state=RunState.COMPLETE, updated_at=moment)
        store.update(replace(ended, delivery="k", delivery_digest="d"))
        ask(
            url,
            f"INSERT INTO longterm.progress VALUES ('{run_id}', 1, 'n');"
            "INSERT INTO longterm.history (run, turn, number, event, sent_at, saved_at, revision,"
            f" checksum) VALUES ('{run_id}', 1, 0, 'number', now(), now(), 1, 1);"
            "INSERT INTO longterm.outbox (id, sender, number, receiver, kind, name, body, key,"
            f" digest, sent_at, due_at, checksum) VALUES ('to {run_id}', 'x', 1, '{run_id}',"
            " 'start', 'f', '', 'k', 'd', now(), now(), 1)",
        )
    assert store.move_ended(limit=9) == 2
    everything = (
        "SELECT id FROM longterm.ended_runs UNION ALL SELECT run FROM longterm.ended_facts"
        " UNION ALL SELECT run FROM longterm.inbox UNION ALL SELECT run FROM longterm.deliveries"
        " UNION ALL SELECT run FROM longterm.progress UNION ALL SELECT run FROM longterm.history"
        " UNION ALL SELECT receiver FROM longterm.outbox"
    )
    assert len(ask(url, everything)) == 2 * 8  # two keys each
    found = store.find(Query(index={"customer": 4711}))
    assert [run.id for run in found] == ["new", "old"]
    assert store.digest_for_key("old", "k") == "d"

    assert store.delete_ended(saved_before=NOVEMBER, limit=9) == 1

    assert set(ask(url, everything)) == {("new",)}
    assert parts(url) == ["ended_runs_2026_11"]
    with pytest.raises(UnknownRun):
        store.get("old")
    store.create(suspended_run("old"))  # its id is free again


def test_what_is_not_a_whole_month_is_deleted_one_by_one_or_left(
    url: str, store: PostgresStore
) -> None:
    engine = Engine(store)
    now = engine.clock.now()
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for number, moment in enumerate((begin - timedelta(days=1), begin, now)):
        store.create(complete_run(f"r{number}", moment))
    assert store.move_ended(limit=9) == 3

    assert engine.prune(timedelta(0), whole_months=True) == 1
    assert [run.id for run in store.find(Query())] == ["r1", "r2"]
    assert len(parts(url)) == 1
    assert engine.prune(timedelta(0)) == 2
    assert store.find(Query()) == []


def test_pages_go_over_what_is_moved_and_what_is_not(store: PostgresStore) -> None:
    for number in range(9):
        at = (OCTOBER, NOVEMBER)[number % 2]
        facts = {"customer": 1}
        if number % 3:
            store.create(complete_run(f"r{number}", at, index=facts))
        else:
            store.create(replace(suspended_run(f"r{number}"), index=facts))
    assert store.move_ended(limit=3) == 3  # and three are to be moved yet

    for query in (Query(), Query(index={"customer": 1}), Query(flow="shop.orders:greet")):
        for newest_first in (False, True):
            found: list[str] = []
            while True:
                after = found[-1] if found else None
                page = replace(query, limit=2, after=after, newest_first=newest_first)
                if not (runs := store.find(page)):
                    break
                found += [run.id for run in runs]
            assert found == sorted((f"r{number}" for number in range(9)), reverse=newest_first)
    ended = store.find(Query(state=RunState.COMPLETE, limit=4))
    assert [run.id for run in ended] == ["r1", "r2", "r4", "r5"]
    old = store.find(Query(state=RunState.COMPLETE, saved_before=NOVEMBER))
    assert [run.id for run in old] == ["r2", "r4", "r8"]
    states = {count.state: count.runs for count in store.count_states()}
    assert states == {RunState.COMPLETE: 6, RunState.SUSPENDED: 3}


def moves_all(store: PostgresStore) -> int:
    """Move until none is left; whoever cannot make a month at once leaves it alone for a while."""
    moved = 0
    while store._database.execute("SELECT 1 FROM longterm.runs", (), "look").rows:
        store._next_look = 0.0
        moved += store.move_ended(limit=2)
    return moved


# -- several at once -----------------------------------------------------------------------------


def test_workers_that_need_a_month_at_once_make_it_once(url: str, store: PostgresStore) -> None:
    with ExitStack() as opened:
        workers = [opened.enter_context(PostgresStore(url)) for _ in range(4)]
        for worker in workers:
            worker.get_states = worker.count_states()  # type: ignore[attr-defined]  # connected
        for month in range(1, 9):
            at = datetime(2025, month, 1, tzinfo=UTC)
            for number in range(8):
                store.create(complete_run(f"{month} {number}", at))

            moved = race([partial(moves_all, worker) for worker in workers])

            assert sum(count for count in moved if isinstance(count, int)) == 8, moved
    assert len(parts(url)) == 8
    assert ask(url, "SELECT count(*) FROM longterm.runs") == [(0,)]
    assert ask(url, "SELECT count(*) FROM longterm.ended_runs") == [(64,)]


def test_a_month_is_made_while_others_save_and_go_on(url: str, store: PostgresStore) -> None:
    store.create(complete_run())
    store.create(suspended_run("waits"))
    with psycopg.connect(url) as saver, psycopg.connect(url) as mover:
        saver.execute("UPDATE longterm.runs SET turn = turn WHERE id = 'waits'")
        assert mover.execute("SELECT longterm.move_ended(9)").fetchall() == [(1,)]
        saver.commit()

        # The month is there, and not committed.
        store.update(replace(claim(store, "waits"), state=RunState.SUSPENDED))
        assert store.find(Query(state=RunState.SUSPENDED, limit=1))


def test_a_month_is_not_made_while_somebody_reads_for_long(url: str, store: PostgresStore) -> None:
    store.create(complete_run())
    with psycopg.connect(url) as reader:
        reader.execute("SELECT * FROM longterm.ended_runs")  # as a backup does

        begin = time.monotonic()
        assert store.move_ended(limit=9) == store.move_ended(limit=9) == 0
        assert time.monotonic() - begin < 1
        assert store.get("r1") == complete_run()
    store._next_look = 0.0
    assert store.move_ended(limit=9) == 1


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_an_id_is_not_begun_anew_while_its_run_is_moved(
    url: str, store: PostgresStore, isolation: str
) -> None:
    name = url.rpartition("/")[2]
    ask(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    with PostgresStore(url) as starter:
        starter.create(complete_run())
        with psycopg.connect(url) as mover:
            assert mover.execute("SELECT longterm.move_ended(9)").fetchall() == [(1,)]
            outcomes: list[object] = []
            start = partial(race, [partial(starter.create, suspended_run())])
            thread = threading.Thread(target=lambda: outcomes.extend(start()))
            thread.start()
            time.sleep(0.5)
            assert not outcomes  # it waits for the row
            mover.commit()
            thread.join()

        assert [type(outcome) for outcome in outcomes] == [RunExists]
        assert starter.get("r1").state is RunState.COMPLETE
    assert ask(url, "SELECT count(*) FROM longterm.runs") == [(0,)]


def test_a_month_that_somebody_reads_is_dropped_later_and_holds_up_nobody(url: str) -> None:
    with PostgresStore(url, wait_seconds=1) as store, psycopg.connect(url) as reader:
        store.keep_by_month()
        store.create(complete_run())
        store.move_ended(limit=9)
        reader.execute("SELECT * FROM longterm.ended_runs")  # as a backup does
        delete = partial(store.delete_ended, saved_before=DECEMBER, limit=9)

        outcomes: list[object] = []
        thread = threading.Thread(target=lambda: outcomes.extend(race([delete])))
        thread.start()
        waited = []
        while thread.is_alive():
            begin = time.monotonic()
            store.get("r1")
            waited.append(time.monotonic() - begin)

        assert max(waited) < 0.5
        (error,) = outcomes
        assert isinstance(error, StoreError)
        words = "drop the runs that ended in 2026-11 .*: somebody .*prune again when that is over"
        with pytest.raises(StoreError, match=words):
            raise error
        reader.rollback()
        assert delete() == 1


def test_runs_that_come_into_a_month_meanwhile_are_emptied_too(
    url: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(complete_run("r1", OCTOBER))
    store.move_ended(limit=9)
    empty, late = store._empty, [complete_run("r2", OCTOBER, delivery="k", delivery_digest="d")]

    def emptied(*parameters: Any) -> int:
        seen = empty(*parameters)
        if late:  # somebody ends a run, and it is moved
            store.create(late.pop())
            store.move_ended(limit=9)
        return seen

    monkeypatch.setattr(store, "_empty", emptied)
    kept = replace(suspended_run("r3"), delivery="k", delivery_digest="d", updated_at=NOVEMBER)
    store.create(kept)

    assert store.delete_ended(saved_before=NOVEMBER, limit=9) == 2

    assert ask(url, "SELECT run FROM longterm.deliveries") == [("r3",)]


# -- kill -9 -------------------------------------------------------------------------------------

PROGRAM = """
import sys
from datetime import timedelta
from tests.store.test_months_moved import OCTOBER, NOVEMBER, complete_run
from longterm.store.postgres import PostgresStore

with PostgresStore(sys.argv[1]) as store:
    for number in range(int(sys.argv[2]), 10**9):
        run = complete_run(f"r{number:09}", OCTOBER, index={"n": number}, delivery="k",
                           delivery_digest="d")
        store.create(run)
        if number % 5 == 4:
            store.move_ended(limit=4)
        if number % 20 == 19:
            store.delete_ended(saved_before=NOVEMBER, limit=3)
        print(number, flush=True)
"""


def test_a_process_that_is_killed_leaves_each_run_once_or_not_at_all(
    url: str, store: PostgresStore
) -> None:
    both = "SELECT id FROM longterm.runs UNION ALL SELECT id FROM longterm.ended_runs"
    number = 0
    for life in range(6):
        begun = [sys.executable, "-c", PROGRAM, url, str(number)]
        with subprocess.Popen(begun, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(17 + 7 * life):
                number = int(process.stdout.readline()) + 2
            process.kill()

        ids = [run_id for (run_id,) in ask(url, both)]
        assert len(ids) == len(set(ids))
        facts = "SELECT run FROM longterm.facts UNION ALL SELECT run FROM longterm.ended_facts"
        assert sorted(run for (run,) in ask(url, facts)) == sorted(ids)

    while store.delete_ended(saved_before=NOVEMBER, limit=100):
        pass
    assert ask(url, both) == ask(url, "SELECT run FROM longterm.deliveries") == []


@pytest.mark.parametrize(
    "statement", ["SELECT longterm.move_ended(9)", "SELECT longterm.drop_month('2026-10-01', 1)"]
)
def test_a_server_that_is_killed_in_the_middle_has_done_nothing(
    server: PostgresServer, fresh_database: Callable[..., str], statement: str
) -> None:
    url = server.url(fresh_database())
    with PostgresStore(url) as store:
        store.keep_by_month()
        store.create(complete_run("moved", OCTOBER))
        store.move_ended(limit=9)
        store.create(complete_run("to move", NOVEMBER))
    with closing(psycopg.connect(url)) as connection:
        connection.execute(statement.encode())
        server.kill()
        server.start_again()
    with PostgresStore(url) as store:
        assert parts(url) == ["ended_runs_2026_10"]
        assert [run.id for run in store.find(Query())] == ["moved", "to move"]
        assert store.move_ended(limit=9) == 1
        assert store.delete_ended(saved_before=DECEMBER, limit=9) == 2
        assert parts(url) == []


# -- who may -------------------------------------------------------------------------------------


def test_a_user_needs_no_more_than_the_rows(
    url: str, store: PostgresStore, server: PostgresServer
) -> None:
    name = url.rpartition("/")[2]
    for user in ("app", "reader"):
        ask(url, f"CREATE USER {name}_{user}; GRANT USAGE ON SCHEMA longterm TO {name}_{user}")
    all_rows = "ON ALL TABLES IN SCHEMA longterm TO"
    ask(url, f"GRANT SELECT, INSERT, UPDATE, DELETE {all_rows} {name}_app")
    ask(url, f"GRANT SELECT {all_rows} {name}_reader")
    with PostgresStore(server.url(name, user=f"{name}_app"), migrate=False) as app:
        app.create(complete_run())
        assert app.move_ended(limit=9) == 1
        with PostgresStore(server.url(name, user=f"{name}_reader"), migrate=False) as reader:
            assert reader.get("r1") == complete_run()
            with pytest.raises(StoreError, match="this user may not"):
                reader._drop(DECEMBER.replace(month=11, tzinfo=None), 9)
        assert parts(url) == ["ended_runs_2026_11"]
        assert app.delete_ended(saved_before=DECEMBER, limit=9) == 1
        ask(url, "DROP TRIGGER id_of_ended_run ON longterm.runs")  # so it is off
        remedy = "let the owner of the tables apply what `longterm migrate --ended-by-month --sql`"
        with pytest.raises(StoreError, match=remedy):
            app.keep_by_month()
        ask(url, store.by_month_sql())
        assert not app.keep_by_month()
        app.create(complete_run())
        assert app.move_ended(limit=9) == 1


def test_another_schema_keeps_its_own_months(url: str) -> None:
    with PostgresStore(url, schema="Shop runs") as shop, PostgresStore(url) as other:
        assert shop.keep_by_month()
        for store in (shop, other):
            store.create(complete_run())
        assert (shop.move_ended(limit=9), other.move_ended(limit=9)) == (1, 0)

        assert ask(url, 'SELECT id FROM "Shop runs".ended_runs_2026_11') == [("r1",)]
        assert shop.delete_ended(saved_before=DECEMBER, limit=9) == 1
        assert other.get("r1") == complete_run()


def test_a_dba_can_turn_it_on(url: str) -> None:
    with PostgresStore(url) as store:
        store.create(complete_run())
        ask(url, store.by_month_sql())

        assert not store.keep_by_month()
        assert store.move_ended(limit=9) == 1


# -- with an engine ------------------------------------------------------------------------------


@deflow
def asks() -> Any:
    return suspend("number")


def test_a_worker_moves_what_has_ended_and_it_is_as_it_was(url: str, store: PostgresStore) -> None:
    engine = Engine(store)
    run = engine.start(asks, id="order 7")
    ended = engine.process_event(run.id, "number", 8, key="click")
    assert ended.result == 8

    Worker(engine).run_once()

    assert ask(url, "SELECT id FROM longterm.runs") == []
    assert engine.get_run(run.id).result == 8
    again = engine.process_event(run.id, "number", 8, key="click")
    assert (again.is_duplicate, again.result) == (True, 8)
    assert engine.start(asks, id="order 7").result == 8
    engine.delete(run.id)
    assert ask(url, "SELECT run FROM longterm.deliveries") == []


def test_a_worker_that_cannot_move_says_so_once_and_goes_on(
    url: str, store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(store)
    engine.start_flow(asks)
    ask(url, "ALTER FUNCTION longterm.move_ended(integer) RENAME TO gone")
    worker = Worker(engine)

    worker.run_once()
    worker.run_once()

    assert caplog.text.count("could not move runs that have ended") == 1
