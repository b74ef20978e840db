"""What is freed with native stack for each level of it, such as a deque of a deque of a deque.

Lists, tuples, dicts, sets and instances of classes are freed without it, however deep; deques,
default dicts, slices, iterators and some exceptions are not, and 100,000 of them inside each other
end the process. (CPython's `Py_TRASHCAN_BEGIN` stands in some deallocators and not in others.)
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Any

from longterm._codec.decode.decoding import FRAGILE_DEPTH


def is_too_deep(values: list[Any], held_by: Callable[[Any], Iterable[Any]]) -> bool:
    """Return whether more than `FRAGILE_DEPTH` of these values hold each other in a row."""
    return len(values) > FRAGILE_DEPTH and max(_depths(values, held_by).values()) > FRAGILE_DEPTH


def take_apart(values: list[Any]) -> None:
    """Free values without native stack; nothing else may refer to them."""
    order = list(_depths(values, gc.get_referents))
    known = {id(value): value for value in values}
    values.clear()
    # Those that hold others come last here, and are freed first.
    while order:
        del known[order.pop()]


def _depths(values: list[Any], held_by: Callable[[Any], Iterable[Any]]) -> dict[int, int]:
    """Return how many of the values are in a row from each on, those that are held first."""
    known = {id(value): value for value in values}
    depths: dict[int, int] = {}
    for start in known.values():
        path = [(start, iter(held_by(start)))] if id(start) not in depths else []
        is_open = {id(start)}
        while path:
            value, rest = path[-1]
            for child in rest:
                key = id(child)
                if key in known and key not in depths and key not in is_open:
                    path.append((child, iter(held_by(child))))
                    is_open.add(key)
                    break
            else:
                inside = (depths.get(id(child), 0) for child in held_by(value))
                depths[id(value)] = 1 + max(inside, default=0)
                path.pop()
    return depths
