"""Writes random compound statements, in every nesting: loops, `try`, `with`, `match`, functions."""

from __future__ import annotations

from tests.property.choices import Choices
from tests.property.statements import Statements

COMPOUND = [
    (4, "if_block"), (3, "for_block"), (2, "while_block"), (6, "try_block"), (3, "with_block"),
    (2, "match_block"), (2, "function_block"), (1, "groups_block"),
]  # fmt: skip
_HANDLED = [
    "ValueError", "KeyError", "Oops", "Worse", "(TypeError, ValueError)", "Exception",
    "LookupError", "BaseException", "ArithmeticError",
]  # fmt: skip


class Blocks(Statements):
    """Writes whole blocks."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self.in_loop = False
        self.in_handler = 0
        self.errors: list[str] = []
        """The names of the exceptions that are being handled."""
        self.may_return = True

    def block(self, depth: int, limit: int = 3) -> None:
        """Write one to a few statements, one level further in."""
        self.level += 1
        before = len(self.lines)
        for _ in range(1 + self.below(limit)):
            self.statement(depth)
        if len(self.lines) == before:
            self.write("pass")
        self.level -= 1

    def statement(self, depth: int) -> None:
        self.budget -= 1
        if self.budget < 0 or depth <= 0:
            self.leave() if self.chance(20) else self.simple()
        elif self.chance(35):
            getattr(self, self.pick([name for weight, name in COMPOUND for _ in range(weight)]))(
                depth
            )
        elif self.chance(12):
            self.leave()
        elif self.chance(40):
            self.guarded_simple()
        else:
            self.simple()

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
        ways = ["raise"]
        if self.may_return:
            ways.append("return")
        if self.in_loop:
            ways += ["break", "continue"]
        if self.in_handler:
            ways += ["again", "again"]
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
        iterable = self.iterable()
        target = self.target(2) if self.chance(75) else f"{self.target(2)}, {self.target(1)}"
        self.write(f"for {target} in {iterable}:")
        self.looped(depth)

    def iterable(self) -> str:
        kind = self.below(7)
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

    # try

    def try_block(self, depth: int) -> None:
        self.write("try:")
        self.block(depth - 1)
        handlers = self.below(3)
        final = handlers == 0 or self.chance(50)
        for number in range(handlers):
            self.handler(depth, last=number == handlers - 1)
        if handlers and self.chance(30):
            self.write("else:")
            self.block(depth - 1, 2)
        if final:
            self.write("finally:")
            self.block(depth - 1, 2)

    def handler(self, depth: int, *, last: bool) -> None:
        kind = self.pick(_HANDLED)
        if last and self.chance(15):
            self.write("except:")
            name = ""
        elif self.chance(70):
            name = self.pick(["error", "error", "e1"])
            self.write(f"except {kind} as {name}:")
        else:
            name = ""
            self.write(f"except {kind}:")
        errors = list(self.errors)
        self.in_handler += 1
        self.level += 1
        if name:
            self.errors.append(name)
        self.handling(name)
        self.level -= 1
        self.block(depth - 1)
        self.in_handler -= 1
        self.errors = errors

    def handling(self, name: str) -> None:
        """Write what a handler looks at first: the exception, or what Python says of it."""
        kind = self.below(6)
        if kind <= 1:
            self.write(f"log({self.suspending()})")
        if kind <= 2:
            self.write("show(sys.exc_info()[1])")
        elif kind == 3 and name:
            self.write(f"show({name})")
        elif kind == 4 and name:
            self.write(f"{name} = {self.number(2)}")
            self.write(f"log({name})")
        elif kind == 5 and name:
            self.write(f"keep = lambda: log(show({name}))")
            self.write(f"log({self.suspending()})")
            self.write("keep()")

    def groups_block(self, depth: int) -> None:
        """`except*`, whose handlers cannot suspend."""
        self.write("try:")
        self.level += 1
        self.write(f"log({self.suspending()})")
        self.level -= 1
        self.block(depth - 1, 2)
        self.write(
            f"except* {self.pick(['ValueError', 'Oops', '(KeyError, TypeError)'])} as group:"
        )
        self.level += 1
        self.plain_only, before = True, self.plain_only
        self.write(f"log({self.number(2)}, group)")
        self.plain_only = before
        self.level -= 1
        if self.chance(50):
            self.write("finally:")
            self.block(depth - 1, 2)

    # with

    def with_block(self, depth: int) -> None:
        items = [self.managed() for _ in range(1 + self.below(2))]
        self.write(f"with {', '.join(items)}:")
        self.block(depth - 1)

    def managed(self) -> str:
        swallows = self.pick(["False", "False", "True", self.condition(1)])
        fails = self.pick(['""', '""', '""', '""', '"enter"', '"exit"'])
        name = self.tag() if self.chance(70) else f"str({self.number(2)})"
        manager = f"Managed({name}, {swallows}, {fails})"
        kind = self.below(6)
        if kind <= 2:
            return manager
        if kind == 3:
            name = self.fresh("xs")
            self.names.lists.append(name)
            return f"{manager} as {name}"
        if kind == 4:
            return f"{manager} as ({self.target(2)}, {self.target(2)})"
        return f"{manager} as {self.target(2)}"

    # match

    def match_block(self, depth: int) -> None:
        self.write(f"match {self.subject()}:")
        self.level += 1
        for _ in range(1 + self.below(3)):
            pattern, bound = self.pattern(2)
            self.names.numbers += [each for each in bound if each not in self.names.numbers]
            guard = f" if {self.condition(2)}" if self.chance(45) and " if " not in pattern else ""
            self.write(f"case {pattern}{guard}:")
            self.block(depth - 1, 2)
        if self.chance(50):
            self.write("case _:")
            self.block(depth - 1, 2)
        self.level -= 1

    def subject(self) -> str:
        return self.pick(
            [
                self.number(3), self.items(3), f"Point({self.number(2)}, {self.items(2)})",
                f'{{"k": {self.number(2)}, "m": {self.items(2)}}}',
                f"[{self.number(2)}, [{self.number(1)}, 2]]",
                f"({self.number(2)}, {self.number(2)})",
            ]
        )  # fmt: skip

    def pattern(self, depth: int) -> tuple[str, list[str]]:
        kind = self.below(9) if depth else self.below(3)
        name = self.fresh("p")
        if kind == 0:
            return self.pick(["0", "1", "2", '"s"', "None", "True"]), []
        if kind == 1:
            return f"({name})" if depth < 2 else f"{name} if {name}", [name]
        if kind == 2:
            return f"int() as {name}", [name]
        if kind == 3:
            return "0 | 1 | None", []
        first, bound = self.pattern(depth - 1)
        if kind == 4:
            return f"[{first}, *{name}]", [*bound]
        if kind == 5:
            second, more = self.pattern(depth - 1)
            return f"[{first}, {second}]", [*bound, *more]
        if kind == 6:
            return f'{{"k": {first}, **{name}}}', bound
        if kind == 7:
            return f"Point({first})", bound
        return f"Point(x={first}, y=[*_])", bound

    # Functions inside functions.

    def function_block(self, depth: int) -> None:
        kind = self.below(3)
        if kind == 0:
            self.inner(depth, plain=True)
        elif kind == 1 and not self.plain_only:
            self.inner(depth, plain=False)
        else:
            name = self.fresh("f")
            self.write(f"{name} = {self.lambda_(2)}")
            self.names.plain.append(name)

    def inner(self, depth: int, *, plain: bool) -> None:
        """An inner function that shares names with the one around it, and may rebind them."""
        name = self.fresh("inner")
        outer = self.names.copy()
        saved = (self.in_loop, self.in_handler, self.errors, self.plain_only, self.budget)
        has_global, self.has_global = self.has_global, False
        default = f"={self.number(2)}" if self.chance(40) else ""
        if not plain:
            self.write("@deflow")
        self.write(f"def {name}(a, c{default or '=1'}):")
        self.in_loop, self.in_handler, self.errors = False, 0, []
        self.plain_only = plain or self.plain_only
        self.budget = min(self.budget, 4)
        self.level += 1
        self.rebind()
        self.level -= 1
        self.names.numbers += ["a", "c"]
        self.block(min(depth - 1, 1), 2)
        self.level += 1
        self.write(self.return_statement(2))
        self.level -= 1
        self.names = outer
        self.in_loop, self.in_handler, self.errors, self.plain_only, self.budget = saved
        self.has_global = has_global
        (self.names.plain if plain else self.names.flows).append(name)
        if not plain:
            self.names.calls.append(f"{name}({{}})")

    def rebind(self) -> None:
        """Declare a name of the function around as nonlocal; the others are only read."""
        names = [each for each in self.names.numbers if each not in ("a", "c", "x", "y")]
        if names and self.chance(60):
            name = self.pick(names)
            self.rebound.add(name)
            self.write(f"nonlocal {name}")
