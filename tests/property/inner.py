"""Writes functions and classes inside flows, which share names with the flow around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.property.matches import Matches


class Inner(Matches):
    """Writes the inner `def`, `lambda` and `class`."""

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
        """An inner function, which may rebind names of the one around it, and may call itself."""
        name = self.fresh("inner")
        is_async = self.is_async and self.chance(75)
        parameters = self.parameters()
        marked = self.chance(45)
        if marked:
            value = self.suspending() if self.chance(40) else self.value(2)
            self.write(f"@Mark({self.tag()}, {value})")
        if not plain:
            self.write("@deflow")
        self.write(f"{'async ' if is_async else ''}def {name}({parameters}):")
        wait = "await " if is_async else ""
        with self.inside(plain=plain or self.plain_only, is_async=is_async):
            if self.chance(25):
                self.write(f"if a in (1, 2): log({self.tag()}, {wait}{name}(a - 1))")
            self.function_body(depth)
        if plain:
            (self.names.coroutines if is_async else self.names.plain).append(name)
        else:
            # What a decorator returns is no flow for sure, and so no point wherever it stands.
            templates = [] if marked else [f"{name}({{}})"]
            self.names.add_flow(name, *templates, is_async=is_async)

    @contextmanager
    def inside(self, *, plain: bool, is_async: bool) -> Iterator[None]:
        """Write the body of an inner function: a beginning that rebinds names, and more."""
        names = self.names.copy()
        saved = self.in_loop, self.in_handler, self.in_try, self.may_return, self.errors
        around = self.plain_only, self.is_async, self.budget, self.own, self.has_global
        self.in_loop, self.in_handler, self.in_try = False, 0, 0
        self.may_return, self.errors = True, []
        self.plain_only, self.is_async, self.own, self.has_global = plain, is_async, "", False
        is_inner, self.is_inner = self.is_inner, True
        yields, self.yields = self.yields, False
        self.names.asked = []  # they are variables of the function around
        self.budget = min(self.budget, 3)
        self.level += 1
        self.rebind()
        yield
        self.level -= 1
        self.names = names
        self.in_loop, self.in_handler, self.in_try, self.may_return, self.errors = saved
        self.plain_only, self.is_async, self.budget, self.own, self.has_global = around
        self.is_inner, self.yields = is_inner, yields

    def function_body(self, depth: int) -> None:
        self.names.numbers += ["a", "c"]
        self.level -= 1
        self.block(min(depth - 1, 1), 2)
        self.level += 1
        self.write(self.return_statement(2))

    def generator_block(self, depth: int) -> None:
        """A generator that is used up in the loop after it, since its frame cannot be stored."""
        name, wait = self.fresh("gen"), "async " if self.is_async and self.chance(70) else ""
        self.write(f"{wait}def {name}({self.parameters()}):")
        with self.inside(plain=True, is_async=bool(wait)):
            self.names.numbers += ["a", "c"]
            self.may_return = False
            self.write(f"yield {self.number(2)}")
            self.simple()
            self.write(f"for y in {self.items(1)}[:2]: yield {self.value(2)}")
        target, start = self.number_target(), self.number(2)
        self.write(f"{wait}for {target} in {name}({start}):")
        saved = self.in_loop, self.may_return
        self.in_loop, self.may_return = False, False
        with self.plainly(is_async=self.is_async):
            self.block(min(depth - 1, 1), 2)
        self.in_loop, self.may_return = saved

    def parameters(self) -> str:
        default = self.number(2) if self.chance(40) else "1"
        kind = self.below(4)
        if kind == 0:
            return f"a, /, c={default}, *rest, k={self.number(1)}, **more"
        return f"a: int, c={default}" if kind == 1 else f"a, c={default}"

    def rebind(self) -> None:
        """Declare a name of the function around as nonlocal; the others are only read."""
        names = [each for each in self.names.numbers if each not in ("a", "c", "k", "x", "y")]
        if names and self.chance(60):
            name = self.pick(names)
            self.rebound.add(name)
            self.write(f"nonlocal {name}")

    def class_block(self, depth: int) -> None:
        """A class that is used up in the next statement, since it cannot be stored."""
        name = self.fresh("K")
        if self.chance(50):
            self.write(f"@Mark({self.tag()}, {self.value(2)})")
        keyword = f", key={self.number(2)}" if self.chance(50) else ""
        self.write(f"class {name}({self.base()}{keyword}):")
        own, in_class, names = self.own, self.in_class, self.names.copy()
        ways = self.in_loop, self.may_return
        is_inner, self.is_inner = self.is_inner, True
        asks = not self.plain_only and self.chance(40)
        with self.plainly():
            # Python 3.12 itself cannot compile `__class__` in a comprehension of a class body.
            self.own, self.in_class, self.in_loop, self.may_return = "", False, False, False
            self.level += 1
            # A comprehension in a class body must have no walrus.
            self.no_walrus += 1
            self.write(f"w{': int' if self.chance(40) else ''} = {self.number(2)}")
            if self.chance(40):
                self.statement(1)
            self.no_walrus -= 1
            self.names = names.copy()
            self.hiding_method()
            asked = self.asking_method() if asks else ""
            self.level -= 1
            arguments = self.number(1), self.number(1)
        self.own, self.in_class, self.names = own, in_class, names
        self.in_loop, self.may_return = ways
        self.is_inner = is_inner
        used = f"{name}({arguments[0]}).get({arguments[1]}), {name}.w"
        target = self.fresh("xs")
        self.names.lists.append(target)
        self.write(f"{target} = log({self.tag()}, [{used}])")
        if asks:
            # A point wherever the flow is found at run time: as a statement.
            self.write(f"{self.number_target()} = {name}{asked}({self.leaf()})")

    def base(self) -> str:
        kind = self.below(4)
        if kind == 0:
            return f"log({self.number(2)}, Root)"
        if kind == 1:
            return f"*[Root, {self.number(2)}][:1]"
        return f"(Root if {self.condition(2)} else Root)" if kind == 2 else "Root"

    def hiding_method(self) -> None:
        names = self.names.copy()
        self.write(f"def get(self, more={self.number(1)}):")
        self.in_class, self.own = True, "self"
        self.level += 1
        self.rebind()
        self.names.numbers.append("more")
        self.write(f"self.__hidden = {self.number(2)}")
        # A number holds no function, which would hold the class and could not be stored.
        self.write(f"return [super().get(more), self.__hidden, {self.number(2)}]")
        self.level -= 1
        self.names = names

    def asking_method(self) -> str:
        """A flow in a class of a flow; it uses no object of it, since that could not be stored."""
        self.in_class = False
        kind = self.pick(["staticmethod", "classmethod", ""])
        if kind:
            self.write(f"@{kind}")
        self.write("@deflow")
        self.no_walrus += 1
        self.write(f"def ask({'' if kind == 'staticmethod' else 'me, '}{self.parameters()}):")
        self.no_walrus -= 1
        with self.inside(plain=False, is_async=False):
            self.function_body(2)
        return ".ask" if kind else "(1).ask"
