"""A generator is stored at each of its yields, and used there in every way.

The `try` and `with` blocks are those of the matrix of flows; a `yield` stands where those suspend.
Whoever goes through the generator waits before each use, and does at one yield after the other
something else than `next`.
"""

from __future__ import annotations

import os
import re
from itertools import product

import pytest

from tests.property.oracle import Program, check
from tests.property.test_matrix import COMPLETIONS, PARTS, indented, try_block, with_block

PHASES = ["first expression", "second expression", "target", "body"]
USES = {
    "next": "next(made)",
    "send": "made.send('sent')",
    "throw": "made.throw(Oops('thrown'))",
    "throw another": "made.throw(KeyError('thrown'))",
    "throw at the top": "made.throw(GeneratorExit)",
    "close": "made.close()",
    "delegate": "(yield from made)",
}
_PRELUDE = """\
import sys
from contextlib import contextmanager
from longterm import deflow, suspend
from tests.property.world import Managed, Oops, log, show


@deflow
def generator():
    for number in range(2):
"""
_MAIN = """\
        log("after", number)
    else:
        log("else")
    return "end"


@deflow
def around(made, at):
    for number in range(at):
        log("passed on", (yield next(made)))
    return ((yield from made), (yield "last"))


@deflow
def main():
    for at in range(4):
        made = {made}
        held = [made, {{"same": made}}]
        for number in range(6):
            log("before", suspend("next"))
            try:
                log("given", {use} if number == at else next(made))
            except StopIteration as stop:
                log("stopped", stop.value)
                break
            except (Exception, GeneratorExit) as error:
                show(error)
        log(suspend("done"), held[0] is held[1]["same"] is made, list(made))
    return "end"
"""


def run(lines: list[str], use: str) -> None:
    body = [re.sub(r"suspend\(('[^']*')\)", r"(yield \1)", each) for each in lines]
    made = "generator()"
    if use == "delegate":
        made, use = "around(generator(), at)", "next"
    main = _MAIN.format(made=made, use=USES[use])
    source = "\n".join([_PRELUDE, *indented(body, 2), main])
    assert not check(Program(source, "main", (), tuple(range(1, 60)))).halted


def some(ways: list[tuple[str, ...]], shift: int) -> list[tuple[str, ...]]:
    """Return all ways in the long profile; else a third, other ones for each shift."""
    return ways if os.environ.get("LONGTERM_PROFILE") == "long" else ways[shift % 3 :: 3]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("part", PARTS)
def test_a_try_around_yields_is_left_in_every_way(part: str, use: str) -> None:
    shift = PARTS.index(part) + [*USES].index(use)
    for (completion,) in some([(each,) for each in COMPLETIONS], shift):
        run(try_block("only", part, completion, []), use)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("phase", PHASES)
def test_a_with_around_yields_is_left_in_every_way(phase: str, use: str) -> None:
    ways = list(product(["", "exit"], ["normal", "exception", "return"]))
    for fails, completion in some(ways, PHASES.index(phase) + [*USES].index(use)):
        run(with_block(phase, fails, True, completion), use)
