"""Writes random expressions, with suspends and flow calls in any position.

Expressions come in kinds (numbers, texts, lists, …), so that most programs run a good way before
something raises. Every name used has a value most of the time, and is logged when it is read in a
place where the order of evaluation shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tests.property.writer import Writer

Writing: TypeAlias = Callable[[int], str]

NUMBERS = [
    (6, "suspending"), (4, "logged"), (3, "arithmetic"), (2, "entry"), (2, "attribute"),
    (2, "flow_call"), (2, "if_else"), (2, "either"), (1, "walrus"), (1, "unary"),
    (2, "plain_call"), (1, "lambda_call"), (1, "length"), (1, "taken"),
    (1, "comparison"), (1, "method"), (1, "form_call"), (1, "generator"), (1, "failing"),
    (2, "consumed"), (3, "awaited"), (1, "own_attribute"), (2, "step_call"), (3, "reached"),
    (2, "drawn"),
]  # fmt: skip
LISTS = [
    (4, "list_name"), (3, "list_display"), (3, "comprehension"), (1, "hiding"), (1, "slice_of"),
    (1, "tuple_display"), (1, "logged_list"), (1, "if_list"), (1, "list_sum"), (1, "row"),
    (1, "suspending"), (1, "asked_each"), (1, "gone_through"),
    (1, "asked_through"),
]  # fmt: skip
CONDITIONS = [
    (4, "comparison"), (2, "either"), (2, "negation"), (2, "chain"), (1, "membership"),
    (1, "identity"), (1, "suspending"), (1, "number"), (1, "box"),
    (1, "quantified"),
]  # fmt: skip
VALUES = [
    (6, "number"), (3, "items"), (2, "text"), (2, "table"), (1, "condition"), (1, "set_display"),
    (1, "tuple_display"), (1, "box"), (1, "lambda_"), (1, "slice_object"),
    (1, "dict_comprehension"), (1, "set_comprehension"),
]  # fmt: skip

_CONSUMERS = [
    "sum({})", "sum({}, {})", "len(list({}))", "len({{*sorted({})}})", "max({}, default={})",
    "min({}, key=lambda q: -q)", "next({}, {})", "len(set({}))", "tuple({}).count({})",
]  # fmt: skip


class Expressions(Writer):
    """Writes expressions as text, parenthesised."""

    # Leaves.

    def suspending(self, depth: int = 0) -> str:
        may_yield = self.yields and not self.in_comprehension
        if may_yield and (self.plain_only or self.chance(50)):
            return f"((yield {self.leaf()}) or {self.below(3)})" if self.chance(85) else "(yield)"
        if self.plain_only:
            return self.leaf()
        if self.chance(4):
            return "(sleep(DAY) or 1)"
        self.events += 1
        if self.chance(8):
            return f'suspend("e{self.events}", "or{self.events}")[1]'
        if self.is_async and self.chance(30):
            return f'(await suspend("e{self.events}"))'
        return f'suspend("e{self.events}")'

    def leaf(self, depth: int = 0) -> str:
        if self.names.numbers and self.chance(60):
            return self.pick(self.names.numbers)
        return str(self.below(4))

    def tag(self) -> str:
        self.tags += 1
        return f'"t{self.tags}"'

    def logged(self, depth: int) -> str:
        return f"log({self.tag()}, {self.number(depth - 1)})"

    # Numbers.

    def number(self, depth: int) -> str:
        if depth <= 0 or self.chance(25):
            return self.leaf() if self.chance(70) else self.suspending()
        return self.of(NUMBERS, depth)

    def arithmetic(self, depth: int) -> str:
        operator = self.pick(["+", "-", "|", "&", "^", "//", "%", "*", "<<", ">>", "/", "**"])
        left = self.number(depth - 1)
        if operator in ("*", "<<", "**"):
            return f"({left} {operator} (1 if {self.condition(depth - 1)} else 2))"
        return f"({left} {operator} {self.number(depth - 1)})"

    def unary(self, depth: int) -> str:
        return f"({self.pick(['-', '+', '~', 'not '])}{self.number(depth - 1)})"

    def entry(self, depth: int) -> str:
        if self.chance(50):
            return f"{self.list_name(depth)}[{self.place(depth - 1)}]"
        if self.chance(50):
            return f"{self.box(depth)}[{self.subscript(depth - 1)}]"
        return f"{self.table_name(depth)}[{self.place(depth - 1)}]"

    def place(self, depth: int) -> str:
        """A key or an index, which exists most of the time."""
        return self.number(depth) if self.chance(15) else f"{self.number(depth)} & 1"

    def subscript(self, depth: int) -> str:
        if self.chance(60):
            return self.number(depth)
        parts = [self.number(depth) if self.chance(70) else "" for _ in range(2 + self.below(2))]
        plain = ":".join(parts)
        return plain if self.chance(70) else f"{plain}, {self.number(depth)}"

    def attribute(self, depth: int) -> str:
        return f"{self.box(depth - 1)}.v"

    def if_else(self, depth: int) -> str:
        test, then, other = (
            self.condition(depth - 1), self.number(depth - 1), self.number(depth - 1)
        )  # fmt: skip
        return f"({then} if {test} else {other})"

    def either(self, depth: int) -> str:
        operator = self.pick([" and ", " or "])
        return f"({operator.join(self.number(depth - 1) for _ in range(2 + self.below(2)))})"

    def walrus(self, depth: int) -> str:
        if self.no_walrus or not self.names.numbers:
            return self.number(depth - 1)
        return f"({self.pick(self.names.numbers)} := {self.number(depth - 1)})"

    def plain_call(self, depth: int) -> str:
        if not self.names.plain:
            return self.logged(depth)
        return f"{self.pick(self.names.plain)}({self.number(depth - 1)})"

    def lambda_call(self, depth: int) -> str:
        return f"({self.lambda_(depth)})({self.number(depth - 1)})"

    def length(self, depth: int) -> str:
        return f"len({self.items(depth - 1)})"

    def failing(self, depth: int) -> str:
        return f"fail({self.number(depth - 1)})" if self.chance(30) else self.logged(depth)

    def taken(self, depth: int) -> str:
        return f"{self.box(depth)}.take({self.arguments(depth - 1)})"

    def method(self, depth: int) -> str:
        method = self.pick(["count", "count", "index"])
        return f"{self.list_name(depth)}.{method}({self.number(depth - 1)})"

    def awaited(self, depth: int) -> str:
        """An ordinary await, which ends within the turn."""
        if not self.is_async:
            return self.logged(depth)
        if self.names.coroutines and self.chance(50):
            return f"(await {self.pick(self.names.coroutines)}({self.number(depth - 1)}))"
        return f"(await alog({self.tag()}, {self.number(depth - 1)}))"

    def own_attribute(self, depth: int) -> str:
        """What only a method can read: a private attribute, and its class."""
        if self.own and self.chance(60):
            return f"{self.own}.{self.pick(['v', '__hidden', '__hidden'])}"
        return "len(__class__.__name__)" if self.in_class else self.leaf()

    def generator(self, depth: int) -> str:
        self.no_walrus += 1
        with self.plainly():
            element = self.number(1)
        written = f"sum({element} for x in {self.items(depth - 1)})"
        self.no_walrus -= 1
        return written

    def consumed(self, depth: int) -> str:
        """A generator expression that may suspend, in a builtin that takes it apart."""
        if self.is_async:
            return self.generator(depth)  # with an `await` inside it would be an asynchronous one
        self.no_walrus += 1  # which Python refuses in the defaults of a method
        generator = f"({self.comprehended(depth, self.number)})"
        self.no_walrus -= 1
        # A plain generator could not be stored while an argument after it waits.
        return self.pick(_CONSUMERS).format(generator, self.leaf())

    def quantified(self, depth: int) -> str:
        if self.is_async:
            return self.comparison(depth)
        self.no_walrus += 1
        generator = self.comprehended(depth, self.condition)
        self.no_walrus -= 1
        return f"{self.pick(['any', 'all'])}({generator})"

    def arguments(self, depth: int) -> str:
        """Arguments of every kind, in an order that Python accepts."""
        parts = [
            f"*{self.items(depth)}" if self.chance(25) else self.number(depth)
            for _ in range(self.below(3))
        ]
        names = ["k", "m", "n"]
        for number in range(self.below(3)):
            if self.chance(35):
                parts.append(f"**{self.keywords(depth)}")
            elif self.chance(20) and not any(each.startswith("**") for each in parts):
                parts.append(f"*{self.items(depth)}")
            else:
                parts.append(f"{names[number]}={self.number(depth)}")
        return ", ".join(parts)

    def keywords(self, depth: int) -> str:
        """A mapping with a key of its own: see the counterexamples on `**` for why."""
        self.tags += 1
        return f'{{"o{self.tags}": {self.number(depth)}}}'

    # Calls of flows.

    def flow_call(self, depth: int) -> str:
        templates = self.names.calls + (self.names.awaits if self.is_async else [])
        if self.in_comprehension or not self.own:
            # Before 3.12 a comprehension is a function, in which `super()` finds no `self`.
            templates = [each for each in templates if "super()" not in each]
        if self.in_comprehension or self.certain_only:
            # What a parameter holds may be a flow, and such a call is no point there.
            templates = [each for each in templates if not each.startswith(("f(", "(await f("))]
        if self.plain_only or not templates:
            return self.suspending()
        template = self.pick(templates)
        return template.format(*(self.number(depth - 1) for _ in range(template.count("{}"))))

    def form_call(self, depth: int) -> str:
        flows, wait = self.names.flows, ""
        if self.is_async and self.names.async_flows:
            flows, wait = self.names.async_flows, "await "
        if self.plain_only or not flows:
            return self.suspending()
        return f"({wait}call({self.pick(flows)}, {self.number(depth - 1)}))"

    def step_call(self, depth: int) -> str:
        if self.plain_only:
            return self.logged(depth)
        value = self.number(depth - 1)
        if self.chance(20):
            return f"failed({value})"
        if self.is_async and self.chance(50):
            return f"(await told_later({self.tag()}, {value}))"
        return f"told({self.tag()}, {value})"

    # Flows that no name leads to.

    def agent(self, depth: int) -> str:
        if self.names.agents and self.chance(60):
            return self.pick(self.names.agents)
        return f"Agent({self.number(depth - 1)})"

    def reached(self, depth: int) -> str:
        """A call of a method, or of what a table holds, inside an expression."""
        if self.plain_only:
            return self.logged(depth)
        if self.certain_only:
            return self.form_call(depth)
        agent, value = self.agent(depth), self.number(depth - 1)
        ways = [f"{agent}.ask({value})", f"{agent}.also().ask({value})"]
        ways.append(f"HANDLERS[{self.place(depth - 1)}]({value})")
        if not self.in_comprehension:
            # What is in the table the text does not show, and then such a call is no point there.
            ways += [f"MADE[{self.place(depth - 1)}]({value})", f"MADE.get(0)({value})"]
        if self.is_async:
            place = self.place(depth - 1)
            ways += [f"(await {agent}.later({value}))", f"(await LATER[{place}]({value}))"]
            ways += [f"(await MADE_LATER[{place}]({value}))"]
        return self.pick(ways)

    def asked_each(self, depth: int) -> str:
        """A comprehension over objects whose method is a flow."""
        if self.plain_only or self.certain_only:
            return self.comprehension(depth)
        self.no_walrus += 1
        agents = f"[{self.agent(depth)}, {self.agent(depth)}]"
        around, self.in_comprehension = self.in_comprehension, True
        asked = f"who.{self.pick(['ask', 'also'])}({self.number(depth - 1)})"
        test = f" if {self.condition(depth - 1)}" if self.chance(30) else ""
        self.in_comprehension = around
        self.no_walrus -= 1
        return f"[{asked} for who in {agents}{test}]"

    # Conditions.

    def condition(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(["True", "False"]) if self.chance(50) else f"({self.leaf()} < 2)"
        return self.of(CONDITIONS, depth)

    def comparison(self, depth: int) -> str:
        operator = self.pick(["<", "<=", ">", ">=", "==", "!="])
        return f"({self.number(depth - 1)} {operator} {self.number(depth - 1)})"

    def chain(self, depth: int) -> str:
        parts = [self.number(depth - 1)]
        for _ in range(2 + self.below(2)):
            parts += [self.pick(["<", "<=", ">", "==", "!="]), self.number(depth - 1)]
        return f"({' '.join(parts)})"

    def negation(self, depth: int) -> str:
        return f"(not {self.condition(depth - 1)})"

    def membership(self, depth: int) -> str:
        container = self.items(depth - 1) if self.chance(60) else self.box(depth)
        return f"({self.number(depth - 1)} {self.pick(['in', 'not in'])} {container})"

    def identity(self, depth: int) -> str:
        left, right = self.list_name(depth), self.items(depth - 1)
        return f"({left} {self.pick(['is', 'is not'])} {right})"

    # Texts.

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(self.names.texts) if self.names.texts else '"s"'
        parts = "".join(self.formatted(depth) for _ in range(1 + self.below(3)))
        return f"f'a{parts}'"

    def formatted(self, depth: int) -> str:
        value = self.number(depth - 1) if self.chance(70) else self.box(depth)
        # Before 3.12 an f-string cannot hold its own kind of quotes.
        if "'" in value or value.startswith("{") or "lambda" in value:
            value = self.suspending()
        conversion = self.pick(["", "", "!r", "!s", "="])
        if conversion == "=" and value.startswith("("):
            conversion = ""
        spec = self.pick(["", "", ":>4", ":{" + self.spec(depth) + "}"])
        return "{" + value + conversion + spec + "}"

    def spec(self, depth: int) -> str:
        return self.suspending() if self.chance(60) else self.leaf()

    # Lists and other collections.

    def items(self, depth: int) -> str:
        return self.list_name(depth) if depth <= 0 else self.of(LISTS, depth)

    def list_name(self, depth: int = 0) -> str:
        return self.pick(self.names.lists) if self.names.lists else "[1, 2]"

    def elements(self, depth: int, limit: int = 3) -> str:
        parts = [
            f"*{self.items(depth - 1)}" if self.chance(20) else self.value(depth - 1)
            for _ in range(self.below(limit + 1))
        ]
        return ", ".join(parts)

    def list_display(self, depth: int) -> str:
        return f"[{self.elements(depth)}]"

    def tuple_display(self, depth: int) -> str:
        return f"({self.number(depth - 1)}, {self.elements(depth, 2)})"

    def set_display(self, depth: int) -> str:
        return f"{{{self.number(depth - 1)}, {self.number(depth - 1)}}}"

    def logged_list(self, depth: int) -> str:
        return f"log({self.tag()}, {self.items(depth - 1)})"

    def if_list(self, depth: int) -> str:
        test = self.condition(depth - 1)
        return f"({self.items(depth - 1)} if {test} else {self.items(depth - 1)})"

    def list_sum(self, depth: int) -> str:
        return f"({self.list_name()} + {self.items(depth - 1)})"

    def slice_of(self, depth: int) -> str:
        return f"{self.list_name()}[{self.number(depth - 1)}:{self.number(depth - 1)}]"

    def row(self, depth: int) -> str:
        return f"Row({self.number(depth - 1)}, {self.number(depth - 1)})"

    def slice_object(self, depth: int) -> str:
        return f"{self.box(depth)}[{self.number(depth - 1)}:{self.number(depth - 1)}:]"

    def table_name(self, depth: int = 0) -> str:
        return self.pick(self.names.tables) if self.names.tables else "{1: 2}"

    def table(self, depth: int) -> str:
        if depth <= 0:
            return self.table_name()
        parts = [
            f"**{self.table(depth - 1)}" if self.chance(25)
            else f"{self.number(depth - 1)}: {self.value(depth - 1)}"
            for _ in range(self.below(3))
        ]  # fmt: skip
        return f"{{{', '.join(parts)}}}"

    def box(self, depth: int) -> str:
        if depth > 1 and self.chance(15):
            return f"Box({self.number(depth - 1)})"
        if depth > 1 and self.chance(20) and self.names.boxes:
            return f"log({self.tag()}, {self.pick(self.names.boxes)})"
        return self.pick(self.names.boxes) if self.names.boxes else "Box(1)"

    def value(self, depth: int) -> str:
        return self.leaf() if depth <= 0 else self.of(VALUES, depth)

    # Functions and comprehensions.

    def lambda_(self, depth: int) -> str:
        self.no_walrus += 1
        parameter = self.pick(["q", "x"])
        names = list(self.names.numbers)
        # The variables of a comprehension that suspends cannot be captured.
        self.names.numbers = [each for each in names if each not in ("x", "y")]
        around, self.is_inner = self.is_inner, True
        with self.plainly():
            first = self.leaf()
            body = self.number(min(depth, 2) - 1)
        self.names.numbers, self.is_inner = names, around
        default = f", r={self.number(depth - 1)}" if self.chance(25) else ""
        self.no_walrus -= 1
        return f"(lambda {parameter}={first}{default}: ({parameter}, {body})[1])"

    def clauses(self, depth: int) -> tuple[str, list[str]]:
        """The `for` and `if` clauses of a comprehension, and the names that they bind."""
        clauses: list[str] = []
        bound: list[str] = []
        own = ["x", "y"][: 1 + (self.below(5) == 4)]
        # Until it is bound, a name of an outer comprehension's is one of this that has no value.
        self.names.numbers = [each for each in self.names.numbers if each not in own]
        for name in own:
            # What binds a name outside must not stand in an iterable.
            self.no_walrus += 1
            each = "for"
            if self.is_async and self.chance(30):
                each = "async for"
                iterable = f"Stream({self.number(depth - 1)}, {self.number(depth - 1)})"
            else:
                iterable = self.items(depth - 1)
            self.no_walrus -= 1
            bound.append(name)
            self.names.numbers.append(name)
            clauses.append(f"{each} {name} in {iterable}")
            if self.chance(40):
                clauses.append(f"if {self.guarded(bound, self.condition, depth - 1)}")
        return " ".join(clauses), bound

    def guarded(self, bound: list[str], write: Writing, depth: int) -> str:
        """Write a part of a comprehension; a walrus there must not bind its own variables."""
        self.no_walrus += 1
        written = write(depth)
        self.no_walrus -= 1
        if self.chance(15) and not self.no_walrus and len(self.names.numbers) > len(bound):
            outer = [each for each in self.names.numbers if each not in ("x", "y")]
            if outer:
                return f"({self.pick(outer)} := {written})"
        return written

    def comprehension(self, depth: int) -> str:
        return f"[{self.comprehended(depth, self.value)}]"

    def hiding(self, depth: int) -> str:
        """A comprehension whose variable hides one of the flow's, and is captured in it.

        Not in inner functions: there Python itself takes the two for one (gh-156664, gh-121377).
        """
        if self.is_inner or self.in_comprehension or not self.names.numbers:
            return self.comprehension(depth)
        name = self.pick(self.names.numbers)
        self.no_walrus += 1
        iterable = self.items(depth - 1)
        self.is_inner = True
        with self.plainly():
            element = f"(lambda q: ({name}, q, {self.number(1)}))({self.number(1)})"
        self.is_inner = False
        self.no_walrus -= 1
        return f"[{element} for {name} in {iterable}]"

    def set_comprehension(self, depth: int) -> str:
        return f"{{{self.comprehended(depth, self.number)}}}"

    def dict_comprehension(self, depth: int) -> str:
        return f"{{{self.comprehended(depth, self.value, key=True)}}}"

    def comprehended(self, depth: int, write: Writing, *, key: bool = False) -> str:
        """Write the element of a comprehension and its clauses."""
        names, around = list(self.names.numbers), self.in_comprehension
        self.in_comprehension = True
        clauses, bound = self.clauses(depth)
        first = f"{self.guarded(bound, self.number, depth - 1)}: " if key else ""
        element = self.guarded(bound, write, depth - 1)
        self.names.numbers, self.in_comprehension = names, around
        return f"{first}{element} {clauses}"
