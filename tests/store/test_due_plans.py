"""Whoever asks for the due runs of its flows reads an index in order, however many they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from longterm.store.sqlite import SQLiteStore
from longterm.store.sqlite import _inbox as sqlite_inbox
from longterm.store.sqlite import _store as sqlite_store
from tests.store.postgres_server import PostgresServer

LEFT_OUT = [f"app.flows:flow{number}@3f2a9c04:1" for number in range(100)]
FLOWS = [f"app.flows:flow{number}" for number in range(500)]
ROWS = [
    (f"r{number:05}", f"{'app' if number > 4900 else 'old'}.flows:flow{number % 300}", number)
    for number in range(5000)
]


def test_sqlite_reads_the_due_runs_of_many_flows_in_order(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    SQLiteStore(path).migrate()
    those, names = sqlite_inbox.those_to_claim(FLOWS, LEFT_OUT)

    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute(
            f"EXPLAIN QUERY PLAN {sqlite_store._CLAIM_DUE.format(those=those)}",
            (1, "2026-01-01T01:00:00.000000Z", "2026-01-01T00:00:00.000000Z", *names, 8),
        ).fetchall()

    plan = [step[-1] for step in steps]
    assert any("USING INDEX runs_due (deadline<?)" in step for step in plan), plan
    assert not any("TEMP B-TREE FOR ORDER" in step for step in plan), plan


@pytest.mark.parametrize("deadline", ["2026-01-01 00:00Z", "2027-01-01 00:00Z"])
def test_postgres_reads_the_due_runs_of_many_flows_in_order(
    server: PostgresServer, fresh_database: Callable[..., str], deadline: str
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._statements import due

    those, names = due.those_to_claim(FLOWS, LEFT_OUT)
    url = server.url(fresh_database())
    with closing(PostgresStore(url)) as store:
        store.migrate()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO longterm.runs (id, flow, turn, state, deadline, attempts, facts)"
                " VALUES (%s, %s, 1, 'suspended',"
                " '2026-06-01 00:00Z'::timestamptz + %s * interval '1 s', 0, '{}')",
                ROWS,
            )
        connection.execute("ANALYZE longterm.runs")
        steps = connection.execute(
            f"EXPLAIN {due.DUE_OF_ANY} {those} {due._LOCK_DUE}",
            (deadline, *names, 8),
        ).fetchall()

    plan = [step for (step,) in steps]
    assert any("Index Scan using runs_due" in step for step in plan), plan
    assert not any("Sort" in step or "Seq Scan" in step for step in plan), plan


def test_sqlite_reads_the_runs_that_can_go_on_in_order(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    SQLiteStore(path).migrate()
    those, names = sqlite_inbox.those_to_claim(FLOWS, LEFT_OUT)

    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute(
            f"EXPLAIN QUERY PLAN {sqlite_inbox._CLAIM.format(those=those)}",
            (1, "2026-01-01T01:00:00.000000Z", *names, 8),
        ).fetchall()

    plan = [step[-1] for step in steps]
    assert any("USING INDEX runs_unread" in step for step in plan), plan
    assert not any("TEMP B-TREE FOR ORDER" in step for step in plan), plan


@pytest.mark.parametrize("unread", ["", "early\n", "answer\n"])
def test_postgres_reads_the_runs_that_can_go_on_in_order(
    server: PostgresServer, fresh_database: Callable[..., str], unread: str
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._statements import due

    those, names = due.those_to_claim(FLOWS, LEFT_OUT)
    url = server.url(fresh_database())
    with closing(PostgresStore(url)) as store:
        store.migrate()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO longterm.runs"
                " (id, flow, turn, state, waiting_for, unread, updated_at, attempts, facts)"
                " VALUES (%s, %s, 1, 'suspended', 'answer', %s,"
                " '2026-06-01 00:00Z'::timestamptz + %s * interval '1 s', 0, '{}')",
                [(run_id, flow, unread, number) for run_id, flow, number in ROWS],
            )
        connection.execute("ANALYZE longterm.runs")
        steps = connection.execute(
            f"EXPLAIN {due.ABLE_OF_ANY} {those} {due._LOCK_ABLE}", (*names, 8)
        ).fetchall()

    plan = [step for (step,) in steps]
    assert any("Index Scan using runs_unread" in step for step in plan), plan
    assert not any("Sort" in step or "Seq Scan" in step for step in plan), plan
