"""Writes random simple statements: assignments to all targets, deletions, raises and so on."""

from __future__ import annotations

from tests.property.choices import Choices
from tests.property.expressions import Expressions

SIMPLE = [
    (6, "log_statement"), (5, "assign_number"), (3, "assign_entry"), (3, "assign_attribute"),
    (3, "assign_items"), (2, "unpack"), (2, "many_targets"), (2, "augment_name"),
    (2, "augment_attribute"), (2, "augment_entry"), (2, "bare_call"), (2, "append"),
    (1, "annotated"), (1, "delete_name"), (1, "delete_entry"), (1, "delete_several"),
    (1, "assertion"), (1, "global_total"), (1, "respond_statement"), (1, "assign_table"),
    (1, "assign_text"), (1, "alias"), (1, "assign_dynamic"), (1, "new_box"), (1, "bare_annotation"),
    (1, "import_statement"), (1, "assign_own"), (1, "shrink"),
    (2, "hold_generator"), (1, "same_generator"), (1, "unpack_generator"), (1, "delegation"),
]  # fmt: skip


_MODULES = [
    ("import operator as {0}", "{0}.neg"),
    ("from operator import neg as {0}", "{0}"),
    ("from builtins import bool as {0}", "{0}"),
    ("import operator as {0}, math", "{0}.truth"),
    ("from tests.property.world import log as {0}, show as {0}_show", "{0}"),
    ("import tests.property.world", "tests.property.world.log"),
    ("import tests.property.world as {0}", "{0}.log"),
]
"""Imports, and what they make known: a function of one argument."""


class Statements(Expressions):
    """Writes statements as lines of text at the current indentation."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.lines: list[str] = []
        self.level = 0
        self.budget = 0
        """How many more statements the current function may have."""
        self.has_global = False
        self.rebound: set[str] = set()
        """The names that some inner function declares nonlocal."""
        self.errors: list[str] = []
        """The names of the exceptions that are being handled."""

    def write(self, text: str) -> None:
        self.lines.append("    " * self.level + text)

    def simple(self) -> None:
        self.write(self.of(SIMPLE, 3))

    # Statements of one line; each is given the depth of its expressions.

    def log_statement(self, depth: int) -> str:
        return f"log({self.tag()}, {self.value(depth)})"

    def respond_statement(self, depth: int) -> str:
        return f"respond({self.number(depth - 1)}, {self.text(depth - 1)})"

    def assign_number(self, depth: int) -> str:
        return f"{self.number_target()} = {self.number(depth)}"

    def number_target(self) -> str:
        if not self.names.numbers or self.chance(40):
            name = self.fresh("n")
            self.names.numbers.append(name)
            return name
        return self.pick(self.names.numbers)

    def assign_items(self, depth: int) -> str:
        value = self.items(depth)
        if self.names.lists and self.chance(50):
            return f"{self.pick(self.names.lists)} = {value}"
        name = self.fresh("xs")
        self.names.lists.append(name)
        return f"{name} = {value}"

    def shrink(self, depth: int) -> str:
        return f"del {self.list_name()}[{self.place(depth - 1)}:]"

    def assign_table(self, depth: int) -> str:
        value = self.table(depth)
        name = self.fresh("d")
        self.names.tables.append(name)
        return f"{name} = {value}"

    def assign_text(self, depth: int) -> str:
        value = self.text(depth)
        name = self.fresh("s")
        self.names.texts.append(name)
        return f"{name} = {value}"

    def new_box(self, depth: int) -> str:
        value = self.items(depth - 1)
        name = self.fresh("b")
        self.names.boxes.append(name)
        return f"{name} = Box({value})"

    def alias(self, depth: int) -> str:
        value = self.list_name()
        name = self.fresh("xs")
        self.names.lists.append(name)
        return f"{name} = {self.box(1)}.v = {value}" if self.chance(50) else f"{name} = {value}"

    def assign_dynamic(self, depth: int) -> str:
        """A call of a callee that the compiler cannot know, which is a point as a statement."""
        flows, wait = self.names.flows, ""
        if self.is_async and self.names.async_flows and self.chance(70):
            flows, wait = self.names.async_flows, "await "
        if self.plain_only or self.certain_only or not flows:
            return self.assign_number(depth)
        callee = f"[{self.pick(flows)}][0]"
        if self.chance(40):
            other = "alog" if wait else "len"
            callee = f"({self.pick(flows)} if {self.condition(1)} else {other})"
        return f"{self.number_target()} = {wait}{callee}({self.number(depth - 1)})"

    def import_statement(self, depth: int) -> str:
        statement, function = self.pick_import()
        self.names.plain.append(function)
        return statement

    def pick_import(self) -> tuple[str, str]:
        statement, function = _MODULES[self.below(len(_MODULES))]
        name = self.fresh("m")
        return statement.format(name), function.format(name)

    def assign_own(self, depth: int) -> str:
        if not self.own:
            return self.assign_attribute(depth)
        return f"{self.own}.__hidden {self.pick(['=', '+='])} {self.number(depth)}"

    def target(self, depth: int) -> str:
        """One assignment target, with suspends inside it now and then."""
        kind = self.below(6)
        if kind <= 1:
            return self.number_target()
        if kind == 2:
            return f"{self.list_name()}[{self.place(depth - 1)}]"
        if kind == 3:
            return f"{self.box(depth)}[{self.subscript(depth - 1)}]"
        if kind == 4:
            return f"{self.box(depth)}.v"
        return f"{self.table_name()}[{self.place(depth - 1)}]"

    def assign_entry(self, depth: int) -> str:
        value = self.number(depth - 1)
        return f"{self.target(depth)} = {value}"

    def assign_attribute(self, depth: int) -> str:
        value = self.number(depth) if self.chance(65) else self.items(depth - 1)
        return f"{self.box(depth)}.v = {value}"

    def unpack(self, depth: int) -> str:
        if self.chance(30):
            value = (
                f"{self.number(depth - 1)}, [{self.number(depth - 1)}, {self.number(depth - 1)}]"
            )
            return f"{self.target(depth)}, ({self.target(depth)}, {self.target(1)}) = {value}"
        if self.chance(40):
            value = self.items(depth)
            return f"{self.target(depth)}, *{self.target(depth)} = {value}"
        value = f"{self.number(depth - 1)}, {self.number(depth - 1)}"
        if self.chance(30):
            value = self.items(depth)
        return f"{self.target(depth)}, {self.target(depth)} = {value}"

    def many_targets(self, depth: int) -> str:
        value = self.items(depth - 1) if self.chance(50) else self.number(depth - 1)
        return f"{self.target(depth)} = {self.target(depth)} = {value}"

    def operator(self) -> str:
        return self.pick(["+=", "-=", "|=", "&=", "^=", "//=", "%="])

    def augment_name(self, depth: int) -> str:
        if self.chance(30) and self.names.lists:
            return f"{self.pick(self.names.lists)} += {self.items(depth - 1)}"
        if not self.names.numbers:
            return self.assign_number(depth)
        return f"{self.pick(self.names.numbers)} {self.operator()} {self.number(depth)}"

    def augment_attribute(self, depth: int) -> str:
        return f"{self.box(depth)}.v {self.operator()} {self.number(depth)}"

    def augment_entry(self, depth: int) -> str:
        owner = self.box(depth) if self.chance(60) else self.list_name()
        return f"{owner}[{self.number(depth - 1)}] {self.operator()} {self.number(depth)}"

    def bare_call(self, depth: int) -> str:
        return self.flow_call(depth) if self.chance(60) else self.suspending()

    def append(self, depth: int) -> str:
        # Where the list is gone through meanwhile, that comes to an end.
        name = self.list_name()
        return f"{name}.append({self.value(depth)}) if len({name}) < 20 else None"

    def annotated(self, depth: int) -> str:
        value = self.number(depth)
        target = self.target(depth)
        # A nonlocal name cannot be annotated, unless it is in parentheses.
        target = f"({target})" if target in self.rebound else target
        return f"{target}: int = {value}"

    def bare_annotation(self, depth: int) -> str:
        return f"{self.box(depth)}[{self.number(depth - 1)}]: int"

    def delete_name(self, depth: int) -> str:
        names = [*self.names.numbers, *self.names.lists]
        return f"del {self.pick(names)}" if names and self.chance(60) else self.delete_entry(depth)

    def delete_entry(self, depth: int) -> str:
        if self.chance(50):
            return f"del {self.box(depth)}[{self.subscript(depth - 1)}]"
        return f"del {self.list_name()}[{self.place(depth - 1)}]"

    def delete_several(self, depth: int) -> str:
        first = f"{self.list_name()}[{self.place(depth - 1)}]"
        second = f"{self.box(depth)}[{self.number(depth - 1)}]"
        third = f"{self.table_name()}[{self.place(depth - 1)}]"
        if self.chance(30):
            return f"del ({first}, {second})"
        return f"del {first}, {second}, {third}"

    def assertion(self, depth: int) -> str:
        message = f", {self.value(depth - 1)}" if self.chance(60) else ""
        return f"assert {self.condition(depth)}{message}"

    def global_total(self, depth: int) -> str:
        if not self.has_global:
            return self.augment_name(depth)
        # Of a text: what a global shares with a flow's variables, it shares until the next suspend.
        return f"G_total {self.pick(['=', '+='])} repr({self.number(depth)})"

    def return_statement(self, depth: int = 3) -> str:
        if self.chance(15) or (self.yields and self.is_async):
            return "return"
        return f"return {self.value(depth)}"

    def exception(self, depth: int) -> str:
        kind = self.pick(["ValueError", "KeyError", "Oops", "Worse", "TypeError"])
        return f"{kind}({self.number(depth)})"

    def group(self, depth: int) -> str:
        parts = [self.number(depth) for _ in range(1 + self.below(4))]
        return f"group({', '.join(parts)})"

    def raise_statement(self, depth: int = 2) -> str:
        error = self.group(depth) if self.chance(15) else self.exception(depth)
        if not self.chance(30):
            return f"raise {error}"
        causes = [self.exception(depth - 1), "None", *self.errors]
        return f"raise {error} from {self.pick(causes)}"
