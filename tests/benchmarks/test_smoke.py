"""Each benchmark runs, with as little of everything as it can. No figure is looked at.

What they measure moves now and then, and a benchmark that has lost it fails here.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from longterm import Engine
from tests.benchmarks import instructions, turn, waiting_sides
from tests.benchmarks.__main__ import BY_NAME_ONLY, DEFAULT
from tests.benchmarks.flows import PADDING, events, survey
from tests.benchmarks.neighbours import _stored_bytes
from tests.store.postgres_server import PostgresServer, binaries_or_skip

LITTLE: dict[str, dict[str, Any]] = {
    "turn": {"turn.RUNS": 2},
    "shapes": {},
    "events": {"events.RUNS": 4, "events.A_FULL_LOG": 1, "events.AGES": (2, 3, 4)},
    "waits": {"waits._RUNS": 2, "waits._CHILDREN": 2, "waits._TIMES": 1},
    "callers": {
        "callers.RUNS": 4,
        "callers.CALLERS": (1, 2),
        "callers.QUICK": (1, 4),
        "postgres_callers.QUICK": (1, 4),
        "postgres_callers.RUNS_OF_A_THREAD": 4,
        "postgres_callers.SETTINGS": {"two threads": (1, 2)},
        "postgres_callers.CALLERS": {
            "4 threads": ("longterm", 1),
            "16 threads": ("longterm", 2),
            "two tasks": ("tasks", 2),
        },
    },
    "frames": {"frames.DEPTHS": (1, 2), "frames.SIZES": {"1 kB": 1_000, "2 kB": 2_000}},
    "memory": {"memory.FEW": 2, "memory.QUICK": 4, "memory.MEGABYTES": (1,)},
    "startup": {"startup.FLOWS": 2},
    "bodies": {"bodies.ROUNDS": 200},
    "codec": {"codec.rows_of_about": lambda size: [{"size": size}] * 10},
    "compile": {"compile.FLOWS": 2},
    "million": {"million.FEW": 20, "million.QUICK": 40, "million.QUICK_TURNS": 10},
    "steps": {"steps.STEPS": 2, "steps.FEW_STEPS": 1, "steps.SIZES": {"1 kB": 1_000}},
}
"""For each benchmark what it is given less of."""
ELSEWHERE = {"instructions", "neighbours"}
"""What wants valgrind, or installs others: the tests below run what is ours of them."""


@pytest.mark.parametrize("name", LITTLE)
def test_a_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, little in LITTLE[name].items():
        monkeypatch.setattr(f"tests.benchmarks.{constant}", little)

    rows = importlib.import_module(f"tests.benchmarks.{name}").measure(quick=True)

    assert all(row.figure or row.note for row in rows)
    assert any(row.figure for row in rows)


def test_no_benchmark_is_left_out() -> None:
    assert {*LITTLE, *ELSEWHERE} == {*DEFAULT, *BY_NAME_ONLY}


def test_a_turn_goes_through_each_stage() -> None:
    engine = Engine("memory://")
    event = events(engine, [engine.start_flow(survey, PADDING).id])

    spent = turn.clocked_turns(event, 1)

    never = [name for name, seconds in spent.items() if not seconds]
    assert not never, f"a turn does not call {never}: say in `STAGES` where that is done now"


@pytest.mark.parametrize("case", [instructions.FLOOR, instructions.OURS, *instructions.HELD])
def test_what_instructions_are_counted_of_runs(case: str) -> None:
    instructions.turn_of(case)(0)


def test_the_instructions_of_each_process_are_told_apart(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "MANY", 2)
    monkeypatch.setattr(instructions, "FEW", 1)

    instructions.take_turns([instructions.FLOOR, instructions.OURS])

    assert len(set(capfd.readouterr().out.split())) == 4


def test_our_side_of_the_neighbours_waits_and_is_weighed() -> None:
    server = PostgresServer(binaries_or_skip())
    try:
        with waiting_sides.longterm_side(server.url()) as side:
            run_id = side.aged(3)
            assert _stored_bytes(server, "postgres", side.tables, run_id) > len(PADDING)
    finally:
        server.remove()
