"""What a kind of value is: how it is taken apart into parts, and made again from them.

A kind is a tagged array on the wire: its tag, then its parts. The file of a family declares its
kinds and all else that it stores in one `FAMILY`; the registry enters that when it is first needed.
Knows no other kind and neither encoder nor decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.families import CODE_OF_KIND

# Values of any type pass through here: this is the boundary where `Any` belongs.
Parts: TypeAlias = list[Any]
Form: TypeAlias = "Parts | ExtType"


class Kind:
    """One kind of tagged array."""

    __slots__ = (
        "build",
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
        name: str,
        load: Callable[[Parts, Decoding], Any],
        populate: Callable[[Any, Parts, Decoding], None] | None = None,
        *,
        build: Callable[[Parts, Decoding], Any] | None = None,
        needs: int = 0,
        hashes: bool = False,
        whole: bool = False,
        is_fragile: bool = False,
    ) -> None:
        """Take the name.

        Args:
            name: what people read: in `describe`, in errors, in the docs. The table of families has
                its number on the wire.
            load: make the value of its parts; of the first `needs` if it can be populated later.
            populate: put the remaining parts into a value that was made, so that it can be in
                cycles.
            build: make a whole value at once, for what is often met.
            needs: how many parts it takes to make one.
            hashes: whether populating it hashes the parts, which must then be whole.
            whole: whether making needs whole parts, so that none of them can hold the value.
            is_fragile: whether each level of it takes native stack when it is freed.
        """
        self.name, self.code = name, CODE_OF_KIND[name]
        self.load, self.populate, self.needs = load, populate, needs
        self.hashes, self.whole, self.is_fragile = hashes, whole, is_fragile
        self.tag = ExtType(wire.TAG, bytes([self.code]))
        self.build = build or (load if populate is None else self._load_and_populate)
        """Makes a whole value of all its parts."""

    def _load_and_populate(self, parts: Parts, decoding: Decoding) -> Any:
        assert self.populate is not None
        value = self.load(parts[: self.needs], decoding)
        self.populate(value, parts[self.needs :], decoding)
        return value


class StoredModule:
    """A module that bytes name, where it is not known yet whether it may stand there."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Take the module's name."""
        self.name = name


Dump: TypeAlias = Callable[[Any], Form]


class Row:
    """A line of the table of storable types: who stores values of exactly these types, and how."""

    __slots__ = (
        "dump",
        "group",
        "is_nan",
        "is_opened",
        "is_tagged",
        "is_value",
        "note",
        "types",
    )

    def __init__(
        self,
        *types: type,
        dump: Dump,
        group: str,
        note: str = "",
        is_value: bool = False,
        is_tagged: bool = False,
        is_opened: bool = False,
        is_nan: Callable[[Any], bool] | None = None,
    ) -> None:
        """Take the types.

        Args:
            types: those whose values are stored so; subclasses of them are not.
            dump: take a value apart.
            group: under which heading the docs have it.
            note: what the docs say of it.
            is_value: whether only its content matters: it is written again at each use, not shared.
            is_tagged: of such a type, whether its form may be a tagged array, and not always one
                extension.
            is_opened: whether its form may stand in a tree: if that is a tagged array, its parts
                are all that the whole encoder would look at.
            is_nan: how to tell a value that is not equal to itself. `x in [x]` then goes by
                identity, so that one which is held twice must stay one.
        """
        self.types, self.dump, self.group, self.note = types, dump, group, note
        self.is_value, self.is_tagged, self.is_nan = is_value, is_tagged, is_nan
        self.is_opened = is_opened


class Family:
    """What one file stores."""

    __slots__ = ("careful_readers", "kinds", "readers", "rows")

    def __init__(
        self,
        *,
        kinds: tuple[Kind, ...] = (),
        readers: Mapping[int, Callable[[bytes], Any]] = MappingProxyType({}),
        careful_readers: Mapping[int, Callable[[bytes, Decoding], Any]] = MappingProxyType({}),
        rows: tuple[Row, ...] = (),
    ) -> None:
        """Take what it stores.

        Args:
            kinds: its kinds of tagged arrays.
            readers: what makes the value of an atom's payload, by extension code.
            careful_readers: the same for those extensions that stand only where there are tagged
                arrays.
            rows: its types.
        """
        self.kinds, self.readers, self.careful_readers = kinds, readers, careful_readers
        self.rows = rows
