"""Writes `except*`: each of its parts may suspend, its handlers too."""

from __future__ import annotations

from contextlib import nullcontext

from tests.property.tries import Tries

_KINDS = ["ValueError", "Oops", "(KeyError, TypeError)", "Worse", "Exception", "LookupError"]


class Groups(Tries):
    """Writes statements that split exception groups."""

    def groups_block(self, depth: int) -> None:
        self.write("try:")
        self.level += 1
        self.write(f"log({self.tag()}, {self.suspending()})")
        self.level -= 1
        self.in_try += 1
        if self.chance(70):
            self.block(depth - 1, 2)
        self.in_try -= 1
        if self.chance(65):
            self.level += 1
            self.write(f"raise {self.group(2)}" if self.chance(80) else self.raise_statement())
            self.level -= 1
        for _ in range(1 + self.below(2)):
            self.star_handler(depth)
        if self.chance(40):
            self.write("else:")
            self.block(depth - 1, 2)
        if self.chance(50):
            self.write("finally:")
            self.block(depth - 1, 2)

    def star_handler(self, depth: int) -> None:
        name = "caught" if self.chance(80) else ""
        self.write(f"except* {self.pick(_KINDS)}{' as caught' if name else ''}:")
        saved = self.errors, self.in_loop, self.may_return, self.in_handler, self.certain_only
        self.errors = [*self.errors, name] if name else self.errors
        # No `break`, `continue` or `return` may leave such a handler; a `raise` may.
        self.in_loop, self.may_return, self.in_handler = False, False, self.in_handler + 1
        self.certain_only = True
        suspends = self.chance(50)
        with nullcontext() if suspends else self.plainly(is_async=self.is_async):
            self.level += 1
            if name:
                self.write(self.looking(name))
            else:
                self.write(f"log({self.tag()}, {self.number(2)})")
            if suspends:
                self.write(f"log({self.tag()}, {self.suspending()})")
            self.level -= 1
            if self.chance(60):
                self.block(min(depth - 1, 1), 2)
        self.errors, self.in_loop, self.may_return, self.in_handler, self.certain_only = saved

    def looking(self, name: str) -> str:
        kind = self.pick(["ValueError", "Oops", "(KeyError, Worse)"])
        return self.pick(
            [
                f"show({name})", f"show({name}.subgroup({kind}))", f"log(*{name}.split({kind}))",
                "show(sys.exc_info()[1])", f"{name}.add_note({self.tag()})",
                f"log({self.tag()}, {name}.derive([Oops({self.leaf()})]))",
            ]
        )  # fmt: skip
