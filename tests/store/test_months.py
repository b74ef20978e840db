"""Runs that have ended are kept by month, if so asked for: moved once, and dropped together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from longterm.run import ENDED, Run
from longterm.testing.contract import StoreContract
from longterm.unread import UnreadEvent
from tests.store.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402


class MovingStore(PostgresStore):
    """A store beside the fastest of workers: what has ended is moved before anybody looks."""

    def create(self, run: Run) -> Run:
        return self._moved(super().create(run))

    def update(self, run: Run) -> Run:
        return self._moved(super().update(run))

    def update_read(
        self, run: Run, events: Sequence[UnreadEvent], *, kept: UnreadEvent | None = None
    ) -> Run:
        return self._moved(super().update_read(run, events, kept=kept))

    def _moved(self, run: Run) -> Run:
        if run.state in ENDED:
            self.move_ended(limit=1000)
        return run


@pytest.fixture(scope="module")
def common_url(server: PostgresServer) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE by_month")
    with PostgresStore(server.url("by_month")) as store:
        assert store.keep_by_month()
    return server.url("by_month")


class TestPostgresStoreByMonth(StoreContract):
    @pytest.fixture
    def store(self, common_url: str) -> Iterator[PostgresStore]:
        with psycopg.connect(common_url, autocommit=True) as connection:
            connection.execute(
                "TRUNCATE longterm.runs, longterm.facts, longterm.deliveries, longterm.inbox,"
                " longterm.outbox, longterm.queues, longterm.progress, longterm.history,"
                " longterm.versions, longterm.shard, longterm.ended_runs, longterm.ended_facts"
            )
        with MovingStore(common_url) as store:
            yield store

    @pytest.fixture
    def reopen(self, common_url: str) -> Iterator[Callable[[], PostgresStore]]:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(MovingStore(common_url))
