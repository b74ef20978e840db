"""An order for the elements of a set, the same under any hash seed and in any process.

By type and content. Elements that differ in nothing but identity keep the order they have. No code
of the elements runs, and what they share is looked at once.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from longterm._codec import names
from longterm._codec.introspect import dotted_name_of, is_a
from longterm._codec.types.classes import ClassPlan, plan_of

_DEPTH: Final = 8
"""How deep elements are compared: what differs only deeper counts as alike."""


def in_order(elements: Collection[Any]) -> list[Any]:
    """Return the elements in their order."""
    if len(elements) < 2:
        return list(elements)
    types = set(map(id, map(type, elements)))
    if len(types) == 1 and types <= _SORTED:
        return sorted(elements)
    return sorted(elements, key=_Keys().key)


class _Keys:
    """The keys by which elements are sorted."""

    def __init__(self) -> None:
        """Begin with none."""
        self._digests: dict[tuple[int, int], bytes] = {}

    def key(self, value: Any, depth: int = _DEPTH) -> tuple[Any, ...]:
        """Return the type of a value and what it holds; two of one type can be compared."""
        cls: Any = type(value)
        name = dotted_name_of(cls)
        if value is None or not depth:
            return (name,)
        if id(cls) in _SIMPLE:
            return (name, _SIMPLE[id(cls)](value))
        if is_a(value, type) or names.is_function(value):
            return (name, str(names.own_name(value)))
        if cls is tuple:
            return (name, *self._parts(value, depth))
        if is_a(value, frozenset, set):
            base: Any = frozenset if is_a(value, frozenset) else set
            return (name, *sorted(self._parts(base.__iter__(value), depth)))
        parts_of = _CONTENT.get(id(cls)) or _CONTENT.get(name)
        if parts_of:
            return (name, *self._parts(parts_of(value), depth))
        plan = plan_of(cls)
        if type(plan) is ClassPlan:
            return (name, *self._parts(_parts_of_instance(value, plan), depth))
        return (name, repr(value)) if name.startswith(_SHOWN) else (name,)

    def _parts(self, parts: Any, depth: int) -> list[tuple[Any, ...]]:
        """Return the keys of parts: of those that have parts of their own, a digest."""
        return [
            self.key(part, depth - 1)
            if id(type(part)) in _SIMPLE or part is None
            else (dotted_name_of(type(part)), self._digest(part, depth - 1))
            for part in parts
        ]

    def _digest(self, value: Any, depth: int) -> bytes:
        # Written out, a part that is held again and again could have no end.
        at = (id(value), depth)
        if at not in self._digests:
            # Version 0 of marshal looks at the content alone, and at no reference counts.
            from hashlib import blake2b  # only for sets of what has parts

            content = marshal.dumps(self.key(value, depth), 0)
            self._digests[at] = blake2b(content, digest_size=16).digest()
        return self._digests[at]


def _parts_of_instance(value: Any, plan: ClassPlan) -> list[Any]:
    if plan.is_enum:
        held = object.__getattribute__(value, "__dict__")
        return [held["_name_"], held["_value_"]]
    attributes = {**(plan.attributes(value) or {}), **(plan.slot_values(value) or {})}
    own = [part for name in sorted(attributes) for part in (name, attributes[name])]
    content = [*_OF_BASE[plan.base](value)] if plan.base in _OF_BASE else []
    return [len(content), *content, *own]


# By identity: to hash a class may run code of its metaclass.
_SORTED: Final = frozenset(map(id, (str, bytes, int)))

_SIMPLE: Final[dict[int, Callable[[Any], Any]]] = {
    **{id(cls): lambda value: value for cls in (int, bool, str, bytes)},
    id(float): lambda value: struct.pack(">d", value),
    id(complex): lambda value: struct.pack(">dd", value.real, value.imag),
}
"""Types without parts, and what to compare of them."""


def _read(cls: type, *attributes: str) -> Callable[[Any], list[Any]]:
    """Return what reads attributes of a value past what a subclass makes of them."""
    descriptors: list[Any] = [getattr(cls, name) for name in attributes]
    return lambda value: [descriptor.__get__(value) for descriptor in descriptors]


_DATE: Final = ("year", "month", "day")
_TIME: Final = ("hour", "minute", "second", "microsecond", "fold", "tzinfo")

_OF_BASE: Final[dict[type, Callable[[Any], Any]]] = {
    int: lambda value: [int.__pos__(value)],
    float: lambda value: [float.__pos__(value)],
    complex: lambda value: [complex.__pos__(value)],
    str: lambda value: [str.__str__(value)],
    bytes: lambda value: [bytes.__getitem__(value, slice(None))],
    tuple: tuple.__iter__,
    datetime: _read(datetime, *_DATE, *_TIME),
    date: _read(date, *_DATE),
    time: _read(time, *_TIME),
    timedelta: _read(timedelta, "days", "seconds", "microseconds"),
}
"""The parts of an instance of a subclass."""

_CONTENT: Final[dict[int | str, Callable[[Any], Any]]] = {
    id(range): lambda value: (value.start, value.stop, value.step),
    id(slice): lambda value: (value.start, value.stop, value.step),
    id(datetime): _OF_BASE[datetime],
    id(time): _OF_BASE[time],
    "fractions.Fraction": lambda value: (value.numerator, value.denominator),
    "re.Pattern": lambda value: (value.pattern, value.flags),
}
"""The parts of values whose `repr` leaves some out, or is in part that of another."""

_SHOWN: Final = ("datetime.", "decimal.", "ipaddress.", "pathlib.", "uuid.", "zoneinfo.")
"""Modules of types without parts whose `repr` is their content."""
