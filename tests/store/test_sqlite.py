"""The SQLite store keeps the contract; its file is readable, and as durable as was asked."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import randbytes

import pytest

from longterm.errors import StoreError
from longterm.run import Run, RunState
from longterm.store._rows import MIGRATIONS
from longterm.store.sqlite import SQLiteStore
from longterm.store.sqlite import _file as _sqlite_file
from longterm.testing._damage_contract import DamageContract
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, NOON, full_run, suspended_run
from longterm.testing.contract import StoreContract

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as store:
        yield store


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def reopen(self, path: Path) -> Iterator[Callable[[], SQLiteStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(SQLiteStore(path))


class TestSQLiteStoreThatForgoesSyncs(StoreContract):
    @pytest.fixture
    def store(self, path: Path) -> Iterator[SQLiteStore]:
        with SQLiteStore(path, synchronous="NORMAL") as store:
            yield store


DAMAGE = {
    "a flipped bit": "stack = CAST(x'e6' || substr(stack, 2) AS BLOB)",
    "no text": "delivery = CAST(x'ff41' AS TEXT)",
    "no moment": "created_at = 'yesterday', checksum = NULL",
    "no text and no checksum": "flow = CAST(x'ff41' AS TEXT), checksum = NULL",
    "another flow": "flow = 'shop.orders:greed'",
}


class TestSQLiteStoreWithDamage(DamageContract):
    @pytest.fixture(params=sorted(DAMAGE))
    def damage(
        self, request: pytest.FixtureRequest, path: Path
    ) -> Callable[[str], Callable[[], None]]:
        def damage(run_id: str) -> Callable[[], None]:
            change(path, f"UPDATE runs SET {DAMAGE[request.param]} WHERE id = ?", run_id)
            return partial(
                change,
                path,
                "UPDATE runs SET stack = x'6672616d65732000ff', delivery = NULL,"
                " created_at = NULL, flow = 'shop.orders:greet', checksum = NULL WHERE id = ?",
                run_id,
            )

        return damage


def change(path: Path, statement: str, run_id: str) -> None:
    """Change a row as somebody does who opens the file with SQLite itself."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, (run_id,))
        connection.commit()


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Return what somebody sees who opens the file with SQLite itself."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def setting(store: SQLiteStore, name: str) -> object:
    """Return a pragma of the connection that the store used last."""
    with store._pool.loan() as loan:
        connection = store._pool.lend(loan.held)
        ((value,),) = connection.execute(f"PRAGMA {name}").fetchall()
    return value


def test_nothing_is_made_before_the_first_use(path: Path) -> None:
    with SQLiteStore(path):
        assert not path.exists()


def test_a_file_of_no_bytes_is_a_new_store(path: Path) -> None:
    path.touch()

    with SQLiteStore(path) as store:
        store.create(suspended_run())

    assert rows(path, "SELECT id FROM runs") == [("r1",)]


def test_a_relative_path_counts_from_where_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    with SQLiteStore("runs.db") as store:
        monkeypatch.chdir(tmp_path / "later")
        store.create(suspended_run())

    assert (tmp_path / "runs.db").exists()


def test_a_person_who_opens_the_file_sees_each_run_as_a_row(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(full_run())

    assert rows(
        path,
        "SELECT id, flow, state, turn, waiting_for, stack, response, result, error,"
        " attempts, delivery FROM runs",
    ) == [
        (
            *("r1", "shop.orders:greet", "suspended", 7, "number", b"frames", b"said", b"a result"),
            *("Traceback:\n  no", 2, "click 17"),
        )
    ]
    assert rows(path, "SELECT created_at, deadline, date(updated_at) FROM runs") == [
        ("2026-11-24T08:30:00.123456Z", "9999-12-31T23:59:59.999999Z", "2027-12-29")
    ]
    assert rows(path, "SELECT run FROM facts WHERE fact = 'dose=1.5'") == [("r1",)]


def test_the_file_says_whose_it_is_and_which_schema_it_has(path: Path, store: SQLiteStore) -> None:
    store.create(suspended_run())

    assert rows(path, "PRAGMA application_id") == [(int.from_bytes(b"long", "big"),)]
    assert rows(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def test_every_migration_on_file_is_applied_in_order() -> None:
    folder = Path(_sqlite_file.__file__).parent / "sql"

    assert [file.name for file in sorted(folder.iterdir())] == list(MIGRATIONS)


def test_the_settings_are_in_force_on_every_connection(path: Path) -> None:
    with SQLiteStore(path, busy_seconds=7) as store:
        store.create(suspended_run())
        loans = [store._pool.loan(), store._pool.loan()]
        for loan in loans:
            store._pool.lend(loan.held)
        for loan in loans:
            loan.give_back()
            assert setting(store, "journal_mode") == "wal"
            assert setting(store, "foreign_keys") == 1
            assert setting(store, "fullfsync") == 1
            assert setting(store, "busy_timeout") == 7_000


def test_a_setting_that_does_not_exist_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match=r"synchronous='OFF' is no setting .* \(choose FULL or"):
        SQLiteStore(path, synchronous="OFF")


def test_threads_that_open_a_new_file_at_once_make_one_store(tmp_path: Path) -> None:
    for number in range(10):
        with ExitStack() as opened:
            stores = [
                opened.enter_context(SQLiteStore(tmp_path / f"{number}.db")) for _ in range(4)
            ]
            runs = [suspended_run(f"r{number}") for number in range(4)]

            outcomes = race(
                [partial(store.create, run) for store, run in zip(stores, runs, strict=True)]
            )

            assert outcomes == runs
            assert [stores[0].get(run.id) for run in runs] == runs


def test_a_closed_store_says_so(path: Path) -> None:
    store = SQLiteStore(path)
    store.create(suspended_run())

    store.close()
    store.close()

    with pytest.raises(StoreError, match=r"the store is closed \(open it again"):
        store.get("r1")


def test_a_store_that_was_closed_leaves_one_file(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())

    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_a_store_that_nobody_closed_closes_itself(path: Path) -> None:
    SQLiteStore(path).create(suspended_run())

    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_a_store_closed_while_a_step_is_under_way_lets_it_end(path: Path) -> None:
    store = SQLiteStore(path)
    store.create(suspended_run())
    loan = store._pool.loan()
    connection = store._pool.lend(loan.held)
    connection.execute("BEGIN IMMEDIATE")

    closer = threading.Thread(target=store.close)
    closer.start()
    closer.join()

    connection.execute("UPDATE runs SET error = 'late'")
    connection.execute("COMMIT")
    loan.give_back()
    assert rows(path, "SELECT error FROM runs") == [("late",)]
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_text_that_is_no_unicode_is_refused_and_nothing_stored(store: SQLiteStore) -> None:
    with pytest.raises(StoreError, match=r"cannot create run .*'\\ud800' is not valid Unicode"):
        store.create(suspended_run("\ud800"))

    store.create(suspended_run())
    with pytest.raises(StoreError, match=r"cannot claim run 'r1' in .*'\\ud800' is not valid"):
        store.unsuspend("r1", "\ud800")
    assert store.get("r1") == suspended_run()


def test_what_has_not_changed_of_a_large_stack_is_not_written_again(path: Path) -> None:
    size = 400_000

    def claimed(store: SQLiteStore) -> Run:
        run = store.claim("r1", "number", now=NOW, until=NOW + timedelta(minutes=1))
        assert run is not None
        return run

    def logged(step: Callable[[], Run]) -> tuple[Run, int]:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        run = step()
        return run, path.with_name("runs.db-wal").stat().st_size

    with SQLiteStore(path) as store:
        store.create(replace(suspended_run(), stack=randbytes(size)))
        store.update(at_rest(claimed(store)))  # the first claim makes the row longer

        run, by_claim = logged(lambda: claimed(store))
        run, by_save = logged(lambda: store.update(at_rest(run)))
        longer = replace(at_rest(claimed(store)), stack=randbytes(size + 1000))
        run, by_change = logged(lambda: store.update(longer))

    assert by_claim < size / 5
    assert by_save < size / 5
    assert size < by_change < size * 1.2
    assert run.stack == longer.stack


def at_rest(run: Run) -> Run:
    return run.changed(state=RunState.SUSPENDED, claimed_until=None)


@pytest.mark.parametrize("event", ["number", "another"])
def test_each_step_of_a_turn_that_waits_again_is_one_statement(path: Path, event: str) -> None:
    taken: list[str] = []
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        with store._pool.loan() as loan:
            store._pool.lend(loan.held).set_trace_callback(taken.append)

        run = store.claim("r1", "number", now=NOON, until=LATER)
        assert run is not None
        run = run.changed(state=RunState.SUSPENDED, claimed_until=None, stack=b"more")
        store.update(run.changed(waiting_for=event))

    # Whatever a trigger does would be there, too.
    assert [statement.split()[0] for statement in taken] == ["UPDATE", "UPDATE"]


def test_a_claim_that_fails_leaves_nothing_for_the_next(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.create(suspended_run())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "CREATE TRIGGER refusal AFTER UPDATE ON runs"
                " BEGIN SELECT RAISE(ABORT, 'not today'); END"
            )
            with pytest.raises(StoreError, match="not today"):
                store.claim("r1", "number", now=NOON, until=LATER)
            connection.execute("DROP TRIGGER refusal")

        another = store.claim("r1", "another event", now=NOON, until=LATER)

        assert another is None
        assert store.get("r1") == suspended_run()


@pytest.mark.parametrize("setting", ["OFF", "", "on"])
def test_an_unknown_durability_is_refused(path: Path, setting: str) -> None:
    with pytest.raises(StoreError, match=r"no setting of the SQLite store \(choose FULL or"):
        SQLiteStore(path, synchronous=setting)


@pytest.mark.parametrize("path", [":memory:", ""])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match=r"needs a file, not .* \(for runs in memory use `memory"):
        SQLiteStore(path)


def test_sqlite_that_is_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    with (
        SQLiteStore(path) as store,
        pytest.raises(StoreError, match=r"and 3\.37 is needed \(use a newer Python"),
    ):
        store.create(suspended_run())
