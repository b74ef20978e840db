"""How fast flows run between suspends: fresh and resumed bodies against the undecorated function.

CPU time of a loop, which a fresh body runs as CPython runs the plain function, and a resume body
after its event has come. The resumed figure includes that turn's claim, decoding and saving.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from longterm import Engine, deflow, suspend
from longterm._flows.context import current
from longterm._flows.registry import flow_of
from longterm.run import Run, RunState
from tests.benchmarks.measuring import Row, Samples, interleaved, rows_of

ROUNDS = 100_000
FLOOR, FRESH, RESUMED = "the undecorated function", "fresh body", "resumed"


@deflow
def loop(n: int) -> int:
    total = 0
    for i in range(n):
        if i == 0:
            total += suspend("go")
        total += i * 2
        if total > 1_000_000:
            total = 0
    return total


@deflow
def while_loop(n: int) -> Any:
    i = 0
    seen = suspend("go")
    while i < n:
        if i < 0:
            seen = suspend("never")
        i += 1
    return seen


@deflow
def nested_loops(n: int) -> int:
    total = 0
    for i in range(n // 100):
        for j in range(100):
            if i == j == 0:
                total += suspend("go")
            total += i ^ j
    return total


@deflow
def add(x: int, y: int) -> int:
    if x < 0:
        suspend("never")
    return x + y


@deflow
def calls(n: int) -> Any:
    total = suspend("go")
    for i in range(n):
        total = add(total, i)
    return total


@deflow
def guarded(n: int) -> Any:
    total = suspend("go")
    for i in range(n):
        try:
            total = add(total, i)
        except ValueError:
            total = 0
        finally:
            total += 1
    return total


@deflow
def jumping(n: int) -> Any:
    total = suspend("go")
    for i in range(n):
        try:
            total = add(total, i)
            if i % 2:
                continue
            total += 1
        finally:
            total += 1
    return total


class Nothing:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


@deflow
def managed(n: int) -> Any:
    total = suspend("go")
    manager = Nothing()
    for i in range(n):
        with manager:
            total = add(total, i)
    return total


class Now:
    """A turn in which every event has come: nothing suspends."""

    run = Run(id="measured", flow="measured:flow", state=RunState.RUNNING)

    def __init__(self) -> None:
        self.responses: list[Any] = []
        self.index: dict[str, Any] = {}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def respond(self, values: tuple[Any, ...]) -> None:
        self.responses.extend(values)

    def suspend(self, wait: Any) -> int:
        return 0


def measure(quick: bool) -> list[Row]:
    """Return the rows of all loops."""
    rows: list[Row] = []
    for flow in (loop, while_loop, nested_loops, calls, guarded, jumping, managed):
        rows += rows_of(
            flow.__name__,
            bodies(flow, repeats=2 if quick else 41),
            bases=[FLOOR],
            unit="ms",
            targets={FRESH: 1.03},
        )
    return rows


def bodies(flow: Callable[..., Any], repeats: int) -> Samples:
    """Return the CPU seconds of the function as written, of its fresh body, and resumed."""
    original, fresh = flow_of(flow).original, flow.__code__
    engine = Engine("memory://")
    # Made beforehand: only going on is timed.
    waiting = [engine.start_flow(flow, ROUNDS).id for _ in range(repeats + 1)]

    def run(code: Any) -> None:
        token = current.set(Now())
        flow.__code__ = code
        try:
            flow(ROUNDS)
        finally:
            flow.__code__ = fresh
            current.reset(token)

    return interleaved(
        {
            FLOOR: lambda number: run(original),
            FRESH: lambda number: run(fresh),
            RESUMED: lambda number: engine.process_event(waiting[number], "go", 0),
        },
        repeats=repeats,
        clock=time.process_time,
    )
