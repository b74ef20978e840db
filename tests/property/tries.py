"""Writes `try` and `with`, suspended in every part and left in every way."""

from __future__ import annotations

from tests.property.pitfalls import Pitfalls

_HANDLED = [
    "ValueError", "KeyError", "Oops", "Worse", "(TypeError, ValueError)", "Exception",
    "LookupError", "BaseException", "ArithmeticError", "ExceptionGroup",
]  # fmt: skip


class Tries(Pitfalls):
    """Writes the blocks that see exceptions pass."""

    def try_block(self, depth: int) -> None:
        self.tried(depth)
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

    def tried(self, depth: int) -> None:
        self.write("try:")
        self.in_try += 1
        self.block(depth - 1)
        self.in_try -= 1

    def handler(self, depth: int, *, last: bool) -> None:
        kind = self.pick(_HANDLED)
        if self.chance(6):
            kind = f"(ValueError, {kind})[len(str({self.suspending()})) % 2]"
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
        kind = self.below(7)
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
        elif kind == 6 and name:
            self.write(f"{name}.add_note(repr({self.number(2)}))")

    def with_block(self, depth: int) -> None:
        prefix = "Async" if self.is_async and self.chance(60) else ""
        items = [self.managed(prefix) for _ in range(1 + self.below(2))]
        self.write(f"{prefix.lower()} with {', '.join(items)}:".lstrip())
        self.block(depth - 1)

    def managed(self, prefix: str) -> str:
        swallows = self.pick(["False", "False", "True", self.condition(1)])
        fails = self.pick(['""', '""', '""', '""', '"enter"', '"exit"'])
        name = self.tag() if self.chance(70) else f"str({self.number(2)})"
        manager = f"{prefix}Managed({name}, {swallows}, {fails})"
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
