"""A claim from a queue costs the same, however many runs wait there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longterm.store.queues import Queue
from longterm.store.sqlite import SQLiteStore
from longterm.store.sqlite import _queues as sqlite_queues
from longterm.store.sqlite._inbox import those_to_claim
from longterm.testing._sample_runs import LATER, NOON
from tests.store.postgres_server import PostgresServer

LIMITS = [
    Queue(name="mail"),
    Queue(name="mail", concurrency=50),
    Queue(name="mail", per_partition=3, rate=(1000, timedelta(hours=1))),
]


@pytest.mark.parametrize("is_analyzed", [True, False])
@pytest.mark.parametrize("queue", LIMITS, ids=["unlimited", "concurrency", "partition-and-rate"])
def test_postgres_reads_as_few_pages_among_many_runs_as_among_few(
    server: PostgresServer,
    fresh_database: Callable[..., str],
    queue: Queue,
    is_analyzed: bool,
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore

    url = server.url(fresh_database())
    with closing(PostgresStore(url)) as store:
        store.declare_queue(queue)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        pages = []
        for begin, end in ((0, 2_000), (2_000, 30_000)):
            connection.execute(
                "INSERT INTO longterm.runs (id, flow, turn, state, waiting_for, attempts, facts,"
                " queue, partition, queued_at) SELECT 'r' || n, 'm:f', 1, 'suspended', 'e', 0,"
                " '{}', 'mail', 't' || n %% 40, %s::timestamptz + n * interval '1 ms'"
                " FROM generate_series(%s::integer, %s - 1) AS n",
                (NOON, begin, end),
            )
            if is_analyzed:
                connection.execute("ANALYZE longterm.runs")
            claimed(connection)  # what is read once for a session
            pages.append(claimed(connection))

    few, many = pages
    assert many < 1.5 * few + 50, pages


def claimed(connection: Any) -> int:
    """Claim five runs as a worker would; return how many pages that has read."""
    ((found,),) = connection.execute(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
        " SELECT * FROM longterm.claim_queued(%s, %s, 5, %s, NULL, NULL, 1)",
        (NOON + timedelta(hours=1), LATER, ["m:f"]),
    ).fetchall()
    plan = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
    assert plan["Actual Rows"] == 5
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        (sqlite_queues._NEXT_PARTITION, ("mail", "t1"), "runs_queued (queue=? AND partition>?)"),
        (
            sqlite_queues._TAKE.format(those=those_to_claim([], ["m:f@1:1"])[0]),
            (1, "2026-01-01T01:00:00.000000Z", "mail", "t1", "[]", "[]"),
            "runs_queued (queue=? AND partition=? ",
        ),
        (
            sqlite_queues._HELD_OF_PARTITION,
            ("mail", "t1"),
            "runs_in_slots (queue=? AND partition=?)",
        ),
        (
            sqlite_queues._BEGIN_TO_WAIT,
            ("2026-01-01T01:00:00.000000Z",),
            "runs_delayed (deadline<?)",
        ),
    ],
    ids=["next", "take", "held", "begin"],
)
def test_sqlite_goes_by_an_index_in_its_order(
    tmp_path: Path, statement: str, parameters: tuple[object, ...], index: str
) -> None:
    path = tmp_path / "runs.db"
    SQLiteStore(path).migrate()
    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()

    plan = [step[-1] for step in steps]
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE FOR ORDER" in step for step in plan), plan
