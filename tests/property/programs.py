"""Whole random programs: a module of several flows that call each other, and a script of events.

The files beside this one write the parts: `expressions`, `statements`, `blocks`. Every program
ends, since loops are bounded, recursion counts down, and the world has only so much patience.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from longterm.testing import Throw
from tests.property.blocks import Blocks
from tests.property.choices import Choices, Drawn, Seeded
from tests.property.oracle import Program
from tests.property.world import Oops
from tests.property.writer import Names

_PRELUDE = """\
import sys
from longterm import call, deflow, respond, suspend
from tests.property.world import Box, Managed, Oops, Point, Row, Worse, fail, log, show

G_total = 0
"""
_EVENTS: list[Any] = [1, 0, 2, 3, 1, 2, 0, 1, 2, 3, True, False, -1, 7, "s", None, [1, 2], []]
_EVENTS += [Throw(Oops("thrown")), Throw(ValueError("thrown"))]


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Program:
    """Generate programs that Hypothesis can shrink."""
    return program(Drawn(draw))


def seeded_program(seed: object) -> Program:
    """Return the program of a seed."""
    return program(Seeded(seed))


def program(choices: Choices) -> Program:
    """Write one program."""
    module = _Module(choices)
    source = module.written()
    events = tuple(_EVENTS[module.below(len(_EVENTS))] for _ in range(4 + module.below(14)))
    return Program(source, "main", (module.below(3), [1, 2]), events)


class _Module(Blocks):
    """Writes the flows of a module, callees first."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.known = Names()
        """What every function of the module can call."""

    def written(self) -> str:
        parts: list[str] = []
        for number in range(self.below(3)):
            kind = self.below(4)
            write = [self.simple_flow, self.variadic_flow, self.recursive_flow, self.shop][kind]
            self.lines = []
            write(number)
            parts.append("\n".join(self.lines))
        self.lines = []
        self.function("main", "(a, xs)", ["a"], ["xs"], 7)
        parts.append("\n".join(self.lines))
        return "\n\n".join([_PRELUDE, *parts, ""])

    def simple_flow(self, number: int) -> None:
        name = f"flow{number}"
        callee = self.pick(self.known.flows) if self.known.flows else "len"
        given = self.chance(40)
        parameters = f"(a, b=1, f={callee})" if given else "(a, b=1)"
        self.function(name, parameters, ["a", "b"], [], 4, callee="f" if given else "")
        self.known.flows.append(name)
        self.known.calls += [f"{name}({{}})", f"{name}({{}}, {{}})", f"{name}(b={{}}, a={{}})"]

    def variadic_flow(self, number: int) -> None:
        name = f"flow{number}"
        self.function(name, "(a, /, *rest, k=2, **more)", ["a", "k"], ["rest"], 4)
        self.known.flows.append(name)
        self.known.calls += [
            f"{name}({{}}, {{}}, k={{}})", f"{name}(*[{{}}, {{}}])",
            f"{name}({{}}, **{{{{'k': {{}}}}}})", f"{name}({{}}, *({{}},), m={{}})",
        ]  # fmt: skip

    def recursive_flow(self, number: int) -> None:
        name = f"flow{number}"
        again = f"{name}(count - 1, xs)"
        self.function(name, "(count, xs)", ["count"], ["xs"], 3, again=again)
        self.known.calls += [f"{name}(1, [{{}}])", f"{name}(2, [{{}}, {{}}])"]

    def shop(self, number: int) -> None:
        name = f"Shop{number}"
        self.write(f"class {name}:")
        self.level = 1
        self.write("def __init__(self, v):")
        self.write("    self.v = v")
        self.function("first", "(self, a, b=2)", ["a", "b", "self.v"], [], 3)
        self.known.calls.append("self.first({})")
        self.function("second", "(self, a)", ["a"], [], 3)
        self.known.calls.remove("self.first({})")
        self.level = 0
        self.known.calls += [
            f"{name}.second({name}({{}}), {{}})",
            f"call({name}({{}}).first, {{}})",
        ]
        self.known.flows += [f"{name}(1).second", f"{name}(2).first"]

    def function(
        self, name: str, parameters: str, numbers: list[str], lists: list[str], budget: int,
        *, again: str = "", callee: str = "",
    ) -> None:  # fmt: skip
        self.names = self.known.copy()
        self.names.numbers += [each for each in numbers if "." not in each]
        self.names.lists += lists
        self.budget = budget
        self.write("@deflow")
        self.write(f"def {name}{parameters}:")
        self.level += 1
        self.has_global = self.chance(40)
        if self.has_global:
            self.write("global G_total")
        self.beginning(callee)
        if again:
            self.write(f"if count > 0: {self.number_target()} = log({self.tag()}, {again})")
        self.level -= 1
        self.block(3, budget)
        self.level += 1
        self.write(f"return [{', '.join(self.result(numbers, lists))}]")
        self.level -= 1

    def beginning(self, callee: str) -> None:
        """Bind a name of most kinds, so that there is something to work with."""
        self.write(f"n0 = {self.below(3)}")
        self.names.numbers.append("n0")
        if not self.names.lists:
            self.write("xs = [1, 2, 3]")
            self.names.lists.append("xs")
        if self.chance(70):
            self.write(f"box = Box({self.pick(['1', 'xs', '2'])})")
            self.names.boxes.append("box")
        if self.chance(50):
            self.write(f"d0 = {{0: {self.pick(['1', 'xs'])}, 1: 2}}")
            self.names.tables.append("d0")
        if callee:
            self.names.flows.append(callee)
            self.names.calls.append(f"{callee}({{}})")

    def result(self, numbers: list[str], lists: list[str]) -> list[str]:
        shown = [*numbers, *lists, "n0"]
        shown += [each for each in ("box", "d0") if each in self.names.boxes + self.names.tables]
        return [*shown, self.number(1)]
