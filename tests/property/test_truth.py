"""Every nesting of `and`, `or`, `not` and their like asks its operands for their truth as Python.

The expressions are made from the forms below. In a program one of them stands wherever its value or
its truth may count, for all the truths of its operands, some of which suspend.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product

import pytest

from tests.property.oracle import Program, check

_LONG = os.environ.get("LONGTERM_PROFILE") == "long"
_FORMS = ["{} and {}", "{} or {}", "not {}"]
_MORE = ["{} if {} else {}", "{} < {} < {}", "(w := {})", "{} and {} and {}"]
_PRELUDE = """\
from longterm import deflow, suspend

G_seen = []


class Flag:
    def __init__(self, name, truth, event=None):
        self.name = name
        self.truth = truth
        G_seen.append(name)

    def __bool__(self):
        G_seen.append([self.name, self.truth])
        return self.truth

    def __lt__(self, other):
        return Flag(self.name + other.name, self.truth)


def see(value):
    G_seen.append(value.name if isinstance(value, Flag) else value)


@deflow
def main(truths):
    for t in truths:
"""
_USES = [
    "see(@)", "if @: see(1)", "if not @: see(1)", "see(1 if @ else 2)", "while @: break",
    "see([x for x in [1] if @])", "see([see(@) for x in [1]])", "see(not @)", "w = @", "@",
    "match 1:\n            case 1 if @: see(1)",
    "try:\n            assert @\n        except AssertionError: see(1)",
]  # fmt: skip


def trees(depth: int, forms: list[str]) -> Iterator[str]:
    """Yield all expressions of a depth; an operand is a brace pair."""
    yield "{}"
    if depth:
        inner = list(trees(depth - 1, forms))
        for form in forms:
            for parts in product(inner, repeat=form.count("{}")):
                yield form.format(*(each if each == "{}" else f"({each})" for each in parts))


def nestings() -> list[str]:
    """Return the expressions to try: in the quick profile, those of two levels and some of more."""
    deep = list(trees(3, _FORMS))
    wide = [each for each in trees(2, [*_FORMS, *_MORE]) if 1 < each.count("{}") < 6]
    known = list(trees(2, _FORMS))[2:]
    return [*known, *wide, *deep] if _LONG else [*known[::3], *wide[::301], *deep[::1401]]


def played(tree: str, suspending: int) -> Program:
    """Write the program for an expression, in which one operand suspends, or all do (-1)."""
    count = tree.count("{}")
    flags = [
        f"Flag({name!r}, t[{number}]{', suspend(1)' if suspending in (number, -1) else ''})"
        for number, name in enumerate("abcdefgh"[:count])
    ]
    whole = f"({tree.format(*flags)})".replace("suspend(1)", "suspend('s')")
    lines = [f"        {each}".replace("@", whole) for each in _USES]
    truths = list(product([False, True], repeat=min(count, 4)))
    filled = [(*each, *each)[:count] for each in truths]
    return Program("\n".join([_PRELUDE, *lines, ""]), "main", (filled,), (1,) * 2000)


@pytest.mark.parametrize("tree", nestings())
def test_truth_is_asked_for_as_python_does(tree: str) -> None:
    count = tree.count("{}")
    places = range(-1, count) if _LONG else [len(tree) % count, -1][: 1 + (count < 3)]
    for place in places:
        assert not check(played(tree, place)).halted
