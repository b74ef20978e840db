"""Bytes made by hand, as someone would who can write to the store."""

from __future__ import annotations

from typing import Any

from msgpack import ExtType, packb

from longterm._codec import wire
from longterm._codec.types.registry import KINDS, load_all

load_all()


def items(*values: Any) -> bytes:
    """Return bytes of the items layout that hold these values."""
    return bytes([wire.VERSION, wire.ITEMS]) + b"".join(
        packb(each, strict_types=True) for each in values
    )


def tagged(kind: str, *parts: Any) -> list[Any]:
    """Return a tagged array of the kind of this name."""
    return [next(each.tag for each in KINDS.values() if each.name == kind), *parts]


def name(text: str) -> ExtType:
    """Return the name of a function or class as a value."""
    return ExtType(wire.NAME, text.encode())


def module(text: str) -> ExtType:
    """Return the name of a module."""
    return ExtType(wire.MODULE, text.encode())


def type_of(text: str) -> ExtType:
    """Return the class of an instance."""
    return ExtType(wire.TYPE, text.encode())


def reference(number: int) -> ExtType:
    """Return a reference to an item."""
    return wire.reference(number)


def code(name: str) -> int:
    """Return the code of the kind of this name."""
    return next(each.code for each in KINDS.values() if each.name == name)
