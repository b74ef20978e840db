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


LOOPED = {
    "an enum": ("Signal", "log(suspend('change'))"),
    "an enum, backwards": ("reversed(Signal)", "log(suspend('change'))"),
    "a flag": ("Right(7)", "log(suspend('change'))"),
    "a list": ("held", "held.append(suspend('more'))"),
    "a deque": ("held.deque", "log(suspend('change'))"),
    "an array": ("held.array", "held.array.append(9)"),
    "a UserList": ("held.rows", "held.rows.append(suspend('more'))"),
    "a UserList, backwards": ("reversed(held.rows)", "held.rows.insert(0, 5)"),
    "a UserString": ("held.text", "log(suspend('change'))"),
    "an OrderedDict": ("held.ordered", "held.ordered['a'] = suspend('other')"),
    "an OrderedDict that grows": ("held.ordered", "held.ordered['new'] = 1"),
    "values of an OrderedDict": ("held.ordered.values()", "held.ordered['c'] = suspend('c')"),
    "an OrderedDict, backwards": ("reversed(held.ordered.items())", "held.ordered['a'] = 7"),
    "items of a UserDict": ("held.user.items()", "held.user['b'] = suspend('b')"),
    "values of a UserDict that grows": ("held.user.values()", "held.user['new'] = 1"),
    "keys of a ChainMap": ("held.chained.keys()", "held.chained['new'] = 1"),
    "items of a ChainMap": ("held.chained.items()", "held.chained.maps[1].clear()"),
    "what has __getitem__ alone": ("Numbered(3)", "log(suspend('change'))"),
    "addresses": ("ip_network('10.0.0.0/30')", "log(suspend('change'))"),
    "matches": ("re.finditer('b*', 'abba')", "log(suspend('change'))"),
    "several": ("zip(held.user.items(), Right(7), held.ordered)", "held.user['b'] = 0"),
    "some of them": ("islice(chain(held.user.items(), held.rows), 1, 6)", "held.rows.append(1)"),
    "mapped": ("map(str, held.rows)", "held.rows.append(1)"),
}
_WORLD = """\
import re
from array import array
from collections import ChainMap, OrderedDict, UserDict, UserList, UserString, deque
from enum import Enum, Flag
from ipaddress import ip_network
from itertools import chain, islice


class Signal(Enum):
    RED = 1
    GREEN = 2


class Right(Flag):
    RUN = 4
    READ = 1
    WRITE = 2


class Numbered:
    def __init__(self, length):
        self.length = length

    def __getitem__(self, index):
        log("item", index)
        if index == self.length:
            raise IndexError(index)
        return index


class Held(list):
    def __init__(self):
        super().__init__([1, 2])
        self.deque, self.array = deque([1, 2]), array("i", [1, 2])
        self.rows, self.text = UserList([1, 2, 3]), UserString("ab")
        self.ordered = OrderedDict(a=1, b=2, c=3)
        self.user = UserDict(a=1, b=2, c=3)
        self.chained = ChainMap({"a": 1}, {"b": 2, "a": 3, "c": 4})


"""


@pytest.mark.parametrize("name", LOOPED)
def test_a_loop_over_each_kind_of_container(name: str) -> None:
    iterable, change = LOOPED[name]
    lines = [
        "held = Held()",
        "try:",
        f"    for count, each in enumerate({iterable}):",
        "        log(str(each), suspend('each'))",
        "        if count == 1:",
        f"            {change}",
        "            continue",
        "        if count > 4:",
        "            break",
        "    else:",
        "        log(suspend('else'))",
        "    for each in held.ordered.values():",  # an iterator of another loop, further on
        "        log(each, suspend('after'))",
        "except (RuntimeError, KeyError) as error:",
        "    show(error)",
        "log(suspend('end'), list(held), dict(held.user), dict(held.ordered))",
    ]
    prelude = _PRELUDE.replace("\n\n@deflow", f"{_WORLD}@deflow")
    source = "\n".join([prelude, *indented(lines, 2), _END])
    outcome = check(Program(source, "main", (), tuple(range(1, 90))))
    assert not outcome.halted


RAISED = [
    "ExceptionGroup('all', [ValueError(1), KeyError(2), Oops(3)])",
    "ExceptionGroup('all', [ValueError(1), ExceptionGroup('in', [Worse(2), ValueError(3)])])",
    "ValueError(1)", "OSError(1)", "Oops(1)", "None",
    "ExceptionGroup('all', [ValueError(1), ValueError(2)])",
    "noted(ExceptionGroup('all', [ValueError(1), KeyError(2), OSError(3)]))",
    "BaseExceptionGroup('all', [ValueError(1), KeyboardInterrupt()])",
]  # fmt: skip
HANDLED = {
    "goes on": "log(suspend('handler'))",
    "raises": "raise Worse(suspend('handler'))",
    "raises from": "raise OSError(suspend('handler')) from caught",
    "raises from None": "raise OSError(suspend('handler')) from None",
    "raises it again": "suspend('handler')\n    raise",
    "raises it by name": "suspend('handler')\n    raise caught",
    "raises a part": "suspend('handler')\n    raise caught.exceptions[0]",
    "raises another group": "raise ExceptionGroup('new', [Oops(suspend('handler'))])",
    "changes the name": "caught = suspend('handler')\n    log(caught)",
    "unbinds the name": "del caught\n    log(suspend('handler'))",
    "has a try": "try:\n        raise Oops(suspend('in'))\n    except Oops as error:\n"
    "        show(error)\n        suspend('more')\n    show(sys.exc_info()[1])",
    "has a group": "try:\n        raise ExceptionGroup('in', [Oops(1), OSError(2)])\n"
    "    except* Oops as inner:\n        show(inner)\n        suspend('more')\n"
    "    show(sys.exc_info()[1])",
    "has a loop": "for each in caught.exceptions:\n        if suspend('each') == 2:\n"
    "            break\n        show(each)",
}
_GROUPS = """\
import sys
from longterm import deflow, respond, suspend
from tests.property.world import Oops, Worse, log, show


def noted(error):
    error.add_note("seen")
    error.__cause__ = TypeError("before")
    return error


@deflow
def main():
    for raised in [RAISED]:
"""


@pytest.mark.parametrize("ends", ["", "else", "finally"])
@pytest.mark.parametrize("handled", HANDLED)
def test_handlers_of_groups_suspend(handled: str, ends: str) -> None:
    lines = [
        "try:",
        "    try:",
        "        if raised:",
        "            raise raised",
        "    except* ValueError as caught:",
        "        show(caught)",
        "        show(sys.exc_info()[1])",
        *indented(HANDLED[handled].split("\n    "), 2),
        "    except* (Oops, KeyError) as caught:",
        "        log(suspend('second'), caught)",
        *(["    else:", "        log(suspend('else'))"] if ends else []),
        *(["    finally:", "        log(suspend('finally'))"] if ends == "finally" else []),
        "except BaseException as error:",
        "    show(error)",
        "    show(error.__context__)",
        "    show(error.__cause__)",
        "try:",
        "    caught",
        "except NameError:",
        "    log('unbound')",
    ]
    prelude = _GROUPS.replace("RAISED", ", ".join(RAISED))
    source = "\n".join([prelude, *indented(lines, 2), "    return 'end'"])
    assert not check(Program(source, "main", (), tuple(range(1, 90)))).halted
