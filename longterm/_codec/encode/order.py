"""An order for the elements of a set, the same under any hash seed and in any process.

By type and content. Elements that differ in nothing but identity keep the order they have.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any, Final

from longterm._codec import names
from longterm._codec.introspect import is_a, module_of, qualname_of
from longterm._codec.types.classes import ClassPlan, plan_of

_DEPTH: Final = 8
"""How deep elements are compared: what differs only deeper counts as alike."""


def in_order(elements: Collection[Any]) -> list[Any]:
    """Return the elements in their order."""
    if len(elements) < 2:
        return list(elements)
    types = set(map(type, elements))
    if len(types) == 1 and types <= {str, bytes, int}:
        return sorted(elements)
    return sorted(elements, key=_key)


def _key(value: Any, depth: int = _DEPTH) -> tuple[Any, ...]:
    cls = type(value)
    name = f"{module_of(cls)}.{qualname_of(cls)}"
    if value is None or not depth:
        return (name,)
    if cls in (int, bool, str, bytes):
        return (name, value)
    if cls is float:
        return (name, struct.pack(">d", value))
    if cls is tuple:
        return (name, tuple(_key(part, depth - 1) for part in value))
    if is_a(value, frozenset, set):
        base: Any = frozenset if is_a(value, frozenset) else set
        return (name, tuple(sorted(_key(part, depth - 1) for part in base.__iter__(value))))
    if is_a(value, type) or names.is_function(value):
        return (name, str(names.own_name(value)))
    return (name, *_content(value, cls, depth))


def _content(value: Any, cls: type, depth: int) -> tuple[Any, ...]:
    plan = plan_of(cls)
    if cls is object:
        return ()  # its repr is its place in memory
    if type(plan) is not ClassPlan:
        # A type of the codec's own: dates, decimals, paths. Their repr is their content.
        return (repr(value),) if module_of(cls) in _REPR_IS_CONTENT else ()
    if plan.is_enum:
        held = object.__getattribute__(value, "__dict__")
        return (str(held["_name_"]), repr(held["_value_"]))
    attributes = {**(plan.attributes(value) or {}), **(plan.slot_values(value) or {})}
    own = tuple((name, _key(held, depth - 1)) for name, held in sorted(attributes.items()))
    if plan.base is tuple:
        return (own, tuple(_key(part, depth - 1) for part in tuple.__iter__(value)))
    return (own, plan.base.__repr__(value) if plan.base in _SHOWN_BY_BASE else "")


_SHOWN_BY_BASE: Final = (int, str, bytes, date, timedelta)

_REPR_IS_CONTENT: Final = frozenset(
    {
        "builtins", "datetime", "decimal", "fractions", "ipaddress", "pathlib", "pathlib._local",
        "re", "uuid", "zoneinfo",
    }
)  # fmt: skip
