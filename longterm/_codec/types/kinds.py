"""What a kind of value is: how it is taken apart into parts, and made again from them.

A kind is a tagged array on the wire: its tag, then its parts. Each kind is declared in the file of
its family, which enters it in the tables here. Knows no other kind and neither encoder nor decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.families import HOME_OF_EXTENSION, HOME_OF_KIND, Table, home_of_type

# Values of any type pass through here: this is the boundary where `Any` belongs.
Parts: TypeAlias = list[Any]
Form: TypeAlias = "Parts | ExtType"


class Kind:
    """One kind of tagged array."""

    __slots__ = (
        "code",
        "hashes",
        "is_fragile",
        "load",
        "name",
        "needs",
        "populate",
        "tag",
        "whole",
    )

    def __init__(
        self,
        code: int,
        name: str,
        load: Callable[[Parts, Decoding], Any],
        populate: Callable[[Any, Parts, Decoding], None] | None = None,
        *,
        needs: int = 0,
        hashes: bool = False,
        whole: bool = False,
        is_fragile: bool = False,
    ) -> None:
        """Take the code.

        Args:
            code: its number on the wire.
            name: what people read: in `describe`, in errors, in the docs.
            load: make the value of its parts; of the first `needs` if it can be populated later.
            populate: put the remaining parts into a value that was made, so that it can be in
                cycles.
            needs: how many parts it takes to make one.
            hashes: whether populating it hashes the parts, which must then be whole.
            whole: whether making needs whole parts, so that none of them can hold the value.
            is_fragile: whether each level of it takes native stack when it is freed.
        """
        self.code, self.name = code, name
        self.load, self.populate, self.needs = load, populate, needs
        self.hashes, self.whole, self.is_fragile = hashes, whole, is_fragile
        self.tag = ExtType(wire.TAG, bytes([code]))
        if code in KINDS:
            raise ValueError(f"kind {code} is taken by {KINDS[code].name}")
        KINDS[code] = self

    def build(self, parts: Parts, decoding: Decoding) -> Any:
        """Make a whole value of all its parts."""
        if self.populate is None:
            return self.load(parts, decoding)
        value = self.load(parts[: self.needs], decoding)
        self.populate(value, parts[self.needs :], decoding)
        return value


class StoredModule:
    """A module that bytes name, where it is not known yet whether it may stand there."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Take the module's name."""
        self.name = name


KINDS: Table[int, Kind] = Table(HOME_OF_KIND.get)
"""The kinds, by their codes."""

READERS: Table[int, Callable[[bytes], Any]] = Table(HOME_OF_EXTENSION.get)
"""What makes the value of an atom's payload, by extension code."""

CAREFUL_READERS: Table[int, Callable[[bytes, Decoding], Any]] = Table(HOME_OF_EXTENSION.get)
"""The same for those extensions that stand only where there are tagged arrays."""

Dump: TypeAlias = Callable[[Any], Form]


@dataclass(slots=True, eq=False, repr=False)
class Row:
    """A line of the table of storable types: what the docs say of a type, and who stores it."""

    types: tuple[type, ...]
    dump: Dump
    family: str
    note: str = ""
    is_value: bool = False
    """Whether only its content matters: it is written again at each use, not shared."""


ROWS: list[Row] = []
"""Every exact type that the families loaded so far store."""

DUMPERS: Table[type, Dump] = Table(home_of_type)
"""How to take apart a value of exactly this type."""

VALUES: set[type] = set()
"""The types of which only the content matters."""

ATOMS: set[type] = set()
"""The types of which only the content matters, and whose form is always one extension."""

TAGGED_LEAVES: set[type] = set()
"""The types of which only the content matters, which hold no containers, and may be tagged."""

IS_NAN: dict[type, Callable[[Any], bool]] = {float: lambda value: value != value}
"""How to tell a value that is not equal to itself. `x in [x]` then goes by identity, so that one
which is held twice must stay one. The types are such of which only the content matters else."""


def store(
    *types: type,
    dump: Dump,
    family: str,
    note: str = "",
    is_value: bool = False,
    is_tagged: bool = False,
    is_nan: Callable[[Any], bool] | None = None,
) -> None:
    """Make values of exactly these types storable."""
    ROWS.append(Row(types, dump, family, note, is_value))
    for cls in types:
        DUMPERS[cls] = dump
    if is_value:
        VALUES.update(types)
        (TAGGED_LEAVES if is_tagged else ATOMS).update(types)
    if is_nan is not None:
        IS_NAN.update(dict.fromkeys(types, is_nan))
