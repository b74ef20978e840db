"""The two instructions by which cycles are made again: define a placeholder, and populate it.

They are kinds like others on the wire, with numbers above all of theirs.
"""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.types.kinds import Family, Kind, Parts
from longterm._codec.types.registry import KINDS


class Placeholder:
    """A decoded instruction: define an item that is made of these parts and populated later."""

    __slots__ = ("kind", "parts")

    def __init__(self, kind: Kind, parts: Parts) -> None:
        """Keep both until the decoder has the item's number."""
        self.kind = kind
        self.parts = parts


class Contents:
    """A decoded instruction: put these parts into a placeholder."""

    __slots__ = ("parts", "placeholder")

    def __init__(self, placeholder: Any, parts: Parts) -> None:
        """Keep both for the decoder."""
        self.placeholder = placeholder
        self.parts = parts


def _load_placeholder(parts: Parts, decoding: Any) -> Placeholder:
    if type(parts[0]) is not int:
        raise TypeError("what is populated later is of a kind")
    kind = KINDS[parts[0]]
    if kind.populate is None or kind.whole:
        raise ValueError(f"a {kind.name} is never empty at first")
    return Placeholder(kind, parts[1:])


def _load_contents(parts: Parts, decoding: Any) -> Contents:
    return Contents(parts[0], parts[1:])


NEW: Final = Kind("new", _load_placeholder)
FILL: Final = Kind("fill", _load_contents)

FAMILY: Final = Family(kinds=(NEW, FILL))
