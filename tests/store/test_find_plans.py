"""Runs are found by an index: a rare event among a million, and a page from either end."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from longterm.run import RunState
from longterm.store.base import Query
from tests.store.postgres_server import PostgresServer

ROWS = (
    "INSERT INTO longterm.runs (id, flow, turn, state, attempts, facts, waiting_for)"
    " SELECT 'r' || n, 'm:f', 1, 'suspended', 0, '{}', {waiting_for}"
    " FROM generate_series(1, 20000) AS n"
)
SEVERAL = "E'approve\\nreject\\nno ' || n"
ALONE = "'no ' || n"
MANY = "(SELECT string_agg(n || ' of ' || m, E'\\n') FROM generate_series(1, 60) AS m)"


@pytest.mark.parametrize(
    ("waiting_for", "event_id", "found", "index"),
    [
        (SEVERAL, "no 777", ["r777"], "runs_by_events"),
        (SEVERAL, "no 0", [], "runs_by_events"),
        (SEVERAL, "approve\nreject\nno 777", ["r777"], "runs_by_event"),
        (ALONE, "no 777", ["r777"], "runs_by_event"),
        (ALONE, "no 0", [], "runs_by_event"),
        (MANY, "777 of 50", ["r777"], "runs_by_events"),
        (MANY, "\n".join(f"777 of {m}" for m in range(1, 61)), ["r777"], "runs_by_event"),
        (MANY, "\n".join(f"777 of {m}" for m in range(1, 60)), [], "runs_by_event"),
    ],
)
def test_postgres_finds_a_rare_event_by_its_index(
    server: PostgresServer,
    fresh_database: Callable[..., str],
    waiting_for: str,
    event_id: str,
    found: list[str],
    index: str,
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._find import find_statement

    url = server.url(fresh_database())
    statement, parameters = find_statement(Query(waiting_for=event_id))
    with closing(PostgresStore(url)) as store:
        store.migrate()
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(ROWS.replace("{waiting_for}", waiting_for))
            connection.execute("VACUUM ANALYZE longterm.runs")
            steps = connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
        runs = store.find(Query(waiting_for=event_id))

    plan = [step for (step,) in steps]
    assert any(step.split(" using ")[-1].startswith(f"{index} ") for step in plan) or any(
        f"Bitmap Index Scan on {index} " in step for step in plan
    ), plan
    assert not any("Seq Scan" in step for step in plan), plan
    assert [run.id for run in runs] == found


PAGES = [
    Query(),
    Query(state=RunState.SUSPENDED),
    Query(state=RunState.COMPLETE),
    Query(state=RunState.RUNNING),
    Query(flow="m:f"),
    Query(flow="m:f", state=RunState.SUSPENDED),
    Query(waiting_for="approve"),
    Query(waiting_for="approve", flow="m:f"),
    Query(to="boss"),
    Query(to="boss", flow="m:f"),
]


MIXED = (
    "INSERT INTO longterm.runs (id, flow, turn, state, attempts, facts, waiting_for)"
    " SELECT 'r' || n, 'm:' || CASE WHEN n % 3 = 0 THEN 'g' ELSE 'f' END, 1, state, 0,"
    " ARRAY['%to=\"boss\"'],"
    " CASE WHEN state IN ('suspended', 'running') THEN 'approve' END"
    " FROM (SELECT n, CASE WHEN n % 5 = 0 THEN 'complete' WHEN n % 99 = 1 THEN 'running'"
    " ELSE 'suspended' END AS state FROM generate_series(1, 20000) AS n) AS several"
)


@pytest.mark.parametrize("months", [0, 3])
def test_postgres_reads_a_page_from_either_end_and_no_more(
    server: PostgresServer, fresh_database: Callable[..., str], months: int
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._find import find_statement

    url = server.url(fresh_database())
    with closing(PostgresStore(url)) as store:
        store.migrate()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(MIXED)
        if months:  # what has ended is moved
            connection.execute(
                "UPDATE longterm.runs SET ended_at = timestamptz '2026-10-09Z'"
                " - length(id) %% %s * interval '1 month' WHERE ended = 'complete'",
                [months],
            )
            with closing(PostgresStore(url)) as store:
                assert store.keep_by_month()
                assert store.move_ended(limit=9_999) == 4_000
        connection.execute("ANALYZE")
        for query, newest_first in product(PAGES, (False, True)):
            page = replace(query, limit=50, after="r5", newest_first=newest_first)
            statement, parameters = find_statement(page)
            explained = connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
            ).fetchone()
            assert explained is not None
            nodes = list(nodes_of(explained[0][0]["Plan"]))
            whole = {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"}
            assert whole <= {"claims"}, page  # as many as are running
            assert sum(map(rows_of, nodes)) < 1_000, (page, nodes)


def test_postgres_reads_few_rows_for_an_event_that_none_waits_for(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._find import find_statement

    url = server.url(fresh_database())
    with closing(PostgresStore(url)) as store:
        store.migrate()
    statement, parameters = find_statement(Query(waiting_for="nobody", limit=1))
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(ROWS.replace("{waiting_for}", ALONE))  # so none waits for several
        connection.execute("VACUUM ANALYZE longterm.runs")
        explained = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        nodes = [node for (plan,) in explained.fetchall() for node in nodes_of(plan[0]["Plan"])]

    assert sum(map(rows_of, nodes)) == 0, nodes


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


def rows_of(node: dict[str, Any]) -> float:
    """Return how many rows a node has looked at."""
    seen: float = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return seen * node["Actual Loops"]


def test_sqlite_reads_a_page_from_either_end_in_the_order_of_an_index(tmp_path: Path) -> None:
    from longterm.store.sqlite import SQLiteStore
    from longterm.store.sqlite._find import find_statement

    path = tmp_path / "runs.db"
    with closing(SQLiteStore(path)) as store:
        store.migrate()
    with closing(sqlite3.connect(path)) as connection:
        for query in PAGES:
            oldest, newest = (
                [step[-1] for step in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
                for text, values in (
                    find_statement(replace(query, after="r5", newest_first=newest_first))
                    for newest_first in (False, True)
                )
            )
            assert not any(step.startswith("SCAN runs") for step in oldest), oldest
            assert newest == [re.sub("(id|run)>", r"\1<", step) for step in oldest]
