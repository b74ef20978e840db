"""What a turn costs in the SQLite store: claim and save, against `sqlite3` used bare.

`python tests/benchmarks/bench_store.py [--turns N] [--folder F]` prints medians and ratios as a
table and as one line of JSON. Both sides do the same two transactions on files of their own, one
turn each in alternation, so that a busy machine harms both alike. The first interleaved pair is
FULL, the second NORMAL; a third compares FULL with a bare claim that does not wait for the disk.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from longterm.run import Run, RunState
from longterm.store.sqlite import SQLiteStore

RUNS = 1_000
STACK = bytes(range(256)) * 4

_COLUMNS = "id, flow, state, turn, waiting_for, stack, response, result, error"
_CLAIM = (
    "UPDATE runs SET state = 'running', turn = turn + 1"
    f" WHERE id = ? AND waiting_for = ? AND state = 'suspended' RETURNING {_COLUMNS}"
)
_SAVE = (
    "UPDATE runs SET state = ?, waiting_for = ?, stack = ?, response = ?, result = ?, error = ?"
    " WHERE id = ? AND turn = ? AND state = 'running'"
)


def store_turn(store: SQLiteStore) -> Callable[[str], None]:
    """Return what one turn asks of the store."""

    def turn(run_id: str) -> None:
        claimed = store.unsuspend(run_id, "number")
        assert claimed is not None
        store.update(replace(claimed, state=RunState.SUSPENDED))

    return turn


def bare_turn(
    connection: sqlite3.Connection, synchronous: str, *, lazy: bool
) -> Callable[[str], None]:
    """Return the same two transactions without a store; a lazy claim does not wait for the disk."""
    connection.execute(f"PRAGMA synchronous = {synchronous}")

    def turn(run_id: str) -> None:
        if lazy:
            connection.execute("PRAGMA synchronous = NORMAL")
        ((_, _, _, turn, event_id, stack, response, result, error),) = connection.execute(
            _CLAIM, (run_id, "number")
        ).fetchall()
        if lazy:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(
            _SAVE, ("suspended", event_id, stack, response, result, error, run_id, turn)
        )

    return turn


def prepare(path: Path) -> None:
    """Fill a file with suspended runs."""
    with SQLiteStore(path, synchronous="NORMAL") as store:
        for number in range(RUNS):
            store.create(
                Run(
                    id=f"run {number}",
                    flow="shop.orders:greet",
                    state=RunState.SUSPENDED,
                    waiting_for="number",
                    stack=STACK,
                )
            )


def compare(folder: Path, synchronous: str, turns: int, *, lazy: bool) -> dict[str, object]:
    """Time both sides in alternation; return medians in microseconds and their ratio."""
    with ExitStack() as opened:
        for name in ("store", "bare"):
            prepare(folder / f"{name}.db")
        store = opened.enter_context(SQLiteStore(folder / "store.db", synchronous=synchronous))
        connection = opened.enter_context(
            closing(sqlite3.connect(folder / "bare.db", isolation_level=None))
        )
        sides = [store_turn(store), bare_turn(connection, synchronous, lazy=lazy)]
        seconds: list[list[float]] = [[], []]
        for number in range(turns + 50):
            # Who goes first changes, so that neither always pays for what the other left behind.
            for side in ((0, 1), (1, 0))[number % 2]:
                start = time.perf_counter()
                sides[side](f"run {number * 7 % RUNS}")
                seconds[side].append(time.perf_counter() - start)
    ours, bare = (statistics.median(side[50:]) * 1e6 for side in seconds)
    return {
        "synchronous": synchronous,
        "bare": "claim not synced" if lazy else "both synced" if synchronous == "FULL" else "same",
        "store_us": round(ours, 1),
        "bare_us": round(bare, 1),
        "ratio": round(ours / bare, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--folder", help="where the files go: a disk whose syncs are to be timed")
    options = parser.parse_args()
    rows = []
    for synchronous, lazy in (("FULL", False), ("NORMAL", False), ("FULL", True)):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows.append(compare(Path(folder), synchronous, options.turns, lazy=lazy))
    print(f"{'synchronous':<12}{'bare sqlite3':<18}{'store us':>10}{'bare us':>10}{'ratio':>8}")
    for row in rows:
        print(
            f"{row['synchronous']:<12}{row['bare']:<18}"
            f"{row['store_us']:>10}{row['bare_us']:>10}{row['ratio']:>8}"
        )
    print(json.dumps({"benchmark": "store", "turns": options.turns, "rows": rows}))


if __name__ == "__main__":
    main()
