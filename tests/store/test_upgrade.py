"""A database that longterm 0.1 has made is brought up to date, and its runs go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longterm.errors import StoreError
from longterm.run import RunState
from longterm.store import open_store
from longterm.store.base import Query
from longterm.testing._inbox_contract import letter
from longterm.testing._sample_runs import LATER, NOON, claim, full_run, plain

COLUMNS_OF_0_1 = (
    "id, flow, turn, state, waiting_for, deadline, claimed_until, attempts, delivery, stack,"
    " response, result, error, facts, created_at, updated_at"
)

RUN_OF_0_1 = replace(
    full_run(),
    saved_turn=None,
    parent=None,
    children=(),
    wants=None,
    position=None,
    traceparent=None,
)


BEFORE_INBOX_SQLITE = [
    "DROP TRIGGER history_of_deleted_run",
    "DROP TABLE history",
    "DROP TRIGGER progress_of_deleted_run",
    "DROP TABLE progress",
    "DROP TABLE versions",
    "DROP TABLE shard",
    "ALTER TABLE runs DROP COLUMN position",
    "DROP TABLE queues",
    "DROP INDEX runs_queued",
    "DROP INDEX runs_in_slots",
    "DROP INDEX runs_delayed",
    "ALTER TABLE runs DROP COLUMN queue",
    "ALTER TABLE runs DROP COLUMN partition",
    "ALTER TABLE runs DROP COLUMN queued_at",
    "DROP TABLE outbox",
    "ALTER TABLE runs DROP COLUMN details",
    "DROP TRIGGER checksum_of_older_writer",
    "DROP TRIGGER inbox_of_deleted_run",
    "DROP INDEX runs_unread",
    "DROP TABLE inbox",
    "ALTER TABLE runs DROP COLUMN unread",
    "ALTER TABLE runs DROP COLUMN posted",
    "PRAGMA user_version = 6",
]
BEFORE_INBOX_POSTGRES = [
    "DROP TABLE longterm.ended_runs, longterm.ended_facts",
    "DROP FUNCTION longterm.keeps_by_month, longterm.make_month, longterm.move_ended,"
    " longterm.months_before, longterm.drop_month, longterm.forget_ended_facts",
    "DROP STATISTICS longterm.runs_of_several",
    "DROP TABLE longterm.claims",
    "DROP FUNCTION longterm.note_older_writer CASCADE",
    "ALTER TABLE longterm.runs DROP COLUMN slot, DROP COLUMN able_since, DROP COLUMN ended,"
    " DROP COLUMN ended_at",
    "DROP FUNCTION longterm.forget_history CASCADE",
    "DROP TABLE longterm.history",
    "DROP FUNCTION longterm.forget_progress CASCADE",
    "DROP TABLE longterm.progress",
    "DROP TABLE longterm.versions",
    "DROP TABLE longterm.shard",
    "ALTER TABLE longterm.runs DROP COLUMN position",
    "DROP TABLE longterm.queues CASCADE",
    "DROP FUNCTION longterm.claim_queued",
    "ALTER TABLE longterm.runs DROP COLUMN queue, DROP COLUMN partition, DROP COLUMN queued_at",
    "DROP TABLE longterm.outbox",
    "ALTER TABLE longterm.runs DROP COLUMN details",
    "DROP INDEX longterm.runs_by_event",
    "CREATE INDEX runs_by_event ON longterm.runs (waiting_for, id)"
    " WHERE waiting_for IS NOT NULL AND state <> 'running'",
    "DROP TABLE longterm.inbox",
    "DROP FUNCTION longterm.forget_inbox CASCADE",
    "ALTER TABLE longterm.runs DROP COLUMN unread, DROP COLUMN posted",
    "DELETE FROM longterm.migrations WHERE version > 6",
]


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Callable[[str], Any]]:
    """The URL of a store that 0.1 has made, with a run in it, and what asks the database."""
    if request.param == "sqlite":
        path = tmp_path / "runs.db"
        url = f"sqlite:///{path}"

        def ask(*statements: str) -> list[Any]:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                return [connection.execute(statement).fetchall() for statement in statements]

        undo = [
            *BEFORE_INBOX_SQLITE,
            "DROP TRIGGER deliveries_of_deleted_run",
            "DROP TABLE deliveries",
            "DROP INDEX runs_by_events",
            "ALTER TABLE runs DROP COLUMN checksum",
            "ALTER TABLE runs DROP COLUMN saved_turn",
            "ALTER TABLE runs DROP COLUMN claim",
            "PRAGMA user_version = 1",
        ]
    else:
        psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: no psycopg")
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())

        def ask(*statements: str) -> list[Any]:
            with psycopg.connect(url, autocommit=True) as connection:
                answers = [connection.execute(statement) for statement in statements]
                return [answer.fetchall() if answer.description else [] for answer in answers]

        undo = [
            *BEFORE_INBOX_POSTGRES,
            "DROP TABLE longterm.deliveries",
            "DROP FUNCTION longterm.forget_deliveries CASCADE",
            "DROP INDEX longterm.runs_by_events",
            "ALTER TABLE longterm.runs DROP COLUMN checksum",
            "ALTER TABLE longterm.runs DROP COLUMN saved_turn",
            "ALTER TABLE longterm.runs DROP COLUMN claim",
            "DELETE FROM longterm.migrations WHERE version > 1",
        ]
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.create(RUN_OF_0_1)
    ask(*undo)
    return url, ask


def test_runs_of_0_1_are_read_and_saved_with_a_checksum(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    runs = "runs" if url.startswith("sqlite") else "longterm.runs"
    with open_store(url) as store:  # type: ignore[attr-defined]
        assert plain(store.get("r1")) == plain(RUN_OF_0_1)
        assert ask(f"SELECT checksum FROM {runs}") == [[(None,)]]

        made = replace(claim(store), state=RunState.COMPLETE, saved_turn=8, encoded_result=b"done")
        store.update(made)

        assert store.get("r1") == made
        ask(f"UPDATE {runs} SET attempts = 7")
        with pytest.raises(StoreError, match="its checksum does not match"):
            store.get("r1")


def test_runs_of_0_1_take_events_before_they_wait_for_them(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, _ = old
    with open_store(url) as store:  # type: ignore[attr-defined]
        assert store.get("r1").unread == ()
        assert store.post(letter("number", "a"), limit=9) == 1
        assert store.get("r1").next_unread == "number"


def test_runs_of_the_schema_before_keep_their_keys_and_take_events(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    with open_store(url) as store:  # type: ignore[attr-defined]
        claimed = store.claim_for_key("r1", "number", "a", now=NOON, until=NOON)
        store.update(claimed.changed(state=RunState.SUSPENDED, delivery="a", delivery_digest="d"))
    ask(*(BEFORE_INBOX_SQLITE if url.startswith("sqlite") else BEFORE_INBOX_POSTGRES))
    with open_store(url) as store:  # type: ignore[attr-defined]
        assert store.post(letter("number", "a"), limit=9) is None
        assert store.post(letter("number", "b"), limit=9) == 1
        assert store.get("r1").next_unread == "number"


def test_an_older_longterm_that_still_has_it_open_can_add_runs(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    runs = "runs" if url.startswith("sqlite") else "longterm.runs"
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.get("r1")
        values = COLUMNS_OF_0_1.replace("id,", "'r2',", 1)
        ask(f"INSERT INTO {runs} ({COLUMNS_OF_0_1}) SELECT {values} FROM {runs}")

        assert plain(store.get("r2")) == plain(replace(RUN_OF_0_1, id="r2"))


SAVE_OF_0_1 = (
    "UPDATE {} SET state = 'suspended', attempts = 0, delivery = 'k', stack = {}, error = NULL,"
    " claimed_until = NULL WHERE id = 'r1' AND turn = 8 AND state = 'running'"
)
RELEASE_OF_0_1 = (
    "UPDATE {} SET claimed_until = NULL, attempts = attempts + 1, state = 'suspended'"
    " WHERE id = 'r1' AND state = 'running'"
)


@pytest.mark.parametrize("statement", [SAVE_OF_0_1, RELEASE_OF_0_1])
def test_an_older_longterm_that_still_has_it_open_can_go_on_with_runs_of_today(
    old: tuple[str, Callable[[str], Any]], statement: str
) -> None:
    url, ask = old
    runs, stack = ("runs", "X'01'") if url.startswith("sqlite") else ("longterm.runs", "'\\x01'")
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.update(claim(store).changed(state=RunState.SUSPENDED, saved_turn=8))
        ask(f"UPDATE {runs} SET state = 'running' WHERE id = 'r1'")

        ask(statement.format(runs, stack))

        saved = store.get("r1")
        assert (saved.state, saved.turn) == (RunState.SUSPENDED, 8)
        made = claim(store).changed(state=RunState.COMPLETE, saved_turn=9)
        store.update(made)
        assert store.get("r1") == made
        assert ask(f"SELECT checksum IS NOT NULL FROM {runs}") in ([[(1,)]], [[(True,)]])


def test_what_was_running_when_the_schema_changed_is_let_go_of(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    with open_store(url) as store:  # type: ignore[attr-defined]
        claim(store)
    ask(*(BEFORE_INBOX_SQLITE if url.startswith("sqlite") else BEFORE_INBOX_POSTGRES))
    with open_store(url) as store:  # type: ignore[attr-defined]
        (run,) = store.find(Query(state=RunState.RUNNING))
        assert [run.turn] == [r.turn for r in store.release_stale(now=LATER, max_attempts=5)]


CLAIM_OF_0_1 = (
    "UPDATE {} SET state = 'running', turn = turn + 1, claimed_until = '2026-11-24T12:00:00Z'"
    " WHERE id = 'r1' AND state = 'suspended'"
)


def test_what_an_older_longterm_claims_is_found_and_let_go_of(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    with open_store(url) as store:  # type: ignore[attr-defined]
        store.get("r1")
        ask(CLAIM_OF_0_1.format("runs" if url.startswith("sqlite") else "longterm.runs"))

        assert [run.id for run in store.find(Query(state=RunState.RUNNING))] == ["r1"]
        assert [run.id for run in store.release_stale(now=LATER, max_attempts=5)] == ["r1"]
        assert store.find(Query(state=RunState.RUNNING)) == []


END_OF_0_1 = "UPDATE {} SET state = 'complete', waiting_for = NULL WHERE id = 'r1'"


def test_what_an_older_longterm_ends_is_moved_to_its_month(
    old: tuple[str, Callable[[str], Any]],
) -> None:
    url, ask = old
    if url.startswith("sqlite"):
        pytest.skip("SQLite keeps nothing by month")
    with open_store(url) as store:  # type: ignore[attr-defined]
        assert store.keep_by_month()
        ask(END_OF_0_1.format("longterm.runs"))

        assert store.move_ended(limit=9) == 1

        assert ask("SELECT id FROM longterm.runs", "SELECT id FROM longterm.ended_runs") == [
            [],
            [("r1",)],
        ]
        assert store.get("r1").state is RunState.COMPLETE
