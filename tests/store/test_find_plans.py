"""A rare event is found by an index, also where a million runs wait for it among others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from longterm.store.base import Query
from tests.store.postgres_server import PostgresServer

ROWS = (
    "INSERT INTO longterm.runs (id, flow, turn, state, attempts, facts, waiting_for)"
    " SELECT 'r' || n, 'm:f', 1, 'suspended', 0, '{}', E'approve\\nreject\\nno ' || n"
    " FROM generate_series(1, 20000) AS n"
)


@pytest.mark.parametrize(("event_id", "found"), [("no 777", ["r777"]), ("no 0", [])])
def test_postgres_finds_a_rare_event_of_several_by_its_index(
    server: PostgresServer, fresh_database: Callable[..., str], event_id: str, found: list[str]
) -> None:
    import psycopg

    from longterm.store.postgres import PostgresStore
    from longterm.store.postgres._find import find_statement

    url = server.url(fresh_database())
    statement, parameters = find_statement(Query(waiting_for=event_id))
    with closing(PostgresStore(url)) as store:
        store.migrate()
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(ROWS)
            connection.execute("ANALYZE longterm.runs")
            steps = connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
        runs = store.find(Query(waiting_for=event_id))

    plan = [step for (step,) in steps]
    assert any("Bitmap Index Scan on runs_by_events" in step for step in plan), plan
    assert not any("Seq Scan" in step for step in plan), plan
    assert [run.id for run in runs] == found
