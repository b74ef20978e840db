"""What waits and children cost, beside a bare turn and beside an event of `process_event`.

What a turn does several times is measured in turns that do it so often, less turns that do not, of
the same repeat. Each store has a run of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from longterm import Engine
from longterm.store.base import RunStore
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks.floors import BarePostgres, BareSQLite, packed
from tests.benchmarks.flows import (
    EVENT,
    PADDING,
    events,
    gathering,
    polling,
    saving,
    spawning,
    survey,
)
from tests.benchmarks.measuring import Row, Samples, interleaved, rows_of, skipped
from tests.store.postgres_server import PostgresServer, find_binaries

Turn: TypeAlias = Callable[[int], object]

BARE: Final = "bare, claim and save"
BARE_IN_MEMORY: Final = "bare msgpack in a dict"
EVENT_NAME: Final = "process_event"
_TIMES: Final = 5
"""How often a turn does what is measured by the difference."""
_CHILDREN: Final = 100
_RUNS: Final = 20
_WARM_UP: Final = 40
"""Turns of each before they are measured, so that files have grown."""


def measure(quick: bool) -> list[Row]:
    """Return the rows of all stores."""
    rows = measured("in memory", MemoryStore(), {BARE_IN_MEMORY: packed()}, quick)
    for synchronous in ("NORMAL", "FULL"):
        with sqlite(synchronous) as (store, bare):
            rows += measured(f"SQLite, {synchronous}", store, {BARE: bare}, quick)
    group = "Postgres, fsync on"
    if find_binaries() is None:
        why = "its binaries are missing (pip install '.[postgres]' --group test-postgres)"
        return rows + skipped(group, why)
    with postgres() as (store, bare):
        return rows + measured(group, store, {BARE: bare}, quick)


@contextmanager
def sqlite(synchronous: str) -> Iterator[tuple[RunStore, Turn]]:
    """Open a store in a file, and a floor in another."""
    with (
        tempfile.TemporaryDirectory() as folder,
        BareSQLite(Path(folder, "bare.db"), synchronous).fill() as bare,
        SQLiteStore(Path(folder, "runs.db"), synchronous=synchronous) as store,
    ):
        yield store, bare.two


@contextmanager
def postgres() -> Iterator[tuple[RunStore, Turn]]:
    """Start a server that waits for the disk at each commit; open a store on it, and a floor."""
    import psycopg

    from longterm.store.postgres import PostgresStore

    binaries = find_binaries()
    assert binaries is not None
    server = PostgresServer(binaries, fsync="on")
    try:
        with (
            psycopg.connect(server.url(), autocommit=True) as connection,
            PostgresStore(server.url()) as store,
        ):
            yield store, BarePostgres(connection).turn(connection)
    finally:
        server.remove()


def measured(group: str, store: RunStore, bare: dict[str, Turn], quick: bool) -> list[Row]:
    """Measure all on one store."""
    engine = Engine(store)
    floors = {**bare, EVENT_NAME: turns(engine, survey)}
    sides = {
        **floors,
        "send": sent(engine),
        "poll": turns(engine, polling, _TIMES),
        "checkpoint": turns(engine, saving, _TIMES),
        "spawn": turns(engine, spawning, _TIMES),
    }
    for turn in sides.values():
        for number in range(10 if quick else _WARM_UP):
            turn(number)
    samples = interleaved(sides, repeats=3 if quick else 15, each=2 if quick else 5)
    family = {**floors, "gather": turns(engine, gathering, _CHILDREN)}
    gathered = interleaved(family, repeats=2 if quick else 7)
    shown = {name: samples[name] for name in floors} | {
        "send, and its turn by run_pending": samples["send"],
        "a poll in a turn": each(samples, "poll", _TIMES),
        "a checkpoint in a turn": each(samples, "checkpoint", _TIMES),
        "spawn, and suspend of the child": each(samples, "spawn", _TIMES),
    }
    of_family = {name: gathered[name] for name in floors} | {
        f"each of {_CHILDREN} children under gather": each(gathered, "gather", _CHILDREN)
    }
    return rows_of(group, shown, bases=floors) + rows_of(group, of_family, bases=floors)[-1:]


def turns(engine: Engine, flow: Callable[..., Any], *times: int) -> Turn:
    """Return what brings the next event to one of some runs after the other."""
    return events(engine, [engine.start_flow(flow, PADDING, *times).id for _ in range(_RUNS)])


def sent(engine: Engine) -> Turn:
    """Return what sends an event to one run after the other, and has it read."""
    ids = [engine.start_flow(survey, PADDING).id for _ in range(_RUNS)]

    def send(number: int) -> None:
        engine.send(ids[number % _RUNS], "number", EVENT)
        assert engine.run_pending(1) == 1

    return send


def each(samples: Samples, name: str, times: int) -> list[float]:
    """Return what one costs, of those that a turn does so many times."""
    return [
        (many - none) / times for many, none in zip(samples[name], samples[EVENT_NAME], strict=True)
    ]
