"""Iterators over iterators: enumerate, zip, map, filter, and `iter(callable, sentinel)`."""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.decode.context import Context
from longterm._codec.types.kinds import Kind, Parts, store

_FAMILY: Final = "iterators"


class AsIs:
    """Hands an iterator to a constructor that asks for `iter()` of it, so no code of its runs."""

    __slots__ = ("iterator",)

    def __init__(self, iterator: Any) -> None:
        """Keep the iterator."""
        self.iterator = iterator

    def __iter__(self) -> Any:
        """Return the iterator itself."""
        return self.iterator


def _take_enumerate(value: Any) -> Parts:
    _, (iterator, count) = value.__reduce__()
    return [ENUMERATE.tag, iterator, count]


def _make_enumerate(parts: Parts, context: Context) -> Any:
    iterator, count = parts
    if type(count) is not int:
        raise TypeError("an enumerate counts in whole numbers")
    return enumerate(AsIs(iterator), count)


def _take_zip(value: Any) -> Parts:
    _, iterators, *strict = value.__reduce__()
    return [ZIP.tag, bool(strict), *iterators]


def _make_zip(parts: Parts, context: Context) -> Any:
    strict, *iterators = parts
    return zip(*map(AsIs, iterators), strict=strict is True)


def _take_map(value: Any) -> Parts:
    _, (function, *iterators), *_ = value.__reduce__()
    return [MAP.tag, function, *iterators]


def _make_map(parts: Parts, context: Context) -> Any:
    function, *iterators = parts
    context.acts = True
    return map(function, *map(AsIs, iterators))


def _take_filter(value: Any) -> Parts:
    _, (function, iterator) = value.__reduce__()
    return [FILTER.tag, function, iterator]


def _make_filter(parts: Parts, context: Context) -> Any:
    function, iterator = parts
    context.acts = True
    return filter(function, AsIs(iterator))


def _take_call_iterator(value: Any) -> Parts:
    _, parts = value.__reduce__()
    return [CALLS.tag, *(parts if len(parts) == 2 else ())]


def _make_call_iterator(parts: Parts, context: Context) -> Any:
    if not parts:
        made: Any = iter(list, [])
        next(made, None)
        return made
    function, sentinel = parts
    context.acts = True
    return iter(function, sentinel)


ENUMERATE: Final = Kind(43, "enumerate", _make_enumerate, is_fragile=True)
ZIP: Final = Kind(44, "zip", _make_zip, is_fragile=True)
MAP: Final = Kind(45, "map", _make_map, is_fragile=True)
FILTER: Final = Kind(46, "filter", _make_filter, is_fragile=True)
CALLS: Final = Kind(47, "iterator of calls", _make_call_iterator, is_fragile=True)

store(enumerate, take=_take_enumerate, family=_FAMILY)
store(zip, take=_take_zip, family=_FAMILY)
store(map, take=_take_map, family=_FAMILY)
store(filter, take=_take_filter, family=_FAMILY)
store(type(iter(list, [])), take=_take_call_iterator, family=_FAMILY)

ACTIVE: Final[tuple[type, ...]] = (map, filter, type(iter(list, [])))
"""Those that call a function of theirs when they are gone through."""
