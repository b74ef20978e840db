"""A turn in memory by what the flow holds, and the five examples beside their twins on integers.

The twins of the examples begin as many runs and wait as often, so a ratio is the price of what is
held and brought: objects, texts, what is held twice.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.examples import conversations
from tests.benchmarks.held import HELD, INTEGERS, turns
from tests.benchmarks.measuring import Row, interleaved, rows_of

TARGETS = {"a dataclass": 1.5, "a dict by two variables": 1.5, "a for loop": 1.3}
TWIN, OF_EXAMPLES = "on integers", 1.3


def measure(quick: bool) -> list[Row]:
    """Return the turns of all shapes, and the examples."""
    repeats, each = (3, 20) if quick else (60, 200)
    sides = {held: turns(held) for held in HELD}
    samples = interleaved(sides, repeats=repeats, each=each)
    rows = rows_of("a turn of a flow with", samples, bases=[INTEGERS], targets=TARGETS)
    for name, (example, twin) in conversations().items():
        pair: dict[str, Callable[[int], object]] = {TWIN: twin, "as it is": example}
        samples = interleaved(pair, repeats=repeats, each=max(2, each // 10))
        rows += rows_of(name, samples, bases=[TWIN], targets={"as it is": OF_EXAMPLES})
    return rows
