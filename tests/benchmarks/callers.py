"""Many callers: events and starts a second on one SQLite file, and events on a Postgres server.

On SQLite each save waits for the disk, and saves of several callers share a transaction and its
wait; the floor is one caller with a bare transaction for each event. On Postgres each caller has a
session; see `postgres_callers`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from longterm import Engine
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks import postgres_callers
from tests.benchmarks.floors import RUNS, BareSQLite
from tests.benchmarks.flows import EVENT, PADDING, async_survey, survey
from tests.benchmarks.measuring import Row, Samples, in_turn, rows_of

Calls: TypeAlias = Callable[[int], Any]
"""Makes one call, whose number says for which run; an asynchronous one returns what to await."""

CALLERS = (1, 4, 16)
QUICK, FULL = (2, 160), (11, 480)
"""How many repeats, and calls in each."""
FLOOR = "bare, one transaction, one caller"


def measure(quick: bool) -> list[Row]:
    """Return the rates of all entries and numbers of callers."""
    repeats, count = QUICK if quick else FULL
    with (
        tempfile.TemporaryDirectory() as folder,
        BareSQLite(Path(folder, "bare.db"), "FULL").fill() as bare,
        SQLiteStore(Path(folder, "runs.db"), synchronous="FULL") as store,
    ):
        return [
            *compare("events", event_makers(Engine(store)), bare, repeats, count),
            *compare("starts", start_makers(Engine(store)), bare, repeats, count),
            *postgres_callers.measure(quick),
        ]


def event_makers(engine: Engine) -> dict[str, Calls]:
    """Return for each entry what brings a run its next event; each caller has runs of its own."""
    plain = [engine.start_flow(survey, PADDING).id for _ in range(RUNS)]
    asynchronous = asyncio.run(started(engine))
    return {
        "threads": lambda number: engine.process_event(plain[number % RUNS], "number", EVENT),
        "asyncio, plain flow": lambda number: engine.aprocess_event(
            plain[number % RUNS], "number", EVENT
        ),
        "asyncio, async flow": lambda number: engine.aprocess_event(
            asynchronous[number % RUNS], "number", EVENT
        ),
    }


async def started(engine: Engine) -> list[str]:
    """Return the ids of runs of the asynchronous flow."""
    return [(await engine.astart_flow(async_survey, PADDING)).id for _ in range(RUNS)]


def start_makers(engine: Engine) -> dict[str, Calls]:
    """Return for each entry what starts a run."""
    return {
        "threads": lambda number: engine.start_flow(survey, PADDING),
        "asyncio, plain flow": lambda number: engine.astart_flow(survey, PADDING),
        "asyncio, async flow": lambda number: engine.astart_flow(async_survey, PADDING),
    }


def compare(
    what: str, makers: dict[str, Calls], bare: BareSQLite, repeats: int, count: int
) -> list[Row]:
    """Let the floor, and all numbers of callers of all entries, take turns; return their rates."""
    variants: dict[str, Callable[[], None]] = {FLOOR: lambda: alone(bare.one, count)}
    for name, call in makers.items():
        together = in_threads if name == "threads" else in_tasks
        for callers in CALLERS:
            variants[f"{name}, {callers}"] = partial(together, call, callers, count)
        if name == "threads" and hasattr(os, "sched_setaffinity"):
            most = f"threads, {CALLERS[-1]}"
            variants[f"{most}, on one processor"] = partial(on_one_processor, variants[most])
    samples: Samples = {name: [] for name in variants}
    for repeat in range(repeats + 1):
        for name in in_turn(list(variants), repeat):
            start = time.perf_counter()
            variants[name]()
            if repeat:
                samples[name].append(count / (time.perf_counter() - start))
    return rows_of(f"{what} a second", samples, bases=[FLOOR], unit="/s", scale=1)


def alone(call: Calls, count: int) -> None:
    """Make all calls one after the other."""
    for number in range(count):
        call(number)


def in_threads(call: Calls, callers: int, count: int) -> None:
    """Share the calls among threads."""

    def work(first: int) -> None:
        for number in range(first, count, callers):
            call(number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def on_one_processor(work: Callable[[], None]) -> None:
    """Do work whose threads share one processor, and so wait less for Python's own lock."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})
    try:
        work()
    finally:
        os.sched_setaffinity(0, processors)


def in_tasks(call: Calls, callers: int, count: int) -> None:
    """Share the calls among the tasks of one event loop."""

    async def work(first: int) -> None:
        for number in range(first, count, callers):
            await call(number)

    async def together() -> None:
        await asyncio.gather(*(work(first) for first in range(callers)))

    asyncio.run(together())
