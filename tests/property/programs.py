"""Whole random programs: a module of several flows that call each other, and a script of events.

The files beside this one write the parts: `expressions`, `statements`, `blocks`. Every program
ends, since loops are bounded, recursion counts down, and the world has only so much patience.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from longterm.testing import Throw
from tests.property.choices import Choices, Drawn, Seeded
from tests.property.generators import Generators
from tests.property.oracle import Program
from tests.property.world import Oops, Worse
from tests.property.writer import Names

_PRELUDE = """\
import sys
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from longterm import call, deflow, respond, sleep, step, suspend
from tests.property.world import (
    MISSING, NAN, AsyncCountdown, AsyncManaged, Box, Countdown, Kinds, Managed, Mark, Oops, Point,
    Root, Row, Sequence, Stream, Touchy, Worse, alog, fail, group, log, show,
)

@step
def told(*values): return log(*values)
@step(retry_on=KeyError)
def failed(number): return fail(log("fails", number))
@step
async def told_later(*values): return await alog(*values)

DAY = timedelta(1)
NOT_GIVEN = object()
G_total = ""

class Agent(Box):
    @deflow
    def ask(self, value=0): return log("asked", self.v, value, suspend("asked"))
    @deflow
    def also(self, value=0):
        self.v = log("also", self.v, value, suspend("also"))
        return self
    @deflow
    async def later(self, value=0): return log("later", self.v, value, suspend("later"))

@deflow
def handle(value): return log("handled", value, suspend("handled"))
@deflow
async def handle_later(value): return log("handled later", value, suspend("handled"))

HANDLERS = {0: handle, 1: handle}
LATER = {0: handle_later, 1: alog}
MADE = dict(HANDLERS)
MADE_LATER = dict(LATER)
"""
_EVENTS: list[Any] = [1, 0, 2, 3, 1, 2, 0, 1, 2, 3, True, False, 1, 7, 2, 0, 1, 3, -1, 1]
_EVENTS += ["s", None, [1, 2], [], Throw(Oops("thrown")), Throw(ValueError("thrown"))]
_EVENTS += [Throw(ExceptionGroup("thrown", [ValueError(1), Worse(2)])), 2, 1, 0, 3, 1]


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


class _Module(Generators):
    """Writes the flows of a module, callees first."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.known = Names()
        """What every function of the module can call."""
        self.has_async = self.chance(50)

    def written(self) -> str:
        parts: list[str] = []
        for number in range(self.below(3) if self.chance(60) else 0):
            self.lines = []
            self.is_async = self.has_async and self.chance(60)
            self.generators(number)
            parts.append("\n".join(self.lines))
        for number in range(self.below(3)):
            kind = self.below(4)
            write = [self.simple_flow, self.variadic_flow, self.recursive_flow, self.shop][kind]
            self.lines = []
            self.is_async = self.has_async and self.chance(70)
            write(number)
            parts.append("\n".join(self.lines))
        self.lines = []
        self.is_async = self.has_async
        self.function("main", "(a, xs)", ["a"], ["xs"], 5)
        parts.append("\n".join(self.lines))
        return "\n\n".join([_PRELUDE, *parts, ""])

    def simple_flow(self, number: int) -> None:
        name = f"flow{number}"
        is_async = self.is_async and bool(self.known.async_flows) and self.chance(70)
        flows = self.known.async_flows if is_async else self.known.flows
        callee = self.pick(flows) if flows else "len"
        given = self.chance(40)
        parameters = f"(a, b=1, f={callee})" if given else "(a, b=1)"
        with self.knowing():
            if given:
                self.known.add_flow("f", "f({})", is_async=is_async)
            self.function(name, parameters, ["a", "b"], [], 3)
        calls = f"{name}({{}})", f"{name}({{}}, {{}})", f"{name}(b={{}}, a={{}})"
        self.known.add_flow(name, *calls, is_async=self.is_async)

    def variadic_flow(self, number: int) -> None:
        name = f"flow{number}"
        self.function(name, "(a, /, *rest, k=2, **more)", ["a", "k"], ["rest"], 3)
        calls = [
            f"{name}({{}}, {{}}, k={{}})", f"{name}(*[{{}}, {{}}])",
            f"{name}({{}}, **{{{{'k': {{}}}}}})", f"{name}({{}}, *({{}},), m={{}})",
        ]  # fmt: skip
        self.known.add_flow(name, *calls, is_async=self.is_async)

    def recursive_flow(self, number: int) -> None:
        name = f"flow{number}"
        wait = "await " if self.is_async else ""
        again = f"{wait}{name}(count - 1, xs)"
        self.function(name, "(count, xs)", ["count"], ["xs"], 2, again=again)
        calls = f"{name}(1, [{{}}])", f"{name}(2, [{{}}, {{}}])"
        self.known.add_flow("", *calls, is_async=self.is_async)

    def shop(self, number: int) -> None:
        """A class that inherits from another, with methods of every kind."""
        name, base = f"Shop{number}", f"Base{number}"
        self.in_class = True
        self.write(f"class {base}:")
        self.level = 1
        self.write("def __init__(self, v):")
        self.write("    self.v = self.__hidden = v")
        with self.knowing():
            self.method_flow("first", "(self, a, b=2)", ["a", "b"])
            self.level = 0
            self.write(f"class {name}({base}):")
            self.level = 1
            self.write("def __init__(self, v):")
            self.write("    super().__init__(v)")
            self.write(f"    self.__hidden = {self.below(3)}")
            self.known.add_flow("", "super().first({})", is_async=self.is_async)
            self.method_flow("__second", "(self, a)", ["a"])
            self.known.add_flow("", "self.__second({})", "self.first({})", is_async=self.is_async)
            if self.chance(50):
                # Were it to call itself, it would do so without end.
                self.known.awaits = [e for e in self.known.awaits if "self.first" not in e]
                self.known.calls = [e for e in self.known.calls if "self.first" not in e]
                self.method_flow("first", "(self, a, b=1)", ["a", "b"])
            self.method_flow("third", "(self, a)", ["a"])
        if kind := self.pick(["", "classmethod", "staticmethod"]):
            self.write(f"@{kind}")
            self.method_flow(
                "fourth", "(cls, a)" if kind == "classmethod" else "(a)", ["a"], own=""
            )
        self.level = 0
        self.in_class = False
        calls = [f"{name}.third({name}({{}}), {{}})", f"{name}.first({name}({{}}), {{}})"]
        if kind:
            calls.append(f"{name}.fourth({{}})")
        self.known.add_flow(f"{name}(1).first", *calls, is_async=self.is_async)

    def method_flow(
        self, name: str, parameters: str, numbers: list[str], *, own: str = "self"
    ) -> None:
        self.own = own
        self.function(name, parameters, numbers, [], 1)
        self.own = ""

    @contextmanager
    def knowing(self) -> Iterator[None]:
        """Make some flows known for a while."""
        before, self.known = self.known, self.known.copy()
        yield
        self.known = before

    def function(
        self, name: str, parameters: str, numbers: list[str], lists: list[str], budget: int,
        *, again: str = "",
    ) -> None:  # fmt: skip
        self.names = self.known.copy()
        self.names.numbers += numbers
        self.names.lists += lists
        self.budget = budget
        self.write("@deflow")
        self.write(f"{'async ' if self.is_async else ''}def {name}{parameters}:")
        self.level += 1
        self.has_global = self.chance(40)
        if self.has_global:
            self.write("global G_total")
        self.beginning(numbers)
        if again:
            self.write(f"if count > 0: {self.number_target()} = log({self.tag()}, {again})")
        self.level -= 1
        self.block(3, budget)
        self.level += 1
        way = "yield" if self.yields and self.is_async else "return"
        self.write(f"{way} [{', '.join(self.result(numbers, lists))}]")
        self.level -= 1

    def beginning(self, numbers: list[str]) -> None:
        """Bind a name of most kinds, so that there is something to work with."""
        self.write(f"n0 = {f'(yield {numbers[0]}) or ' if self.yields else ''}{self.below(3)}")
        self.names.numbers.append("n0")
        if not self.names.lists:
            self.write("xs = [1, 2, 3]")
            self.names.lists.append("xs")
        if self.chance(70):
            self.write(f"box = Box({self.pick(['1', 'xs', '2'])})")
            self.names.boxes.append("box")
        if self.chance(50):
            self.write(f"agent = Agent({self.below(3)})")
            self.names.agents.append("agent")
        if self.names.makers and self.chance(80):
            self.write(f"g0 = {self.new_one(1)}")
            self.names.generators.append("g0")
        if self.names.askers and not self.plain_only and self.chance(80):
            self.write(f"g2 = {self.asker(1)}")
            self.names.asked.append("g2")
        if self.is_async and self.names.async_makers and self.chance(80):
            self.write(f"g1 = {self.new_one(1, is_async=True)}")
            self.names.async_generators.append("g1")
        if self.chance(50):
            self.write(f"d0 = {{0: {self.pick(['1', 'xs'])}, 1: 2}}")
            self.names.tables.append("d0")

    def result(self, numbers: list[str], lists: list[str]) -> list[str]:
        shown = [*numbers, *lists, "n0"]
        shown += [each for each in ("box", "d0") if each in self.names.boxes + self.names.tables]
        return [*shown, self.number(1)]
