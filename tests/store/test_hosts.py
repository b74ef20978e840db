"""A URL may name several servers, of which one can be written: it is found, again and again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from longterm.errors import RunExists, StoreError
from longterm.run import RunState
from longterm.testing._sample_runs import claim, suspended_run
from tests.store.deaf_proxy import DeafProxy
from tests.store.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store import open_store  # noqa: E402
from longterm.store.postgres import PostgresStore  # noqa: E402
from longterm.store.postgres._database import Answer  # noqa: E402
from longterm.store.postgres._server import _each_host  # noqa: E402


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[DeafProxy]:
    with closing(DeafProxy(server.port)) as proxy:
        yield proxy


def hosts_of(conninfo: str) -> list[tuple[Any, ...]]:
    each = map(psycopg.conninfo.conninfo_to_dict, _each_host(conninfo))
    return [tuple(map(one.get, ("host", "port", "target_session_attrs"))) for one in each]


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("postgresql://one/shop", [("one", None, None)]),
        ("postgresql://one,two/shop", [("one", None, "read-write"), ("two", None, "read-write")]),
        (
            "postgresql://one:1,two:2/shop?target_session_attrs=primary",
            [("one", "1", "primary"), ("two", "2", "primary")],
        ),
        ("host=one,two port=5", [("one", "5", "read-write"), ("two", "5", "read-write")]),
        # What is left to libpq.
        ("postgresql://one,two/shop?target_session_attrs=any", [("one,two", ",", "any")]),
        ("host=one,two,three port=1,2", [("one,two,three", "1,2", None)]),
    ],
)
def test_a_url_that_names_several_servers_means_the_one_that_can_be_written(
    conninfo: str, expected: list[tuple[Any, ...]]
) -> None:
    found = hosts_of(conninfo)
    without_default_ports = [(host, port or None, attrs) for host, port, attrs in found]
    assert without_default_ports == [(host, port or None, attrs) for host, port, attrs in expected]


def with_two_hosts(server: PostgresServer, first: int, database: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{first},127.0.0.1:{server.port}/{database}"


def test_a_server_that_does_not_answer_who_connects_has_its_share_of_the_time_once(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = with_two_hosts(server, deaf.getsockname()[1], fresh_database())
        with open_store(f"{url}?wait_seconds=4") as store:  # type: ignore[attr-defined]
            begin = time.monotonic()
            store.create(suspended_run())
            first = time.monotonic() - begin
            again = store._database._pool._open_connection(time.monotonic() + 4)
            second = time.monotonic() - begin - first
            again.close()

    assert 1.9 < first < 4
    assert second < 1


def test_what_is_silent_is_left_for_the_other_server_within_a_third_of_the_time(
    server: PostgresServer, fresh_database: Callable[..., str], proxy: DeafProxy
) -> None:
    with PostgresStore(
        with_two_hosts(server, proxy.port, fresh_database()), wait_seconds=3
    ) as store:
        store.create(suspended_run())
        with closing(store._database._pool._open_connection(time.monotonic() + 3)) as idle:
            with proxy.silent():
                begin = time.monotonic()
                made = store.update(claim(store).changed(state=RunState.COMPLETE))
                took = time.monotonic() - begin
            host = idle.host
            assert host is not None
            assert host.silent_at > begin
        # It has lost its answer once, and is the last to be asked from then on.
        with closing(store._database._pool._open_connection(time.monotonic() + 3)) as other:
            assert other.info.port == server.port
        assert store.get("r1") == made
    assert 0.9 < took < 2.5


def test_servers_that_are_all_away_are_all_named(server: PostgresServer) -> None:
    url = "postgresql://postgres@127.0.0.1:1,127.0.0.1:2/shop"
    with PostgresStore(url, wait_seconds=0.1) as store, pytest.raises(StoreError) as refused:
        store.get("r1")

    assert "port 1 failed" in str(refused.value)
    assert "port 2 failed" in str(refused.value)


def test_sessions_with_a_server_that_became_a_standby_are_left(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    database = fresh_database()
    with PostgresStore(server.url(database), max_connections=1, wait_seconds=10) as store:
        store.create(suspended_run())
        # What a session of a server says that another one has taken over from.
        store._database.on_connection(
            lambda used, _: used.execute("SET default_transaction_read_only = on"), "become standby"
        )

        assert claim(store).turn == 2

    with PostgresStore(
        f"{server.url(database)}?options=-cdefault_transaction_read_only%3Don"
    ) as store:
        begin = time.monotonic()
        with pytest.raises(StoreError, match="the server only answers questions"):
            store.create(suspended_run("r2"))
        assert time.monotonic() - begin < 5  # one that never could be written is named at once


@pytest.mark.parametrize("step", ["create", "update", "unsuspend", "delete"])
def test_the_statements_of_one_step_share_its_time(
    server: PostgresServer,
    fresh_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    ends: list[float | None] = []
    with PostgresStore(server.url(fresh_database())) as store:
        store.create(suspended_run())
        execute = store._database.execute
        done = claim(store)

        def repeated(*asked: Any, until: float | None = None) -> Answer:
            """Answer as if the first answer had been lost."""
            ends.append(until)
            return Answer(execute(*asked).rows, is_repeated=len(ends) == 1)

        steps: dict[str, Callable[[], object]] = {
            "create": lambda: store.create(suspended_run()),
            "update": lambda: store.update(done.changed(turn=1)),
            "unsuspend": lambda: store.unsuspend("r1", "number"),
            "delete": lambda: store.delete("r2"),
        }
        monkeypatch.setattr(store._database, "execute", repeated)
        with suppress(StoreError, RunExists):
            steps[step]()

    assert len(ends) > 1
    assert len(set(ends)) == 1
    assert ends[0] is not None
