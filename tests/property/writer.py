"""What every part of the generator has: decisions, the names in reach, choices among methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.property.choices import Choices


@dataclass
class Names:
    """The names that a function can use, by kind."""

    numbers: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    """Objects whose methods are flows, though nothing but their names says so."""
    texts: list[str] = field(default_factory=list)
    generators: list[str] = field(default_factory=list)
    """What holds a generator."""
    makers: list[str] = field(default_factory=list)
    """Templates of calls that make generators of flows, with `{}` for each argument."""
    askers: list[str] = field(default_factory=list)
    """Templates of calls that make generators that wait inside themselves."""
    asked: list[str] = field(default_factory=list)
    """Variables of the function that hold such a generator, and nothing else."""
    openers: list[str] = field(default_factory=list)
    """The same for managers that such generators make."""
    async_generators: list[str] = field(default_factory=list)
    """The same, but asynchronous."""
    async_makers: list[str] = field(default_factory=list)
    async_openers: list[str] = field(default_factory=list)
    iterators: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    """What holds a bare `object()`, which a frame can hold, but no result."""
    plain: list[str] = field(default_factory=list)
    """Functions of one argument that cannot suspend."""
    coroutines: list[str] = field(default_factory=list)
    """The same, but `async def`."""
    flows: list[str] = field(default_factory=list)
    """Flows of one argument."""
    async_flows: list[str] = field(default_factory=list)
    """The same, but `async def`."""
    calls: list[str] = field(default_factory=list)
    """Templates of flow calls, with `{}` for each argument."""
    awaits: list[str] = field(default_factory=list)
    """The same for flows that are `async def`, with the `await`."""

    def copy(self) -> Names:
        return Names(*(list(each) for each in vars(self).values()))

    def add_flow(self, name: str, *templates: str, is_async: bool = False) -> None:
        """Make a flow known: by name if it takes one argument, and by templates of calls."""
        if is_async:
            self.async_flows += [name] if name else []
            self.awaits += [f"(await {each})" for each in templates]
        else:
            self.flows += [name] if name else []
            self.calls += templates


class Writer:
    """Writes text by decisions."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.names = Names()
        self.events = 0
        self.tags = 0
        self.made = 0
        self.in_class = False
        """Whether `__class__` has a value."""
        self.own = ""
        """How the method that is written calls its first parameter."""
        self.in_comprehension = False
        self.is_async = False
        """Whether what is written may hold an `await`."""
        self.certain_only = False
        """Whether only what surely suspends is a point: in a handler of an `except*`."""
        self.plain_only = False
        """Whether what is written must not suspend: the body of a plain function."""
        self.yields = False
        """Whether a `yield` stands where a suspend would stand: in a generator."""
        self.no_walrus = 0
        self.is_inner = False
        """Whether what is written belongs to a function or class inside the flow."""

    @contextmanager
    def plainly(self, *, is_async: bool = False) -> Iterator[None]:
        """Write what must not suspend: the body of a plain function."""
        before = self.plain_only, self.is_async, self.yields
        self.plain_only, self.is_async, self.yields = True, is_async, False
        yield
        self.plain_only, self.is_async, self.yields = before

    @contextmanager
    def yielding(self, *, asks: bool = False) -> Iterator[None]:
        """Write the body of a generator, which may suspend or not."""
        with self.plainly(is_async=self.is_async):
            self.yields, self.plain_only = True, not asks
            yield

    def below(self, limit: int) -> int:
        return self.choices.below(limit)

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def pick(self, options: list[str]) -> str:
        return options[self.below(len(options))]

    def of(self, table: list[tuple[int, str]], depth: int) -> str:
        number = self.below(sum(weight for weight, _ in table))
        for weight, name in table:
            if number < weight:
                written: str = getattr(self, name)(depth)
                return written
            number -= weight
        raise AssertionError

    def fresh(self, kind: str) -> str:
        self.made += 1
        return f"{kind}{self.made}"
