"""A bit that changed anywhere in a SQLite file gives an error, never another value of a run."""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from longterm.errors import LongtermError, UnknownRun
from longterm.run import Run, RunState
from longterm.store.base import Query
from longterm.store.sqlite import SQLiteStore
from longterm.testing._sample_runs import LATER, NOON, full_run, suspended_run

FLIPS = 6_000 if os.environ.get("LONGTERM_PROFILE") == "long" else 300


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run]]:
    """A file of runs of every kind, and what is in it."""
    path = tmp_path_factory.mktemp("flips") / "runs.db"
    chance = random.Random(1)
    with SQLiteStore(path) as store:
        for number in range(40):
            run_id = f"{number:032x}"
            store.create(
                replace(
                    full_run() if number % 2 else suspended_run(),
                    id=run_id,
                    state=list(RunState)[number % len(RunState)],
                    stack=chance.randbytes(chance.choice([50, 500, 5_000])),
                    created_at=NOON,
                    claimed_until=None,
                )
            )
        for number in (0, 5, 10):
            assert store.claim(f"{number:032x}", "number", now=NOON, until=LATER)
        runs = {run.id: run for run in store.find(Query())}
    assert len(runs) == 40
    return path, runs


def looks(path: Path, runs: dict[str, Run]) -> Iterator[Run | str]:
    """Yield what a store says of each run, and how it refuses to say anything."""
    with SQLiteStore(path) as store:
        for run_id in runs:
            try:
                run = store.get(run_id)
                yield run if run.id == run_id else "another run"
            except UnknownRun:
                yield "unknown"
            except LongtermError:
                yield "refused"
        for query in (Query(), Query(flow="shop.orders:greet"), Query(index={"dose": 1.5})):
            try:
                yield from store.find(query)
            except LongtermError:
                yield "refused"


def kind(outcome: Run | str, runs: dict[str, Run]) -> str:
    if isinstance(outcome, str):
        return outcome
    expected = runs.get(outcome.id)
    if expected is None:
        return "another run"
    if outcome.state is RunState.RUNNING:
        # What a claim changes by itself is checked again when the turn is saved.
        outcome = replace(
            outcome,
            turn=expected.turn,
            attempts=expected.attempts,
            claimed_until=expected.claimed_until,
        )
    return "as it was" if outcome == expected else "ANOTHER VALUE"


def test_no_flipped_bit_gives_another_value(
    sound: tuple[Path, dict[str, Run]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, runs = sound
    content = path.read_bytes()
    chance = random.Random(FLIPS)
    counts: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    for number in range(FLIPS):
        place, bit = chance.randrange(len(content)), chance.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        copy = tmp_path / f"{number}.db"
        copy.write_bytes(flipped)

        kinds = Counter(kind(outcome, runs) for outcome in looks(copy, runs))

        counts += kinds
        touched.update(kinds.keys() - {"as it was"})
        assert not kinds.keys() & {"ANOTHER VALUE", "another run"}, (number, place, bit, kinds)
        for file in tmp_path.glob(f"{number}.db*"):
            file.unlink()
        caplog.clear()

    print(f"of {FLIPS} flipped bits: {dict(touched)}; {dict(counts)}")
    assert touched["refused"] > FLIPS / 20


def test_a_damaged_page_is_an_error_of_the_runs_on_it(
    sound: tuple[Path, dict[str, Run]], tmp_path: Path
) -> None:
    path, runs = sound
    copy = tmp_path / "runs.db"
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
        leaves = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'runs' AND pagetype = 'leaf'"
        ).fetchall()
    (page,) = leaves[len(leaves) // 2]
    content[(page - 1) * size : page * size] = bytes(size)
    copy.write_bytes(content)

    kinds = Counter(kind(outcome, runs) for outcome in looks(copy, runs))

    assert kinds["refused"] > 1
    assert kinds["as it was"] > 20
    assert kinds.keys() <= {"refused", "as it was"}
