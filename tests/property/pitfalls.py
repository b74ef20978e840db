"""Writes what is easily lost in a wait: the state of an iterator, and who is identical to whom.

Iterators that start over when they are asked again, lists that change under the loop, sentinels,
NaN, comprehension variables that are captured elsewhere, and objects whose own code raises.
"""

from __future__ import annotations

from tests.property.blocks import Blocks

_IDENTITIES = ["MISSING", "NAN", 'float("nan")', "Touchy({})", "object"]


class Pitfalls(Blocks):
    """Writes each of them now and then, in the place of something common."""

    def value(self, depth: int) -> str:
        return self.own_identity(depth) if self.chance(6) else super().value(depth)

    def condition(self, depth: int) -> str:
        if depth <= 0 or not self.chance(8):
            return super().condition(depth)
        value = self.own_identity(depth - 1)
        kind = self.below(6)
        if kind == 5 and self.names.bare:
            name = self.pick(self.names.bare)
            return self.pick([f"({name} is NOT_GIVEN)", f"({name} in [NOT_GIVEN])"])
        if kind == 0:
            return f"({self.held(depth)} is {value})"
        if kind == 1:
            return f"([{self.held(depth)}] == [{value}])"
        if kind == 2:
            return f"({value} in {self.items(depth - 1)})"
        if kind == 3:
            return f"({self.list_name()} == {self.items(depth - 1)})"
        name = self.list_name()
        return f"(len({name}) > 0 and {name}[0] in {name})"

    def alias(self, depth: int) -> str:
        if not self.chance(35):
            return super().alias(depth)
        name = self.fresh("o")
        self.names.bare.append(name)
        return f"{name} = {self.pick(['NOT_GIVEN', 'NOT_GIVEN', '1'])}"

    def own_identity(self, depth: int) -> str:
        """A value that equals itself alone, if even that."""
        return self.pick(_IDENTITIES).format(self.number(depth - 1))

    def held(self, depth: int) -> str:
        """What a name, an entry or an attribute holds."""
        ways = [*self.names.numbers, f"{self.list_name()}[0]", f"{self.box(1)}.v"]
        return self.pick(ways)

    def items(self, depth: int) -> str:
        if depth <= 0 or not self.chance(12):
            return super().items(depth)
        return self.own_iterator(depth)

    def own_iterator(self, depth: int) -> str:
        """Something that is iterated by the author's own code."""
        if self.names.iterators and self.chance(50):
            return self.pick(self.names.iterators)
        kind = self.below(5)
        if kind == 0:
            return f"Sequence({self.number(depth - 1)}, {self.value(depth - 1)})"
        if kind == 1:
            return f"iter(Countdown({self.number(depth - 1)}).__next__, 0)"
        if kind == 2:
            return f"Touchy({self.number(depth - 1)})"
        return f"Countdown({self.number(depth - 1)})"

    def iterable(self) -> str:
        kind = self.below(6)
        if kind:
            return super().iterable()
        ways = [
            "{}", "enumerate({})", "zip({}, [1, 2, 3])", "map(bool, {})", "filter(None, {})",
            "iter({})",
        ]  # fmt: skip
        return self.pick(ways).format(self.own_iterator(2))

    def for_block(self, depth: int) -> None:
        kind = self.below(8)
        if kind == 0:
            self.loop_over_changing(depth)
        elif kind == 1:
            name = self.fresh("it")
            self.write(f"{name} = {self.own_iterator(2)}")
            self.names.iterators.append(name)
            super().for_block(depth)
        elif kind == 2 and self.is_async:
            self.write(f"async for {self.target(2)} in AsyncCountdown({self.number(2)}):")
            self.looped(depth)
        elif kind == 3:
            self.clashing_comprehension()
        else:
            super().for_block(depth)

    def loop_over_changing(self, depth: int) -> None:
        """A loop over the very list or table that its body changes; it ends after some rounds."""
        counter, name = self.fresh("w"), self.list_name()
        table = self.table_name()
        ways = [name, f"reversed({name})", f"iter({name})", f"enumerate({name})", table]
        ways += [f"{table}.items()", f"zip({name}, {name})", f"iter({name}.pop, 1)"]
        self.write(f"{counter} = 0")
        self.write(f"for {self.target(2)} in {self.pick(ways)}:")
        self.level += 1
        self.write(f"{counter} += 1")
        self.write(f"if {counter} > 5: break")
        change = [
            f"del {name}[{self.place(1)}:]", f"{name}.clear()", f"{name}.append({self.value(1)})",
            f"{name}.insert(0, {self.value(1)})", f"{table}[{self.number(1)}] = {self.value(1)}",
            f"{name}[:] = {self.items(1)}[:3]", f"{table}.clear()",
        ]  # fmt: skip
        self.write(f"if {self.condition(2)}: {self.pick(change)}")
        self.write(f"log({self.tag()}, {self.suspending()})")
        self.level -= 1
        self.looped(depth)

    def clashing_comprehension(self) -> None:
        """A comprehension around a lambda that captures its variable, which the flow captures too.

        Not in inner functions: there Python itself takes the two for one (gh-156664, gh-121377).
        """
        if self.is_inner or self.in_comprehension or not self.names.numbers:
            self.write(self.log_statement(2))
            return
        name, keep, target = self.pick(self.names.numbers), self.fresh("f"), self.fresh("xs")
        self.write(f"{keep} = lambda q: (q, {name})[1]")
        if self.chance(60):
            self.write(f"log({self.tag()}, {self.suspending()})")
        self.no_walrus += 1
        iterable = self.items(1)
        inner = self.pick(
            [
                f"sorted([2, 1], key=lambda n: (n, {name})[0])", f"(lambda: {name})()",
                f"[{name} for {name} in [{name}, 1]]", f"(lambda {name}=1: {name})({name})",
                f"({name}, {keep}(1))",
            ]
        )  # fmt: skip
        self.no_walrus -= 1
        self.write(f"{target} = [{inner} for {name} in {iterable}]")
        self.write(f"log({self.tag()}, {self.suspending()}, {name}, {keep}(2))")
        self.names.plain.append(keep)
        self.names.lists.append(target)
