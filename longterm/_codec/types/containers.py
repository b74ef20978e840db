"""Builtin containers that are no plain list or dict: tuple, set, frozenset, deque, range and such.

Their parts are flat in the tagged array, so that what is made is never larger than what was read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from longterm._codec.decode import hashing
from longterm._codec.decode.context import Context
from longterm._codec.encode.order import in_order
from longterm._codec.types.kinds import Kind, Parts, store

_FAMILY: Final = "containers"


def _make_list(parts: Parts, context: Context) -> list[Any]:
    return []


def _fill_list(value: list[Any], parts: Parts, context: Context) -> None:
    value.extend(parts)


def _make_dict(parts: Parts, context: Context) -> dict[Any, Any]:
    return {}


def _fill_dict(value: dict[Any, Any], parts: Parts, context: Context) -> None:
    put_pairs(value, parts, context, dict.update)


def put_pairs(
    value: dict[Any, Any], parts: Parts, context: Context, update: Callable[..., None]
) -> None:
    """Put keys and values, which take turns, into a dict."""
    keys, values = parts[::2], parts[1::2]
    if len(keys) != len(values):
        raise ValueError("a key has no value")
    hashing.put(
        keys,
        lambda some: update(value, zip(keys[some], values[some], strict=True)),
        value,
        context,
    )


def _make_tuple(parts: Parts, context: Context) -> tuple[Any, ...]:
    return tuple(parts)


def _make_set(parts: Parts, context: Context) -> set[Any]:
    return set()


def _fill_set(value: set[Any], parts: Parts, context: Context) -> None:
    hashing.put(parts, lambda some: value.update(parts[some]), value, context)


def _make_frozenset(parts: Parts, context: Context) -> frozenset[Any]:
    made: set[Any] = set()
    _fill_set(made, parts, context)
    return frozenset(made)


def _make_deque(parts: Parts, context: Context) -> deque[Any]:
    (maxlen,) = parts
    if maxlen is not None and type(maxlen) is not int:
        raise TypeError("a deque has a greatest length or none")
    return deque(maxlen=maxlen)


def _fill_deque(value: deque[Any], parts: Parts, context: Context) -> None:
    value.extend(parts)


def _make_range(parts: Parts, context: Context) -> range:
    start, stop, step = parts
    if not type(start) is type(stop) is type(step) is int:
        raise TypeError("a range goes over whole numbers")
    return range(start, stop, step)


def _make_slice(parts: Parts, context: Context) -> slice:
    start, stop, step = parts
    return slice(start, stop, step)


def _make_namespace(parts: Parts, context: Context) -> SimpleNamespace:
    return SimpleNamespace()


def _fill_namespace(value: SimpleNamespace, parts: Parts, context: Context) -> None:
    if not all(type(name) is str for name in parts[::2]):
        raise TypeError("what a namespace holds has names")
    _fill_dict(vars(value), parts, context)


LIST: Final = Kind(1, "list", _make_list, _fill_list)
DICT: Final = Kind(2, "dict", _make_dict, _fill_dict, hashes=True)
TUPLE: Final = Kind(3, "tuple", _make_tuple)
SET: Final = Kind(4, "set", _make_set, _fill_set, hashes=True)
FROZENSET: Final = Kind(5, "frozenset", _make_frozenset, hashes=True)
DEQUE: Final = Kind(6, "deque", _make_deque, _fill_deque, needs=1, is_fragile=True)
RANGE: Final = Kind(7, "range", _make_range)
SLICE: Final = Kind(8, "slice", _make_slice, is_fragile=True)
NAMESPACE: Final = Kind(10, "namespace", _make_namespace, _fill_namespace, is_fragile=True)


def pairs(mapping: Mapping[Any, Any]) -> Parts:
    """Return keys and values, one after the other."""
    return [part for pair in mapping.items() for part in pair]


store(tuple, take=lambda value: [TUPLE.tag, *value], family=_FAMILY)
store(set, take=lambda value: [SET.tag, *in_order(value)], family=_FAMILY,
      note="written in an order of its own, so that equal sets are equal bytes")  # fmt: skip
store(frozenset, take=lambda value: [FROZENSET.tag, *in_order(value)], family=_FAMILY)
store(deque, take=lambda value: [DEQUE.tag, value.maxlen, *value], family=_FAMILY)
store(range, take=lambda value: [RANGE.tag, value.start, value.stop, value.step], family=_FAMILY,
      is_value=True, is_tagged=True)  # fmt: skip
store(slice, take=lambda value: [SLICE.tag, value.start, value.stop, value.step], family=_FAMILY)
store(SimpleNamespace, take=lambda value: [NAMESPACE.tag, *pairs(vars(value))], family=_FAMILY)
