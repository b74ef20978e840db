"""The sessions of a Postgres store: which one is lent, what is prepared in it, when it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from longterm.run import RunState
from longterm.testing._sample_runs import claim, suspended_run
from tests.store.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402

OURS = "application_name = 'sessions' AND pid <> pg_backend_pid()"


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return f"{server.url(fresh_database())}?application_name=sessions"


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        yield store


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[no-any-return]


def take_turn(store: PostgresStore) -> None:
    claimed = claim(store)
    store.update(claimed.changed(state=RunState.SUSPENDED, claimed_until=None))


def use_at_once(store: PostgresStore, sessions: int) -> None:
    """Have a store open so many sessions."""
    all_there = threading.Barrier(sessions)
    threads = [
        threading.Thread(
            target=store._database.on_connection, args=(lambda *_: all_there.wait(), "meet")
        )
        for _ in range(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_caller_takes_its_turns_over_one_session(store: PostgresStore, url: str) -> None:
    use_at_once(store, 3)
    ((before,),) = ask(url, "SELECT clock_timestamp()::text")

    for _ in range(5):
        take_turn(store)

    used = ask(
        url, f"SELECT pid, state_change > '{before}' FROM pg_stat_activity WHERE {OURS} ORDER BY 2"
    )
    assert [is_used for _, is_used in used] == [False, False, True]


@pytest.mark.parametrize("brief_seconds", [0.0, 60.0])
def test_a_session_that_ends_in_the_middle_of_a_turn_is_replaced(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch, brief_seconds: float
) -> None:
    """Be it seen before the save is sent, or by the save that is lost in it."""
    monkeypatch.setattr("longterm.store.postgres._pool._BRIEF_SECONDS", brief_seconds)
    for _ in range(10):
        claimed = claim(store)
        ask(url, f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {OURS}")
        store.update(claimed.changed(state=RunState.SUSPENDED, claimed_until=None))

    assert store.get("r1").turn == claimed.turn


def test_a_session_that_nobody_needed_for_long_ends(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_at_once(store, 3)
    pool: Any = store._database._pool
    for place in pool._idle:
        place.used_at -= 3600
    monkeypatch.setattr(pool, "_look_at", 0.0)
    monkeypatch.setattr("longterm.store.postgres._pool._SPARE_SECONDS", 0.0)

    for _ in range(3):
        store.get("r1")

    assert ask(url, f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}") == [(1,)]


def test_what_is_sent_often_is_prepared_for_parameters_of_each_size(store: PostgresStore) -> None:
    def steps(session: Any, place: str) -> list[str]:
        for number in [*range(9), 1 << 20, None, 1 << 40, 3]:
            assert session.ask("SELECT %s::bigint", (number,)) == [(number,)]
        rows = session.ask_once(
            "SELECT name, parameter_types::text FROM pg_prepared_statements", ()
        )
        assert all(name.startswith("longterm_") for name, _ in rows)
        return [types for _, types in rows]

    types = store._database.on_connection(steps, "prepare")

    assert {"{smallint}", "{integer}", "{bigint}"} <= {*types}


def test_an_error_names_what_was_wrong_and_the_session_stays(store: PostgresStore) -> None:
    def steps(session: Any, place: str) -> None:
        for _ in range(8):
            with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
                session.ask("SELECT 1 / %s", (0,))
        assert session.ask("SELECT 1 / %s", (1,)) == [(1,)]

    store._database.on_connection(steps, "divide")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
@pytest.mark.parametrize("seconds", [0.03, 0.3], ids=["at the first look", "later"])
def test_a_ctrl_c_has_the_server_break_the_statement_off(
    store: PostgresStore, url: str, seconds: float
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with pytest.raises(KeyboardInterrupt):
            store._database.execute("SELECT pg_sleep(30)", (), "sleep")
    finally:
        signal.signal(signal.SIGALRM, before)

    asked = f"SELECT query FROM pg_stat_activity WHERE {OURS} AND state = 'active'"
    assert ask(url, asked) == []
    assert ask(url, f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}") == [(1,)]


@pytest.mark.parametrize("size", [10, 10_000_000], ids=["in one piece", "in many"])
def test_an_answer_comes_whole_in_however_many_pieces(store: PostgresStore, size: int) -> None:
    statement = "SELECT repeat('x', %s::integer)"

    ((found,),) = store._database.execute(statement, (size,), "repeat").rows

    assert len(found) == size
