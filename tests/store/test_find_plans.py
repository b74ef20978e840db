"""A rare event is found by an index, also where a million runs wait for it among others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

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
            connection.execute("ANALYZE longterm.runs")
            steps = connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
        runs = store.find(Query(waiting_for=event_id))

    plan = [step for (step,) in steps]
    assert any(step.split(" using ")[-1].startswith(f"{index} ") for step in plan) or any(
        f"Bitmap Index Scan on {index} " in step for step in plan
    ), plan
    assert not any("Seq Scan" in step for step in plan), plan
    assert [run.id for run in runs] == found
