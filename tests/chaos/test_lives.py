"""Whatever happens to a store and its engines, the promises about events and children hold."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from longterm.store import open_store
from longterm.store.memory import MemoryStore
from tests.chaos.lives import Lives
from tests.store.conftest import server as server

TABLES = ("runs", "deliveries", "inbox", "outbox")
_numbers = itertools.count()


@contextmanager
def emptied_sqlite(folder: Path) -> Iterator[Callable[[], Any]]:
    """Yield what gives a SQLite store that holds nothing."""
    path = folder / "runs.db"
    with closing(open_store(f"sqlite:///{path}?synchronous=NORMAL")) as store:  # type: ignore[type-var]

        def emptied() -> Any:
            store.migrate()  # type: ignore[attr-defined]
            with closing(sqlite3.connect(path)) as connection, connection:
                for table in TABLES:
                    connection.execute(f"DELETE FROM {table}")
            return store

        yield emptied


@contextmanager
def emptied_postgres(url: str) -> Iterator[Callable[[], Any]]:
    """Yield what gives a Postgres store that holds nothing."""
    import psycopg

    schema = f"lives_{next(_numbers)}"
    names = ", ".join(f"{schema}.{table}" for table in TABLES)
    with (
        closing(psycopg.connect(url, autocommit=True)) as connection,
        closing(open_store(f"{url}?schema={schema}")) as store,  # type: ignore[type-var]
    ):

        def emptied() -> Any:
            store.migrate()  # type: ignore[attr-defined]
            connection.execute(f"TRUNCATE {names} CASCADE".encode())
            return store

        yield emptied


def lead(store: Callable[[], Any], part: float) -> None:
    """Lead lives on stores; a part of as many as there are on the quickest one."""
    most = max(1, round(settings().max_examples * part))
    run_state_machine_as_test(
        lambda: Lives(store()), settings=settings(max_examples=most, stateful_step_count=20)
    )


def test_lives_in_memory():
    lead(MemoryStore, 1)


def test_lives_in_sqlite(tmp_path):
    with emptied_sqlite(tmp_path) as store:
        lead(store, 0.3)


def test_lives_in_postgres(server):
    pytest.importorskip("psycopg")
    with emptied_postgres(server.url()) as store:
        lead(store, 0.3)
