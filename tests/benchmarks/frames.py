"""What frames cost a turn: deep stacks of small ones, and one that holds much.

In memory, where nothing else is to be seen, and on a SQLite file, in NORMAL, since waiting for the
disk would hide it. The floors unpack, change and pack the same plain data. All depths are
interleaved with each other, and all sizes, so that what one more costs is a difference of one run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from longterm import Engine
from longterm.store.base import RunStore
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks.floors import BareSQLite, packed
from tests.benchmarks.flows import deep, events, rows_of_about, wide
from tests.benchmarks.measuring import Row, interleaved, rows_of

MEMORY, SQLITE = "in memory", "SQLite, NORMAL"
BARE = {MEMORY: "bare msgpack in a dict", SQLITE: "bare, one transaction"}
OURS = {MEMORY: "longterm in memory", SQLITE: "longterm on SQLite"}
DEPTHS = (1, 5, 50, 100, 500)
SIZES = {"1 kB": 1_000, "100 kB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}


def measure(quick: bool) -> list[Row]:
    """Return the rows of all depths and sizes, and what one frame or megabyte more costs."""
    stacks = {
        f"{depth} frame{'s' * (depth > 1)}": (
            (deep, depth),
            {"total": 0, "frames": [["flow", 1, 1, {"frames": n}] for n in range(depth)]},
        )
        for depth in DEPTHS
    }
    repeats, each = (3, 2) if quick else (30, 10)
    rows = table(stacks, "one frame more", DEPTHS[-1] - DEPTHS[0], "µs", repeats, each)
    # Made only now, since large data makes Python's garbage collector slow for everybody.
    data = {name: rows_of_about(size) for name, size in SIZES.items()}
    locals_ = {
        f"{name} in a local": ((wide, rows), {"total": 0, "rows": rows})
        for name, rows in data.items()
    }
    return rows + table(locals_, "1 MB more", 9, "ms", 2 if quick else 9, 1)


def table(
    cases: dict[str, tuple[Any, Any]], more: str, steps: int, unit: str, repeats: int, each: int
) -> list[Row]:
    """Measure turns in all cases; return their rows, and those of the last less the first."""
    sides: dict[str, Callable[[int], object]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        for number, (case, (call, state)) in enumerate(cases.items()):
            for name, turn in turns(call, state, Path(folder, str(number)), opened).items():
                sides[f"{case}: {name}"] = turn
        samples = interleaved(sides, repeats=repeats, each=each)
    for name in (*BARE.values(), *OURS.values()):
        first, *_, last = (samples[f"{case}: {name}"] for case in cases)
        samples[f"{more}: {name}"] = [(b - a) / steps for a, b in zip(first, last, strict=True)]
    rows: list[Row] = []
    for case in (*cases, more):
        for store in (MEMORY, SQLITE):
            both = {name: samples[f"{case}: {name}"] for name in (BARE[store], OURS[store])}
            rows += rows_of(case, both, bases=[BARE[store]], unit=unit)
    return rows


def turns(
    call: tuple[Any, Any], state: Any, path: Path, opened: ExitStack
) -> dict[str, Callable[[int], object]]:
    """Return the turns of one case: on both stores, each beside its floor."""
    flow, argument = call
    path.mkdir()
    bare = opened.enter_context(BareSQLite(path / "bare.db", "NORMAL", runs=1).fill(state))
    file = opened.enter_context(SQLiteStore(path / "runs.db", synchronous="NORMAL"))
    found: dict[str, Callable[[int], object]] = {
        BARE[MEMORY]: packed(state, runs=1),
        BARE[SQLITE]: bare.one,
    }
    stores: dict[str, RunStore] = {MEMORY: MemoryStore(), SQLITE: file}
    for name, store in stores.items():
        engine = Engine(store)
        found[OURS[name]] = events(engine, [engine.start_flow(flow, argument).id])
    return found
