"""The path from the encoded root to a value, as steps that people can read.

`[2].slots['rows'][3].cursor` has the steps Item(2), Attribute("slots"), Item("rows"), Item(3) and
Attribute("cursor").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from longterm._codec.introspect import (
    dotted_name_of,
    is_a,
    is_exactly,
    mro_of,
    namespace_of,
    qualname_of,
)
from longterm.frame import Frame


@dataclass(frozen=True, slots=True)
class Item:
    """A step to an element of a list or such, or to the value of a key."""

    key: object

    def __str__(self) -> str:
        return f"[{_shown(self.key)}]"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A step to an attribute, or to a part that has a name."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


Step = Item | Attribute


def between(nodes: Sequence[Any], parts: Mapping[int, list[Any]]) -> tuple[Step, ...]:
    """Return the steps along nodes of which each holds the next, taken apart as `parts` say."""
    steps: list[Step] = []
    for position in range(len(nodes) - 1):
        holder, held = nodes[position], nodes[position + 1]
        above = nodes[position - 1] if position else None
        steps.extend(_step(holder, held, above, parts))
    return tuple(steps)


def _shown(key: object) -> str:
    try:
        return repr(key)
    except Exception:
        return f"<{dotted_name_of(type(key))}>"


def _step(holder: Any, held: Any, above: Any, parts: Mapping[int, list[Any]]) -> list[Step]:
    if type(holder) is dict:
        return [_key_step(holder, held, _is_namespace(holder, above, parts))]
    names = _field_names(type(above)) if is_exactly(holder, tuple) else None
    if names is not None:
        return [Attribute(names[next(i for i, part in enumerate(holder) if part is held)])]
    if held is _closure(holder):
        return []
    if holder is _closure(above):
        return [Attribute(f"<variable {_variable_in(held, above)}>")]
    if is_exactly(holder, list, tuple):
        return [Item(next(i for i, part in enumerate(holder) if part is held))]
    if is_a(holder, Frame):
        return [Attribute("slots" if held is holder.slots else "cells")]
    own = parts.get(id(holder), [])
    if type(held) is dict and _is_namespace(held, holder, parts):
        return []
    if type(held) is tuple and is_a(holder, tuple, frozenset) and type(holder) is not tuple:
        return []
    position = next((i for i, part in enumerate(own) if part is held), 0)
    return [Attribute(_part_name(holder, position))]


def _is_namespace(mapping: Any, above: Any, parts: Mapping[int, list[Any]]) -> bool:
    """Tell whether a dict holds the attributes of the instance above it."""
    own = parts.get(id(above), [])
    return not is_a(above, Frame, list, dict, tuple) and any(part is mapping for part in own[2:])


def _key_step(holder: Any, held: Any, is_namespace: bool) -> Step:
    for key, value in holder.items():
        if value is held:
            return Attribute(key) if is_namespace and type(key) is str else Item(key)
        if key is held:
            return Attribute(f"keys()[{_shown(key)}]")
    raise AssertionError("a dict holds what it was walked to")


def _field_names(cls: type) -> tuple[str, ...] | None:
    """Return the names of a named tuple's elements, or None if a class is none."""
    for base in mro_of(cls):
        if "_fields" in namespace_of(base):
            found = namespace_of(base)["_fields"]
            return found if type(found) is tuple else None
    return None


def _closure(value: Any) -> Any:
    """Return the cells of a function, or None if it has none or the value is no function."""
    return value.__closure__ if type(value) is FunctionType else None


def _variable_in(cell: Any, function: FunctionType) -> str:
    cells = zip(function.__code__.co_freevars, _closure(function), strict=True)
    return next(name for name, captured in cells if captured is cell)


def _part_name(holder: Any, position: int) -> str:
    names = {
        "cell": ("cell_contents",),
        "method": ("__func__", "__self__"),
        "partial": ("func", "args", "keywords"),
    }.get(qualname_of(type(holder)), ())
    if 0 < position <= len(names):
        return names[position - 1]
    return f"<part {position} of {qualname_of(type(holder))}>"
