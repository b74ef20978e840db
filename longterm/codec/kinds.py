"""What a kind of value is: how it is taken apart into parts, and made again from them.

A kind is a tagged array on the wire: its tag, then its parts. Each kind is declared in the file of
its family, which registers it here. Knows no other kind and neither encoder nor decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgpack import ExtType

from longterm.codec import wire
from longterm.codec.budget import Budget

# Values of any type pass through here: this is the boundary where `Any` belongs.
Parts: TypeAlias = list[Any]
Form: TypeAlias = "Parts | ExtType"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of tagged array."""

    code: int
    name: str
    """What people read: in `describe`, in errors, in the docs."""
    make: Callable[[Parts, Budget], Any]
    """Make the value of its parts; of the first `needs` of them if it can be filled later."""
    fill: Callable[[Any, Parts, Budget], None] | None = None
    """Put the remaining parts into a value already made, so that it can take part in cycles."""
    needs: int = 0
    hashes: bool = False
    """Whether filling hashes the parts, which must then be whole."""
    whole: bool = False
    """Whether making needs its parts to be whole, so that none of them can hold the value."""
    tag: ExtType = field(init=False)

    def __post_init__(self) -> None:
        """Make the tag once, and take the code."""
        object.__setattr__(self, "tag", ExtType(wire.TAG, bytes([self.code])))
        if self.code in KINDS:
            raise ValueError(f"kind {self.code} is taken by {KINDS[self.code].name}")
        KINDS[self.code] = self

    def build(self, parts: Parts, budget: Budget) -> Any:
        """Make a whole value of all its parts."""
        if self.fill is None:
            return self.make(parts, budget)
        value = self.make(parts[: self.needs], budget)
        self.fill(value, parts[self.needs :], budget)
        return value


def is_a(value: Any, *types: type) -> bool:
    """Return whether a value is an instance of one of these types.

    Unlike `isinstance` it never asks the value for its `__class__`, which may be a property.
    """
    return issubclass(type(value), types)


KINDS: dict[int, Kind] = {}
"""Every kind, by its code."""

Take: TypeAlias = Callable[[Any], Form]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of storable types: what the docs say of a type, and who stores it."""

    types: tuple[type, ...]
    take: Take
    family: str
    note: str = ""
    is_value: bool = False
    """Whether only its content matters: it is written again at each use, not shared."""


ROWS: list[Row] = []
"""Every exact type the codec knows, in the order of the docs."""

TAKERS: dict[type, Take] = {}
"""How to take apart a value of exactly this type."""

VALUES: set[type] = set()
"""The types of which only the content matters."""

ATOMS: set[type] = set()
"""The types of which only the content matters, and whose form is always one extension."""

TAGGED_LEAVES: set[type] = set()
"""The types of which only the content matters, which hold no containers, and may be tagged."""


def store(
    *types: type,
    take: Take,
    family: str,
    note: str = "",
    is_value: bool = False,
    is_tagged: bool = False,
) -> None:
    """Make values of exactly these types storable."""
    ROWS.append(Row(types, take, family, note, is_value))
    for each in types:
        TAKERS[each] = take
    if is_value:
        VALUES.update(types)
        (TAGGED_LEAVES if is_tagged else ATOMS).update(types)
