"""The two instructions among items by which knots are made again: define a shell, and fill it.

They are kinds like others on the wire, with numbers above all of theirs.
"""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.types.kinds import KINDS, Kind, Parts


class Shell:
    """A decoded instruction: define an item that is made of these parts and filled later."""

    __slots__ = ("kind", "parts")

    def __init__(self, kind: Kind, parts: Parts) -> None:
        """Keep both until the decoder has the item's number."""
        self.kind = kind
        self.parts = parts


class Filling:
    """A decoded instruction: put these parts into a shell."""

    __slots__ = ("parts", "shell")

    def __init__(self, shell: Any, parts: Parts) -> None:
        """Keep both for the decoder."""
        self.shell = shell
        self.parts = parts


def _make_shell(parts: Parts, context: Any) -> Shell:
    if type(parts[0]) is not int:
        raise TypeError("what is populated later is of a kind")
    kind = KINDS[parts[0]]
    if kind.fill is None or kind.whole:
        raise ValueError(f"a {kind.name} is never empty at first")
    return Shell(kind, parts[1:])


def _make_filling(parts: Parts, context: Any) -> Filling:
    return Filling(parts[0], parts[1:])


NEW: Final = Kind(120, "new", _make_shell)
FILL: Final = Kind(121, "fill", _make_filling)
