"""Where a turn's time goes, on the store in memory, stage by stage.

The stages are timed inside the real turn, by clocks around the engine's own functions. A stage's
figure is without the stages that it calls. The clocks cost something too, so that the parts add up
to more than the turn without them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import longterm._flows.run_turn
import longterm._turns.attempts
import longterm._turns.running
import longterm._turns.transitions
from longterm import Engine
from longterm._turns.claim import Claim
from tests.benchmarks.floors import RUNS, packed
from tests.benchmarks.flows import PADDING, events, survey
from tests.benchmarks.measuring import Row, Samples, interleaved, rows_of

WHOLE, FLOOR = "longterm", "bare msgpack in a dict"

STAGES: dict[str, tuple[Any, str]] = {
    "claim": (Claim, "take"),
    "decode": (longterm._turns.attempts, "decode_frames"),
    "rebuild": (longterm._turns.attempts, "rebuild"),
    "the author's code": (longterm._turns.running, "run_turn"),
    "capture": (longterm._flows.run_turn, "capture"),
    "encode": (longterm._turns.transitions, "encode"),
    "record": (longterm._turns.running, "after_turn"),
    "save": (Claim, "save"),
    "the engine around them": (Engine, "process_event"),
}
"""The stages in their order, and the function that each of them is."""

WORK = ("decode", "the author's code", "encode")
"""The stages that a turn is there for."""


def measure(quick: bool) -> list[Row]:
    """Return the whole turn beside its floor, and the stages of it."""
    engine = Engine("memory://")
    ids = [engine.start_flow(survey, PADDING).id for _ in range(RUNS)]
    sides = {FLOOR: packed(), WHOLE: events(engine, ids)}
    whole: Samples = {FLOOR: [], WHOLE: []}
    stages: Samples = {name: [] for name in STAGES}
    for _ in range(5 if quick else 60):
        count = 50 if quick else 200
        for name, figures in interleaved(sides, repeats=1, each=count).items():
            whole[name] += figures
        for name, seconds in clocked_turns(sides[WHOLE], count).items():
            stages[name].append(seconds)
    with_clocks = "longterm, with clocks"
    whole[with_clocks] = [sum(parts) for parts in zip(*stages.values(), strict=True)]
    shares = {with_clocks: whole[with_clocks], **stages}
    work = {
        WHOLE: whole[WHOLE],
        ", ".join(WORK): [sum(parts) for parts in zip(*map(stages.get, WORK), strict=True)],
    }
    return [
        *rows_of("a turn in memory", whole, bases=[FLOOR]),
        *rows_of("a turn in memory", work, bases=[WHOLE])[1:],
        *rows_of("its stages", shares, bases=[with_clocks])[1:],
    ]


def clocked_turns(turn: Callable[[int], object], count: int) -> dict[str, float]:
    """Return the median seconds of every stage over some turns."""
    found: Samples = {name: [] for name in STAGES}
    with clocks() as spent:
        for number in range(count):
            spent.update(dict.fromkeys(STAGES, 0.0))
            turn(number)
            for name, seconds in spent.items():
                found[name].append(seconds)
    return {name: statistics.median(figures) for name, figures in found.items()}


@contextmanager
def clocks() -> Iterator[dict[str, float]]:
    """Give the seconds spent in every stage, without those of the stages inside it."""
    spent: dict[str, float] = {}
    inside: list[float] = []
    kept = {name: getattr(place, attribute) for name, (place, attribute) in STAGES.items()}
    for name, (place, attribute) in STAGES.items():
        setattr(place, attribute, clocked(name, kept[name], spent, inside))
    try:
        yield spent
    finally:
        for name, (place, attribute) in STAGES.items():
            setattr(place, attribute, kept[name])


def clocked(
    name: str, function: Callable[..., Any], spent: dict[str, float], inside: list[float]
) -> Callable[..., Any]:
    """Return a function with a clock around it; `inside` holds the time of stages in open ones."""

    def stage(*args: Any, **kwargs: Any) -> Any:
        inside.append(0.0)
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds = time.perf_counter() - start
            spent[name] += seconds - inside.pop()
            if inside:
                inside[-1] += seconds

    return stage
