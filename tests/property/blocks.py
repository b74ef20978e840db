"""Writes random compound statements, in every nesting; here are conditions and loops."""

from __future__ import annotations

from tests.property.choices import Choices
from tests.property.statements import Statements

COMPOUND = [
    (4, "if_block"), (3, "for_block"), (2, "while_block"), (6, "try_block"), (3, "with_block"),
    (2, "match_block"), (3, "function_block"), (2, "groups_block"), (1, "class_block"),
    (1, "generator_block"), (3, "generator_loop"), (2, "opened_block"),
    (2, "inner_generator_block"),
]  # fmt: skip


class Blocks(Statements):
    """Writes whole blocks."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.in_loop = False
        self.in_handler = 0
        self.in_try = 0
        self.may_return = True

    def block(self, depth: int, limit: int = 3) -> None:
        """Write one to a few statements, one level further in."""
        self.level += 1
        names = self.names.copy()
        for _ in range(1 + self.below(limit)):
            self.statement(depth)
        if self.level > 1 and self.chance(80):
            # What a block binds may have no value after it.
            self.names = names
        self.level -= 1

    def statement(self, depth: int) -> None:
        self.budget -= 1
        if self.budget < 0 or depth <= 0:
            self.leave() if self.chance(20) else self.simple()
        elif self.chance(35):
            self.compound(depth)
        elif self.chance(12):
            self.leave()
        elif self.chance(40):
            self.guarded_simple()
        else:
            self.simple()

    def compound(self, depth: int) -> None:
        name = self.pick([name for weight, name in COMPOUND for _ in range(weight)])
        getattr(self, name)(depth)

    def guarded_simple(self) -> None:
        """A simple statement that may fail without ending the program."""
        self.write("try:")
        self.level += 1
        self.simple()
        self.level -= 1
        self.write("except Exception as error:")
        self.write("    log(show(error))")

    def leave(self) -> None:
        """Write a statement that leaves the block, if there is one that may stand here."""
        ways = []
        if self.in_try or self.chance(20):
            ways += ["raise"]
        if self.may_return and (self.in_try or self.in_loop or self.chance(20)):
            ways += ["return"]
        if self.in_loop:
            ways += ["break", "continue"]
        if self.in_handler:
            ways += ["again", "again"]
        if not ways:
            self.simple()
            return
        way = self.pick(ways)
        if self.chance(40) and way != "again":
            self.write(f"if {self.condition(2)}:")
            self.level += 1
            self.write(self.leaving(way))
            self.level -= 1
        else:
            self.write(self.leaving(way))

    def leaving(self, way: str) -> str:
        if way == "return":
            return self.return_statement()
        if way == "raise":
            return self.raise_statement()
        if way == "again":
            return self.pick(["raise", *(f"raise {each}" for each in self.errors)])
        return way

    def if_block(self, depth: int) -> None:
        self.write(f"if {self.condition(3)}:")
        self.block(depth - 1)
        if self.chance(30):
            self.write(f"elif {self.condition(3)}:")
            self.block(depth - 1)
        if self.chance(50):
            self.write("else:")
            self.block(depth - 1)

    def looped(self, depth: int) -> None:
        before, self.in_loop = self.in_loop, True
        self.block(depth - 1)
        self.in_loop = before
        if self.chance(40):
            self.write("else:")
            self.block(depth - 1, 2)

    def for_block(self, depth: int) -> None:
        each = "for"
        if self.is_async and self.chance(60):
            each = "async for"
            iterable = f"Stream({self.number(2)}, {self.number(1)})"
        else:
            iterable = self.iterable()
        target = self.target(2) if self.chance(75) else f"{self.target(2)}, {self.target(1)}"
        self.write(f"{each} {target} in {iterable}:")
        self.looped(depth)

    def iterable(self) -> str:
        kind = self.below(9)
        if kind <= 1:
            return f"{self.items(2)}[:3]"
        if kind == 2:
            return f"range({self.number(1)} & 3)"
        if kind == 3:
            return f"enumerate({self.items(2)}[:3])"
        if kind == 4:
            return f"zip({self.items(1)}[:3], {self.items(2)})"
        if kind == 5:
            return f"Row({self.number(2)}, {self.number(1)})"
        if kind in (6, 7):
            # The very list, which may shrink or grow meanwhile; but not without end.
            way = self.pick(["{}", "reversed({})"])
            return f"zip(range(4), {way.format(self.list_name())})"
        return f"list({self.table(2)}.items())[:3]"

    def while_block(self, depth: int) -> None:
        counter = self.fresh("w")
        self.write(f"{counter} = 0")
        test = f"{counter} < {1 + self.below(3)}"
        if self.chance(60):
            test = f"{test} and {self.condition(2)}"
        self.write(f"while {test}:")
        self.level += 1
        self.write(f"{counter} += 1")
        self.level -= 1
        self.looped(depth)
