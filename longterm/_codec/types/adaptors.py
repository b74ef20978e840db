"""Iterators over iterators: enumerate, zip, map, filter, and `iter(callable, sentinel)`."""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row
from longterm._matches import is_of_finditer

_GROUP: Final = "iterators"


class AsIs:
    """Hands an iterator to a constructor that asks for `iter()` of it, so no code of its runs."""

    __slots__ = ("iterator",)

    def __init__(self, iterator: Any) -> None:
        """Keep the iterator."""
        self.iterator = iterator

    def __iter__(self) -> Any:
        """Return the iterator itself."""
        return self.iterator


def _dump_enumerate(value: Any) -> Parts:
    _, (iterator, count) = value.__reduce__()
    return [ENUMERATE.tag, iterator, count]


def _load_enumerate(parts: Parts, decoding: Decoding) -> Any:
    iterator, count = parts
    if type(count) is not int:
        raise TypeError("an enumerate counts in whole numbers")
    return enumerate(AsIs(iterator), count)


def _dump_zip(value: Any) -> Parts:
    _, iterators, *strict = value.__reduce__()
    return [ZIP.tag, bool(strict), *iterators]


def _load_zip(parts: Parts, decoding: Decoding) -> Any:
    strict, *iterators = parts
    return zip(*map(AsIs, iterators), strict=strict is True)


def _dump_map(value: Any) -> Parts:
    _, (function, *iterators), *_ = value.__reduce__()
    return [MAP.tag, function, *iterators]


def _load_map(parts: Parts, decoding: Decoding) -> Any:
    function, *iterators = parts
    decoding.acts = True
    return map(function, *map(AsIs, iterators))


def _dump_filter(value: Any) -> Parts:
    _, (function, iterator) = value.__reduce__()
    return [FILTER.tag, function, iterator]


def _load_filter(parts: Parts, decoding: Decoding) -> Any:
    function, iterator = parts
    decoding.acts = True
    return filter(function, AsIs(iterator))


def _dump_call_iterator(value: Any) -> Parts:
    if is_of_finditer(value):
        raise NotEncodable(
            "what `re.finditer` returns does not tell where it stands",
            "call finditer in the head of a `for` that waits",
        )
    _, parts = value.__reduce__()
    return [CALLS.tag, *(parts if len(parts) == 2 else ())]


def _load_call_iterator(parts: Parts, decoding: Decoding) -> Any:
    if not parts:
        made: Any = iter(list, [])
        next(made, None)
        return made
    function, sentinel = parts
    decoding.acts = True
    return iter(function, sentinel)


ENUMERATE: Final = Kind("enumerate", _load_enumerate, is_fragile=True)
ZIP: Final = Kind("zip", _load_zip, is_fragile=True)
MAP: Final = Kind("map", _load_map, is_fragile=True)
FILTER: Final = Kind("filter", _load_filter, is_fragile=True)
CALLS: Final = Kind("iterator of calls", _load_call_iterator, is_fragile=True)


ACTIVE: Final[tuple[type, ...]] = (map, filter, type(iter(list, [])))
"""Those that call a function of theirs when they are gone through."""

FAMILY: Final = Family(
    kinds=(ENUMERATE, ZIP, MAP, FILTER, CALLS),
    rows=(
        Row(enumerate, dump=_dump_enumerate, group=_GROUP, is_opened=True),
        Row(zip, dump=_dump_zip, group=_GROUP, is_opened=True),
        Row(map, dump=_dump_map, group=_GROUP),
        Row(filter, dump=_dump_filter, group=_GROUP),
        Row(type(iter(list, [])), dump=_dump_call_iterator, group=_GROUP),
    ),
)
