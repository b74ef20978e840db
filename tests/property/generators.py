"""Writes generators that are flows, the managers made of them, and what goes through both.

In a generator a `yield` stands wherever a suspend stands in another flow. Asynchronous generators
are written the same way, and used in flows that are `async def`.
"""

from __future__ import annotations

from tests.property.inner import Inner

_DRAWS = [
    "next({g}, {n})", "next({g}, {n})", "next({g}, {n})", "next({g})", "{g}.send({n})",
    "{g}.send(None)", "{g}.throw(Oops({n}))", "{g}.throw(ValueError)", "({g}.close() or {n})",
    "sum({g})", "len([*{g}])", "max({g}, default={n})", "{g}.__next__()",
]  # fmt: skip
_ASYNC_DRAWS = [
    "(await anext({g}, {n}))", "(await anext({g}, {n}))", "(await anext({g}))",
    "(await {g}.asend({n}))", "(await {g}.asend(None))", "(await {g}.athrow(Oops({n})))",
    "(await {g}.athrow(ValueError))", "((await {g}.aclose()) or {n})", "(await {g}.__anext__())",
    "sum([x async for x in {g}])",
]  # fmt: skip
_WHOLE = [
    "list({g})", "[*{g}]", "[x for x in {g}]", "list(zip({g}, {h}))", "[*enumerate({g}, {n})]",
    "[x for x in {g} if x]", "list(map(repr, {g}))", "[(x, y) for x in {g} for y in {h}]",
]  # fmt: skip
_ASYNC_WHOLE = [
    "[x async for x in {g}]", "[x async for x in {g} if x]",
    "[(x, y) async for x in {g} async for y in {h}]", "[y async for x in {g} for y in [x, {n}]]",
]  # fmt: skip


_ASKED = [
    "next({g})", "next({g}, {n})", "{g}.send({n})", "{g}.send(None)", "{g}.throw(Oops({n}))",
    "({g}.close() or {n})",
]  # fmt: skip
_ASKED_WHOLE = [
    "list({c})", "[x for x in {c}]", "[(x, {n}) for x in {c} if x]", "sorted({c}, key=repr)",
    "[sum({c}), {n}]", "[max({c}, default=0), {n}]", "[any({c})]", "[*{{x for x in {c}}}]",
]  # fmt: skip


class Generators(Inner):
    """Writes them at the level of a module, and their use in the flows that follow."""

    # What is used in a flow.

    def way_to_go(self) -> bool | None:
        """Return whether to go through an asynchronous generator; None: there is none of any."""
        ways = [False] * bool(self.names.makers)
        ways += [True] * bool(self.names.async_makers and self.is_async)
        return ways[self.below(len(ways))] if ways else None

    def generator_of(self, depth: int, *, is_async: bool = False) -> str:
        """A generator that is held already, or a new one."""
        held = self.names.async_generators if is_async else self.names.generators
        if held and self.chance(75):
            return self.pick(held)
        return self.new_one(depth, is_async=is_async)

    def new_one(self, depth: int, *, is_async: bool = False) -> str:
        makers = self.names.async_makers if is_async else self.names.makers
        template = self.pick(makers) if makers else "iter([1, {}])"
        return template.format(*(self.number(depth - 1) for _ in range(template.count("{}"))))

    def through(self, ways: list[str], depth: int, *, is_async: bool) -> str:
        self.no_walrus += 1  # which must not stand in the iterable of a comprehension
        parts = {
            "g": self.generator_of(depth, is_async=is_async),
            "h": self.generator_of(depth, is_async=is_async), "n": self.number(depth - 1),
        }  # fmt: skip
        self.no_walrus -= 1
        return self.pick(ways).format(**parts)

    def may_ask(self) -> bool:
        """Whether a generator may be asked here that waits inside itself."""
        return bool(self.names.askers) and not self.plain_only and not self.certain_only

    def asker(self, depth: int) -> str:
        """A generator that waits inside itself, as only some places may ask it for a value."""
        if self.names.asked and not self.in_comprehension and self.chance(60):
            return self.pick(self.names.asked)
        template = self.pick(self.names.askers)
        return template.format(*(self.number(depth - 1) for _ in range(template.count("{}"))))

    def asking(self, ways: list[str], depth: int) -> str:
        self.no_walrus += 1
        parts = {"c": self.asker(depth), "n": self.number(depth - 1)}
        if self.names.asked:
            parts["g"] = self.pick(self.names.asked)
        self.no_walrus -= 1
        return self.pick(ways).format(**parts)

    def drawn(self, depth: int) -> str:
        if self.names.asked and self.may_ask() and self.chance(50):
            return self.asking(_ASKED, depth)
        is_async = self.way_to_go()
        if is_async is None:
            return self.logged(depth)
        return self.through(_ASYNC_DRAWS if is_async else _DRAWS, depth, is_async=is_async)

    def gone_through(self, depth: int) -> str:
        if self.may_ask() and self.chance(50):
            return self.asking(_ASKED_WHOLE, depth)
        is_async = self.way_to_go()
        if is_async is None:
            return self.list_display(depth)
        return self.through(_ASYNC_WHOLE if is_async else _WHOLE, depth, is_async=is_async)

    def asked_through(self, depth: int) -> str:
        """A comprehension that waits while it goes through a generator."""
        is_async = self.way_to_go()
        if is_async is None or self.plain_only:
            return self.comprehension(depth)
        self.no_walrus += 1
        generator = self.generator_of(depth, is_async=is_async)
        around, self.in_comprehension = self.in_comprehension, True
        element = self.number(depth - 1)
        self.no_walrus -= 1
        self.in_comprehension = around
        return f"[(x, {element}) {'async ' if is_async else ''}for x in {generator}]"

    def hold_generator(self, depth: int) -> str:
        is_async = self.way_to_go()
        if is_async is None:
            return self.assign_items(depth)
        known = self.names.async_generators if is_async else self.names.generators
        held, name = self.generator_of(depth, is_async=is_async), self.fresh("g")
        kind = self.below(6)
        if kind == 0:
            known.append(f'{name}[0]["it"]')
            return f'{name} = [{{"it": {held}}}, {self.generator_of(1, is_async=is_async)}]'
        known.append(name)
        if kind == 1:
            return f"{name} = {self.box(1)}.v = {held}"
        if kind == 2:
            other = self.fresh("g")
            known.append(other)
            return f"{name}, {other} = {held}, {self.generator_of(1, is_async=is_async)}"
        return f"{name} = {held}"

    def same_generator(self, depth: int) -> str:
        held = [*self.names.generators, *self.names.async_generators]
        if not held:
            return self.log_statement(depth)
        left, right = self.pick(held), self.pick(held)
        return f"log({self.tag()}, {left} is {right}, {left})"

    def unpack_generator(self, depth: int) -> str:
        if not self.names.makers:
            return self.unpack(depth)
        return f"{self.target(2)}, *{self.fresh('xs')} = {self.generator_of(depth)}"

    def generator_loop(self, depth: int) -> None:
        """A loop that a generator is gone through in, which ends after some rounds."""
        is_async = self.way_to_go()
        if is_async is None and not self.may_ask():
            self.for_block(depth)
            return
        is_async = bool(is_async)
        counter, generator = self.fresh("w"), self.generator_of(2, is_async=is_async)
        kind = 2 if is_async else self.below(6)
        if self.may_ask() and self.chance(40):
            kind, is_async, generator = 2, False, self.asker(2)
        if kind == 0:
            generator = f"zip({generator}, {self.generator_of(2)})"
        elif kind == 1:
            generator = f"enumerate({generator})"
        self.write(f"{counter} = 0")
        self.write(f"{'async ' if is_async else ''}for {self.target(2)} in {generator}:")
        self.level += 1
        self.write(f"{counter} += 1")
        self.write(f"if {counter} > 5: break")
        if self.chance(60):
            self.write(f"log({self.tag()}, {self.suspending()})")
        self.level -= 1
        self.looped(depth)

    def opened_block(self, depth: int) -> None:
        """A `with` of managers that generators make."""
        is_async = bool(self.is_async and self.names.async_openers and self.chance(60))
        openers = self.names.async_openers if is_async else self.names.openers
        if not openers:
            self.with_block(depth)
            return
        items = []
        for _ in range(1 + self.below(2)):
            template = self.pick(openers)
            made = template.format(*(self.number(1) for _ in range(template.count("{}"))))
            items.append(f"{made} as {self.target(2)}" if self.chance(60) else made)
        self.write(f"{'async ' if is_async else ''}with {', '.join(items)}:")
        self.in_try += 1
        self.block(depth - 1)
        self.in_try -= 1

    def delegation(self, depth: int) -> str:
        if not self.yields or self.is_async:
            return self.log_statement(depth)
        if self.may_ask() and self.chance(50):
            return f"{self.number_target()} = yield from {self.asker(depth)}"
        source = self.items(depth) if self.chance(30) else self.generator_of(depth)
        return f"{self.number_target()} = yield from {source}"

    def inner_generator_block(self, depth: int) -> None:
        """One inside the flow, which shares names with it; the flow waits while it holds it."""
        if self.plain_only or self.yields:
            self.generator_block(depth)
            return
        name, held, counter = self.fresh("gen"), self.fresh("g"), self.fresh("w")
        is_async = self.is_async and self.chance(60)
        self.write("@deflow")
        self.write(f"{'async ' if is_async else ''}def {name}({self.parameters()}):")
        with self.inside(plain=True, is_async=is_async):
            self.names.numbers += ["a", "c"]
            self.yields = True
            self.write(f"log({self.tag()}, (yield {self.value(2)}))")
            self.level -= 1
            self.block(min(depth - 1, 2))
            self.level += 1
        self.write(f"{held} = {name}({self.number(2)})")
        self.write(f"log({self.tag()}, {self.suspending()})")
        if self.chance(50):
            draw = self.pick(_ASYNC_DRAWS if is_async else _DRAWS)
            self.write(f"log({self.tag()}, {draw.format(g=held, n=self.number(2))})")
        self.write(f"{counter} = 0")
        self.write(f"{'async ' if is_async else ''}for {self.target(2)} in {held}:")
        self.level += 1
        self.write(f"{counter} += 1")
        self.write(f"if {counter} > 5: break")
        self.write(f"log({self.tag()}, {self.suspending()})")
        self.level -= 1
        self.looped(depth)

    # What makes them.

    def generators(self, number: int) -> None:
        """A generator that is a flow, of one kind or another."""
        name = f"gen{number}"
        makers = self.known.async_makers if self.is_async else self.known.makers
        kind = self.below(4 if self.is_async else 6)
        if kind == 0:
            self.generator_flow(name, "(a, b=1)", ["a", "b"])
            makers += [f"{name}({{}})", f"{name}(b={{}}, a={{}})"]
        elif kind == 1:
            self.generator_flow(name, "(a, /, *rest, k=2, **more)", ["a", "k"])
            makers += [f"{name}({{}}, {{}}, k={{}})", f"{name}({{}}, **{{{{'z': 1}}}})"]
        elif kind == 2:
            self.write(f"class Walk{number}:")
            self.level = 1
            self.write("def __init__(self, v):")
            self.write("    self.v = self.__hidden = v")
            self.in_class = True
            self.generator_flow("walk", "(self, a=1)", ["a"], own="self")
            self.in_class = False
            self.level = 0
            makers += [f"Walk{number}({{}}).walk()", f"Walk{number}(1).walk({{}})"]
        elif kind == 3:
            self.opener(name)
        else:
            self.generator_flow(name, "(a, b=1)", ["a", "b"], asks=True)
            self.known.askers += [f"{name}({{}})", f"{name}(b={{}}, a={{}})"]

    def generator_flow(
        self, name: str, parameters: str, numbers: list[str], *, own: str = "", asks: bool = False
    ) -> None:
        self.own = own
        with self.yielding(asks=asks):
            self.function(name, parameters, numbers, [], 4)
        self.own = ""

    def opener(self, name: str) -> None:
        """A manager; its generator yields once, most of the time."""
        is_async = self.is_async
        self.write(f"@{'async' if is_async else ''}contextmanager")
        self.write("@deflow")
        self.write(f"{'async ' if is_async else ''}def {name}(a, b=1):")
        self.level = 1
        with self.plainly(is_async=is_async):
            self.names = self.known.copy()
            self.names.numbers += ["a", "b", "n0"]
            self.budget = 4
            self.may_return = False
            self.write(f"n0 = {self.below(3)}")
            self.simple()
            value = self.value(2)
            self.write("try:")
            self.write(f"    {self.number_target()} = log({self.tag()}, (yield {value}))")
            handled = self.chance(60)
            if handled:
                self.handler(2, last=True)
            if not handled or self.chance(40):
                self.write("finally:")
                self.block(2, 2)
            self.simple()
            self.may_return = True
        self.level = 0
        openers = self.known.async_openers if is_async else self.known.openers
        openers += [f"{name}({{}})", f"{name}({{}}, b={{}})"]
