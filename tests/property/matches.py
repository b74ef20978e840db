"""Writes `match` with patterns of every kind, guards and bodies."""

from __future__ import annotations

from tests.property.groups import Groups


class Matches(Groups):
    """Writes `match` statements."""

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
        """Write a pattern; return the names that it binds, too."""
        kind = self.below(12) if depth else self.below(4)
        name = self.fresh("p")
        if kind == 0:
            return self.pick(["0", "1", "-1", '"s"', "None", "True", "Kinds.ONE", "Kinds.TEXT"]), []
        if kind == 1:
            return f"({name})" if depth < 2 else f"{name} if {name}", [name]
        if kind == 2:
            return f"int() as {name}", [name]
        if kind == 3:
            return self.pick(["0 | 1 | None", "int() | str() | None", "[] | {} | 1"]), []
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
        if kind == 8:
            second, more = self.pattern(depth - 1)
            return f"({first}, *_, {second})", [*bound, *more]
        if kind == 9:
            return f'{{"k": {first}}} | Point(x={first}) | [{first}, _]', bound
        if kind == 10:
            return f"([{first}, _] as {name})", bound
        return f"Point(x={first}, y=[*_])", bound
