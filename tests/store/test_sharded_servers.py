"""Runs over three real Postgres servers: one that is killed, or silent, stops its own runs only."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store import open_store
from longterm.store.base import Query
from longterm.store.sharded import Sharded
from longterm.testing._sample_runs import LATER, MINUTE, NOON, suspended_run
from longterm.testing.contract import StoreContract
from tests.store.sharding import THREE, PerServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from tests.store.postgres_server import PostgresServer, binaries_or_skip  # noqa: E402

TABLES = (
    *("runs", "facts", "deliveries", "inbox", "outbox", "queues", "progress", "history"),
    "versions",
)
IS_NIGHTLY = os.environ.get("LONGTERM_SERVERS") == "three"
"""Whether the contract is tested on three servers instead of three databases of one."""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, PostgresServer]]:
    binaries = binaries_or_skip()
    with ExitStack() as started:
        made = {}
        for name in THREE:
            made[name] = PostgresServer(binaries)
            started.callback(made[name].remove)
        yield made


def file_of(folder: Path, urls: dict[str, str], options: str = "") -> str:
    """Write the file that names servers, and return the URL of the store over them."""
    lines = "".join(f'{name} = "{url}{options}"\n' for name, url in urls.items())
    epoch = f"[[epochs]]\nsince = 2026-01-01T00:00:00Z\nservers = {list(urls)!r}\n"
    (folder / "shards.toml").write_text(f"[servers]\n{lines}\n{epoch}".replace("'", '"'))
    return f"postgresql+sharded://{folder}/shards.toml"


def ask(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="module")
def urls(request: pytest.FixtureRequest, server: PostgresServer) -> dict[str, str]:
    """Three servers; three databases of one by day, which takes less time."""
    if IS_NIGHTLY:
        three: dict[str, PostgresServer] = request.getfixturevalue("servers")
        urls = {name: three[name].url("contract") for name in THREE}
    else:
        urls = {name: server.url(f"shard_{name}") for name in THREE}
    for url in urls.values():
        place, _, name = url.rpartition("/")
        ask(f"{place}/postgres", f"CREATE DATABASE {name}")
        with PostgresStore(url) as store:
            store.migrate()
    return urls


class TestThreeDatabases(PerServer, StoreContract):
    @pytest.fixture
    def reopen(self, urls: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Sharded]]:
        def open_all() -> Sharded:
            store = open_store(file_of(tmp_path, urls) + "?max_connections=24")
            assert isinstance(store, Sharded)
            return opened.enter_context(store)

        with ExitStack() as opened:
            yield open_all

    @pytest.fixture
    def store(self, urls: dict[str, str], reopen: Callable[[], Sharded]) -> Sharded:
        for url in urls.values():
            ask(url, "; ".join(f"DELETE FROM longterm.{table}" for table in TABLES))
        return reopen()


# -- a server that is dead, or silent ------------------------------------------------------------


@pytest.fixture
def store(servers: dict[str, PostgresServer], tmp_path: Path) -> Iterator[Sharded]:
    """A store over three servers, with thirty runs that are due."""
    urls = {name: server.url() for name, server in servers.items()}
    store = open_store(file_of(tmp_path, urls, "?wait_seconds=1") + "?max_connections=12")
    assert isinstance(store, Sharded)
    with store:
        store.migrate()
        for url in urls.values():
            ask(url, "DELETE FROM longterm.runs")
        for number in range(30):
            store.create(replace(suspended_run(f"r{number}"), deadline=NOON))
        yield store


@contextmanager
def killed(server: PostgresServer) -> Iterator[None]:
    server.kill_all()
    try:
        yield
    finally:
        server.start_again()


@pytest.mark.parametrize("how", [killed, PostgresServer.frozen])
def test_a_server_that_is_away_stops_its_own_runs_only(
    store: Sharded, servers: dict[str, PostgresServer], how: Callable[..., object]
) -> None:
    on_b = {run.id for run in store.find(Query(limit=99)) if store._place(run.id) == "b"}
    elsewhere = {f"r{number}" for number in range(30)} - on_b
    assert len(on_b) > 2
    with how(servers["b"]):  # type: ignore[attr-defined]
        stuck = [threading.Thread(target=_try_to_get, args=(store, run_id)) for run_id in on_b]
        for thread in stuck:  # all of them wait for the server, and for its connections
            thread.start()
        begin = time.monotonic()
        for run_id in elsewhere:
            claimed = store.unsuspend(run_id, "number")
            assert claimed is not None
            store.update(claimed.changed(state=RunState.SUSPENDED, deadline=NOON))
        assert time.monotonic() - begin < 5

        for name in ("a", "c"):
            begin = time.monotonic()
            due = store.part(name).claim_due(now=LATER, until=LATER + MINUTE, limit=99)
            assert {run.id for run in due} == {r for r in elsewhere if store._place(r) == name}
            stale = store.part(name).release_stale(now=LATER + 2 * MINUTE, max_attempts=9)
            assert len(stale) == len(due) > 0
            assert time.monotonic() - begin < 2

        due = store.claim_due(now=LATER, until=LATER + MINUTE, limit=99)
        assert {run.id for run in due} == elsewhere
        begin = time.monotonic()
        assert len(store.release_stale(now=LATER + 2 * MINUTE, max_attempts=9)) == len(due)
        assert time.monotonic() - begin < 1  # it is known to be away
        with pytest.raises(StoreError, match="server 'b': cannot") as missing:
            store.find(Query(limit=99))
        assert "postgres:" not in str(missing.value)
        for thread in stuck:
            thread.join()

    _wait_until_all_answer(store)
    assert len(store.find(Query(limit=99))) == 30
    due = store.claim_due(now=LATER, until=LATER + MINUTE, limit=99)
    assert {run.id for run in due} == elsewhere | on_b


def _try_to_get(store: Sharded, run_id: str) -> None:
    with pytest.raises(StoreError, match="server 'b'"):
        store.get(run_id)


def _wait_until_all_answer(store: Sharded) -> None:
    end = time.monotonic() + 20
    while any(server.error is not None for server in store._servers):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_connections_are_counted_over_all_servers(store: Sharded) -> None:
    def use(run_id: str) -> None:
        for _ in range(10):
            store.get(run_id)

    pools = [server.store._database._pool for server in store._servers]  # type: ignore[attr-defined]
    threads = [threading.Thread(target=use, args=(f"r{number}",)) for number in range(30)]
    for thread in threads:
        thread.start()
    most = [0, 0, 0, 0]
    while any(thread.is_alive() for thread in threads):
        counts = [pool.open_count for pool in pools]
        most = list(map(max, most, [*counts, sum(counts)]))
    for thread in threads:
        thread.join()

    assert min(most) >= 2
    assert most[-1] <= 12


def test_no_error_shows_a_password(tmp_path: Path) -> None:
    secret = "hunter2"
    urls = {"a": f"postgresql://shop:{secret}@127.0.0.1:1/shop?wait_seconds=0.1"}
    for text in (
        None,
        f'[servers]\na = "postgresql://shop:{secret}@h:1/x"extra',
        f'[servers]\na = "postgresql://shop:{secret}@h@h:1/x"\n[[epochs]]\n'
        'since = 2026-01-01T00:00:00Z\nservers = ["a"]',
    ):
        url = file_of(tmp_path, urls)
        if text is not None:
            (tmp_path / "shards.toml").write_text(text)
        with pytest.raises(StoreError) as refused:
            open_store(url).get("r1")
        assert secret not in _all_of(refused.value)


def _all_of(error: BaseException | None) -> str:
    return "" if error is None else f"{error}{_all_of(error.__cause__)}"
