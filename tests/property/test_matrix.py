"""What can be left in several ways is suspended in each of its parts, and left in each way.

The programs are made from the lists below, so that none is missing; each runs in all three ways.
"""

from __future__ import annotations

import os
from itertools import product

import pytest

from tests.property.oracle import Program, check

PARTS = ["body", "handler", "orelse", "finalbody"]
COMPLETIONS = {
    "normal": "log('on')",
    "exception": "raise ValueError(suspend('value'))",
    "return": "return suspend('result')",
    "break": "break",
    "continue": "continue",
}
_PRELUDE = """\
import sys
from longterm import deflow, respond, suspend
from tests.property.world import Managed, Oops, log, show


@deflow
def main():
    for number in range(2):
"""
_END = """\
        log("after", number)
    else:
        log("else")
    return "end"
"""


def indented(lines: list[str], levels: int = 1) -> list[str]:
    return ["    " * levels + each for each in lines]


def try_block(name: str, part: str, completion: str, inside: list[str]) -> list[str]:
    """Write a `try` that suspends in each part, one of which holds more and is left in some way."""

    def contents(this: str) -> list[str]:
        lines = [f"log('{name} {this}', suspend('{name} {this}'))"]
        if this == "handler":
            lines += ["show(error)", "show(sys.exc_info()[1])"]
        if this == part:
            lines += [*inside, COMPLETIONS[completion]]
        elif this == "body" and part == "handler":
            lines.append(f"raise Oops('{name}')")
        return indented(lines)

    return [
        "try:", *contents("body"),
        "except Oops as error:", *contents("handler"),
        "else:", *contents("orelse"),
        "finally:", *contents("finalbody"),
    ]  # fmt: skip


def with_block(phase: str, fails: str, swallows: bool, completion: str) -> list[str]:
    """Write a `with` of two managers that suspends in one phase, and is left in a certain way."""
    first = "str(suspend('expression'))" if phase == "first expression" else "'first'"
    second = "str(suspend('expression'))" if phase == "second expression" else "'second'"
    target = "targets[suspend('target')]" if phase == "target" else "entered"
    body = "log(suspend('body'))" if phase == "body" else "log('body')"
    return [
        "targets = {}",
        f"with Managed({first}) as whole, Managed({second}, {swallows}, '{fails}') as {target}:",
        *indented([body, COMPLETIONS[completion], "log('not left')"]),
    ]


def pairs_of_completions(shift: int) -> list[tuple[str, str]]:
    """Return all pairs in the long profile; else a fifth, a different one for each shift.

    Over the pairs of parts, the quick profile still has every pair of completions.
    """
    names = list(COMPLETIONS)
    if os.environ.get("LONGTERM_PROFILE") == "long":
        return list(product(names, names))
    return [(each, names[(number + shift) % len(names)]) for number, each in enumerate(names)]


def run(lines: list[str]) -> None:
    source = "\n".join([_PRELUDE, *indented(lines, 2), _END])
    outcome = check(Program(source, "main", (), tuple(range(1, 60))))
    assert not outcome.halted


@pytest.mark.parametrize(("part", "completion"), list(product(PARTS, COMPLETIONS)))
def test_try_suspends_in_every_part_and_is_left_in_every_way(part: str, completion: str) -> None:
    run(try_block("only", part, completion, []))


@pytest.mark.parametrize(("outer", "inner"), list(product(PARTS, PARTS)))
def test_nested_try_is_left_in_every_pair_of_ways(outer: str, inner: str) -> None:
    for last, first in pairs_of_completions(PARTS.index(outer) + PARTS.index(inner)):
        nested = try_block("inner", inner, first, [])
        run(try_block("outer", outer, last, nested))


@pytest.mark.parametrize("phase", ["first expression", "second expression", "target", "body"])
@pytest.mark.parametrize("fails", ["", "enter", "exit"])
def test_with_suspends_in_every_phase_and_is_left_in_every_way(phase: str, fails: str) -> None:
    for swallows, completion in product([False, True], COMPLETIONS):
        run(with_block(phase, fails, swallows, completion))


@pytest.mark.parametrize("part", PARTS)
def test_with_inside_every_part_of_a_try(part: str) -> None:
    for fails, completion in product(["", "exit"], COMPLETIONS):
        run(try_block("outer", part, completion, with_block("body", fails, True, "normal")))


@pytest.mark.parametrize("part", PARTS)
def test_try_inside_a_with_is_left_in_every_way(part: str) -> None:
    for swallows, completion in product([False, True], COMPLETIONS):
        inside = try_block("inner", part, completion, [])
        run([f"with Managed('around', {swallows}):", *indented(inside)])
