"""How fast flows run between suspends: fresh and resumed bodies against the undecorated function.

Run `python tests/benchmarks/bench_bodies.py [--json]`. Every figure is a ratio of CPU times from
one run, the variants interleaved; the median of the repeats, and their spread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from longterm import Engine, deflow, suspend
from longterm.flow import flow_of

ROUNDS = 100_000
REPEATS = 15


@deflow
def loop(n):
    total = 0
    for i in range(n):
        if i == 0:
            total += suspend("go")
        total += i * 2
        if total > 1_000_000:
            total = 0
    return total


@deflow
def while_loop(n):
    i = 0
    seen = suspend("go")
    while i < n:
        if i < 0:
            seen = suspend("never")
        i += 1
    return seen


@deflow
def nested_loops(n):
    total = 0
    for i in range(n // 100):
        for j in range(100):
            if i == j == 0:
                total += suspend("go")
            total += i ^ j
    return total


@deflow
def add(x, y):
    if x < 0:
        suspend("never")
    return x + y


@deflow
def calls(n):
    total = suspend("go")
    for i in range(n):
        total = add(total, i)
    return total


@deflow
def guarded(n):
    total = suspend("go")
    for i in range(n):
        try:
            total = add(total, i)
        except ValueError:
            total = 0
        finally:
            total += 1
    return total


class Now:
    """A turn in which every event has come: nothing suspends."""

    def __init__(self) -> None:
        self.responses: list[Any] = []

    def suspend(self, event_id: str) -> int:
        return 0


def seconds(function: Callable[[], Any]) -> float:
    """Return the CPU time that a function takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


def resumed(flow: Callable[..., Any]) -> Callable[[], Any]:
    """Return a callable that carries a stored run on from its first suspend."""
    engine = Engine("memory://")
    run = engine.start_flow(flow, ROUNDS)
    return lambda: engine.process_event(run.id, "go", 0)


def measure(flow: Callable[..., Any]) -> dict[str, list[float]]:
    """Return the ratios to the undecorated function, one for each repeat."""
    from longterm.turn import current

    original, fresh = flow_of(flow).original, flow.__code__
    found: dict[str, list[float]] = {"fresh": [], "resumed": []}
    resumed(flow)()
    for _ in range(REPEATS):
        again = resumed(flow)
        token = current.set(Now())
        flow.__code__ = original
        base = seconds(lambda: flow(ROUNDS))
        flow.__code__ = fresh
        found["fresh"].append(seconds(lambda: flow(ROUNDS)) / base)
        current.reset(token)
        found["resumed"].append(seconds(again) / base)
    return found


def main() -> None:
    """Measure every flow and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    table = {}
    for flow in (loop, while_loop, nested_loops, calls, guarded):
        table[flow.__name__] = {
            body: {
                "median": round(statistics.median(ratios), 3),
                "min": round(min(ratios), 3),
                "max": round(max(ratios), 3),
            }
            for body, ratios in measure(flow).items()
        }
    if options.json:
        print(json.dumps({"python": sys.version.split()[0], "ratios": table}, indent=2))
        return
    print(f"Python {sys.version.split()[0]}, {REPEATS} repeats of {ROUNDS} rounds")
    print(f"{'flow':14}{'fresh body':>12}{'(min-max)':>16}{'resumed':>12}{'(min-max)':>16}")
    for name, row in table.items():
        cells = "".join(
            f"{each['median']:>12.3f}{each['min']:>9.2f} - {each['max']:.2f}"
            for each in row.values()
        )
        print(f"{name:14}{cells}")


if __name__ == "__main__":
    main()
