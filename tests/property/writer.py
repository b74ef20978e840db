"""What every part of the generator has: decisions, the names in reach, choices among methods."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.property.choices import Choices


@dataclass
class Names:
    """The names that a function can use, by kind."""

    numbers: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    """Functions of one argument that cannot suspend."""
    flows: list[str] = field(default_factory=list)
    """Flows of one argument."""
    calls: list[str] = field(default_factory=list)
    """Templates of flow calls, with `{}` for each argument."""

    def copy(self) -> Names:
        return Names(*(list(each) for each in vars(self).values()))


class Writer:
    """Writes text by decisions."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.names = Names()
        self.events = 0
        self.tags = 0
        self.made = 0
        self.in_class = ""
        self.plain_only = False
        """Whether what is written must not suspend: the body of a plain function."""
        self.no_walrus = 0

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
