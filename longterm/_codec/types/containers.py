"""Builtin containers that are no plain list or dict: tuple, set, frozenset, deque, range and such.

Their parts are flat in the tagged array, so that what is made is never larger than what was read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from longterm._codec.decode import hashing
from longterm._codec.decode.decoding import Decoding
from longterm._codec.encode.order import in_order
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_GROUP: Final = "containers"


def _load_list(parts: Parts, decoding: Decoding) -> list[Any]:
    return []


def _populate_list(value: list[Any], parts: Parts, decoding: Decoding) -> None:
    value.extend(parts)


def _load_dict(parts: Parts, decoding: Decoding) -> dict[Any, Any]:
    return {}


def _populate_dict(value: dict[Any, Any], parts: Parts, decoding: Decoding) -> None:
    put_pairs(value, parts, decoding, dict.update)


def put_pairs(
    value: dict[Any, Any], parts: Parts, decoding: Decoding, update: Callable[..., None]
) -> None:
    """Put keys and values, which take turns, into a dict."""
    keys, values = parts[::2], parts[1::2]
    if len(keys) != len(values):
        raise ValueError("a key has no value")
    hashing.put(
        keys,
        lambda some: update(value, zip(keys[some], values[some], strict=True)),
        value,
        decoding,
    )


def _load_tuple(parts: Parts, decoding: Decoding) -> tuple[Any, ...]:
    return tuple(parts)


def _load_set(parts: Parts, decoding: Decoding) -> set[Any]:
    return set()


def _populate_set(value: set[Any], parts: Parts, decoding: Decoding) -> None:
    hashing.put(parts, lambda some: value.update(parts[some]), value, decoding)


def _load_frozenset(parts: Parts, decoding: Decoding) -> frozenset[Any]:
    made: set[Any] = set()
    _populate_set(made, parts, decoding)
    return frozenset(made)


def _load_deque(parts: Parts, decoding: Decoding) -> deque[Any]:
    (maxlen,) = parts
    if maxlen is not None and type(maxlen) is not int:
        raise TypeError("a deque has a greatest length or none")
    return deque(maxlen=maxlen)


def _populate_deque(value: deque[Any], parts: Parts, decoding: Decoding) -> None:
    value.extend(parts)


def _load_range(parts: Parts, decoding: Decoding) -> range:
    start, stop, step = parts
    if not type(start) is type(stop) is type(step) is int:
        raise TypeError("a range goes over whole numbers")
    return range(start, stop, step)


def _load_slice(parts: Parts, decoding: Decoding) -> slice:
    start, stop, step = parts
    return slice(start, stop, step)


def _load_namespace(parts: Parts, decoding: Decoding) -> SimpleNamespace:
    return SimpleNamespace()


def _populate_namespace(value: SimpleNamespace, parts: Parts, decoding: Decoding) -> None:
    if not all(type(name) is str for name in parts[::2]):
        raise TypeError("what a namespace holds has names")
    _populate_dict(vars(value), parts, decoding)


LIST: Final = Kind("list", _load_list, _populate_list)
DICT: Final = Kind("dict", _load_dict, _populate_dict, hashes=True)
TUPLE: Final = Kind("tuple", _load_tuple)
SET: Final = Kind("set", _load_set, _populate_set, hashes=True)
FROZENSET: Final = Kind("frozenset", _load_frozenset, hashes=True)
DEQUE: Final = Kind("deque", _load_deque, _populate_deque, needs=1, is_fragile=True)
RANGE: Final = Kind("range", _load_range)
SLICE: Final = Kind("slice", _load_slice, is_fragile=True)
NAMESPACE: Final = Kind("namespace", _load_namespace, _populate_namespace, is_fragile=True)


def pairs(mapping: Mapping[Any, Any]) -> Parts:
    """Return keys and values, one after the other."""
    return [part for pair in mapping.items() for part in pair]


FAMILY: Final = Family(
    kinds=(LIST, DICT, TUPLE, SET, FROZENSET, DEQUE, RANGE, SLICE, NAMESPACE),
    rows=(
        Row(tuple, dump=lambda value: [TUPLE.tag, *value], group=_GROUP),
        Row(
            set,
            dump=lambda value: [SET.tag, *in_order(value)],
            group=_GROUP,
            note="written in an order of its own, so that equal sets are equal bytes",
        ),
        Row(frozenset, dump=lambda value: [FROZENSET.tag, *in_order(value)], group=_GROUP),
        Row(deque, dump=lambda value: [DEQUE.tag, value.maxlen, *value], group=_GROUP),
        Row(
            range,
            dump=lambda value: [RANGE.tag, value.start, value.stop, value.step],
            group=_GROUP,
            is_value=True,
            is_tagged=True,
        ),
        Row(
            slice,
            dump=lambda value: [SLICE.tag, value.start, value.stop, value.step],
            group=_GROUP,
        ),
        Row(SimpleNamespace, dump=lambda value: [NAMESPACE.tag, *pairs(vars(value))], group=_GROUP),
    ),
)
