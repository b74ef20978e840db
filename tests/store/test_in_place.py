"""A turn changes its run's row in the place where it is, and writes none of the indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from longterm import Engine, deflow, suspend
from tests.store.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402

CHANGED = {
    *("turn", "state", "attempts", "claimed_until", "claim", "delivery", "error", "updated_at"),
    *("saved_turn", "stack", "response", "position", "checksum", "posted"),
}
"""What a turn may change that goes on to wait for the same event."""


@deflow
def counts() -> Any:
    total = 0
    while True:
        total += suspend("number")


def test_no_index_names_what_a_turn_changes(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    url = server.url(fresh_database())
    with PostgresStore(url) as store:
        store.migrate()
    with psycopg.connect(url) as connection:
        named = connection.execute(
            "SELECT DISTINCT attname FROM pg_index JOIN pg_depend ON objid = indexrelid"
            " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
            " WHERE indrelid = 'longterm.runs'::regclass AND refobjid = indrelid"
        ).fetchall()

    assert ("flow",) in named
    assert CHANGED.isdisjoint(name for (name,) in named)


def test_turns_are_saved_in_place(
    server: PostgresServer, fresh_database: Callable[..., str]
) -> None:
    url = server.url(fresh_database())
    with PostgresStore(url) as store:
        engine = Engine(store)
        run = engine.start_flow(counts)
        begun = updates(url)
        for number in range(50):
            run = engine.process_event(run.id, "number", number)
        assert run.turn == 51
    changed, in_place = (now - before for now, before in zip(updates(url), begun, strict=True))

    assert changed >= 100
    assert in_place >= 0.9 * changed
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM longterm.claims").fetchall() == []


def updates(url: str) -> tuple[int, int]:
    """Return how many rows of runs were changed, and how many of them in place."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'runs'"
        ).fetchone()
    assert row is not None
    return row
