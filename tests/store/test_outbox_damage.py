"""A message that is not what was sent costs itself, not those beside it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longterm.run import RunState
from longterm.store import open_store
from longterm.testing._outbox_contract import message
from longterm.testing._sample_runs import LATER, NOON, suspended_run
from tests.store.postgres_server import PostgresServer

DAMAGE = {
    "another name": "name = 'other'",
    "no kind": "kind = 'shout'",
    "another receiver": "receiver = 'r3'",
    "a key of another": "key = ''",
    "a checksum": "checksum = 0",
}


@pytest.fixture(params=["sqlite", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give the URL of a store, and what changes its outbox by hand."""
    if request.param == "sqlite":

        def change(what: str) -> None:
            with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
                connection.execute(f"UPDATE outbox SET {what} WHERE id = 'm2'")

        yield f"sqlite:///{tmp_path}/runs.db", change
        return
    psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")
    server: PostgresServer = request.getfixturevalue("server")
    url = server.url(request.getfixturevalue("fresh_database")())

    def change_there(what: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute(f"UPDATE longterm.outbox SET {what} WHERE id = 'm2'")

    yield url, change_there


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_others_are_found(
    place: tuple[str, Callable[..., Any]], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    url, change = place
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.create(suspended_run())
        claimed = store.unsuspend("r1", "number")
        sent = tuple(message(number) for number in (1, 2, 3))
        store.update(claimed.changed(state=RunState.SUSPENDED, outgoing=sent))
    change(DAMAGE[damage])

    with open_store(url) as store, caplog.at_level(logging.WARNING, "longterm"):  # type: ignore[attr-defined]
        found = store.claim_outgoing(now=NOON, until=LATER, limit=9)
        again = store.claim_outgoing(now=NOON + timedelta(minutes=1), until=LATER, limit=9)

    assert (found, again) == ([sent[0], sent[2]], [])
    assert caplog.text.count("message 'm2' of run 'r1' is not what was sent") == 1
