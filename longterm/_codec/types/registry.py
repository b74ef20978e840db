"""What the families of types declare, entered as it is needed.

A table here that is asked for a key which it does not have loads the file that the table of
families names, and enters what that file declares. So a process loads the types that it meets.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.families import (
    FAMILIES,
    FAMILY_OF_EXTENSION,
    FAMILY_OF_KIND,
    family_of_type,
)
from longterm._codec.types.kinds import Dump, Family, Kind

if TYPE_CHECKING:
    from longterm._codec.types.classes import ClassPlan

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """What the families have declared, by a key; a family is loaded when a key of its is missed."""

    def __init__(self, family_of: Callable[[K], str | None]) -> None:
        """Start with nothing; `family_of` names the family that declares a key."""
        super().__init__()
        self._family_of = family_of

    def __missing__(self, key: K) -> V:
        if self.finds(key):
            return self[key]
        raise KeyError(key)

    def finds(self, key: K) -> bool:
        """Load the family that declares a key, and tell whether it is there now."""
        family = self._family_of(key)
        if family is not None:
            load(family)
        return key in self


KINDS: Final[Table[int, Kind]] = Table(FAMILY_OF_KIND.get)
"""The kinds, by their codes."""

READERS: Final[Table[int, Callable[[bytes], Any]]] = Table(FAMILY_OF_EXTENSION.get)
"""What makes the value of an atom's payload, by extension code."""

CAREFUL_READERS: Final[Table[int, Callable[[bytes, Decoding], Any]]] = Table(
    FAMILY_OF_EXTENSION.get
)
"""The same for those extensions that stand only where there are tagged arrays."""

DUMPERS: Final[Table[type, Dump]] = Table(family_of_type)
"""How to take apart a value of exactly this type."""

VALUES: Final[set[type]] = set()
"""The types of which only the content matters."""

ATOMS: Final[set[type]] = set()
"""The types of which only the content matters, and whose form is always one extension."""

TAGGED_LEAVES: Final[set[type]] = set()
"""The types of which only the content matters, which hold no containers, and may be tagged."""

OPENED: Final[set[type]] = set()
"""The types whose values may be taken apart in a tree: see `encode.opened`."""

IS_NAN: Final[dict[type, Callable[[Any], bool]]] = {float: lambda value: value != value}
"""How to tell a value that is not equal to itself, of such types of which only the content matters
else."""

PLANS: Final[dict[int, ClassPlan]] = {}
"""The plans of classes made so far, by the identity of their class: its hash may be the
metaclass's."""


def load(name: str) -> Family:
    """Load a family, enter what it declares, and return it."""
    family: Family = import_module(f"longterm._codec.types.{name}").FAMILY
    KINDS.update({kind.code: kind for kind in family.kinds})
    READERS.update(family.readers)
    CAREFUL_READERS.update(family.careful_readers)
    for row in family.rows:
        # The dumper last: who finds it finds the rest, also in another thread.
        if row.is_nan is not None:
            IS_NAN.update(dict.fromkeys(row.types, row.is_nan))
        if row.is_value:
            VALUES.update(row.types)
            (TAGGED_LEAVES if row.is_tagged else ATOMS).update(row.types)
        if row.is_opened:
            OPENED.update(row.types)
        DUMPERS.update(dict.fromkeys(row.types, row.dump))
    return family


def load_all() -> dict[str, Family]:
    """Load every family, for those who go through the tables as wholes."""
    return {name: load(name) for name, *_ in FAMILIES}
