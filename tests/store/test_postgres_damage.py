"""A text on a disk of Postgres that is no text any more costs its own run, not those beside it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from longterm.errors import UnreadableRun
from longterm.store.base import Query
from longterm.testing._sample_runs import LATER, MINUTE, NOON, suspended_run
from tests.store.postgres_server import PostgresServer, binaries_or_skip

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402

MARK = b"a mark that is found in the file"


def test_a_text_that_is_no_utf_8_costs_its_own_run(caplog: pytest.LogCaptureFixture) -> None:
    binaries = binaries_or_skip()
    # Its own checksums, of pages, would refuse all runs of the page.
    server = PostgresServer(binaries, initdb=("--no-data-checksums",))
    try:
        due = replace(suspended_run(), deadline=NOON)
        with PostgresStore(server.url()) as store:
            for run_id in ("a", "c", "d"):
                store.create(replace(due, id=run_id))
            store.create(replace(due, id="b", delivery=MARK.decode()))
        with psycopg.connect(server.url()) as connection:
            ((place,),) = connection.execute("SELECT pg_relation_filepath('longterm.runs')")
        server.stop("fast")
        file = server.folder / "data" / place
        content = file.read_bytes()
        assert content.count(MARK) == 1
        file.write_bytes(content.replace(MARK, b"\xff" + MARK[1:]))
        server.start()

        with PostgresStore(server.url()) as store, caplog.at_level(logging.WARNING, "longterm"):
            with pytest.raises(UnreadableRun, match=r"run 'b' .* a text in it is not valid UTF-8"):
                store.get("b")
            assert [run.id for run in store.find(Query())] == ["a", "c", "d"]
            claimed = store.claim_due(now=NOON + MINUTE, until=LATER, limit=9)
            assert sorted(run.id for run in claimed) == ["a", "c", "d"]
            assert store.claim_due(now=NOON + MINUTE, until=LATER, limit=9) == []
            state = store._database.execute(
                "SELECT state FROM longterm.runs WHERE id = 'b'", (), "ask"
            )
        assert state.rows == [("failed",)]
        assert caplog.text.count("run 'b'") == 1
    finally:
        server.remove()
