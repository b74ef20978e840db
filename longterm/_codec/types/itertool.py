"""Iterators of itertools, where they stand.

As arguments and state, in the way of Python's own `__reduce__` and `__setstate__`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from longterm._codec.decode.decoding import BYTES_PER_ELEMENT, Decoding
from longterm._codec.introspect import is_exactly
from longterm._codec.types.adaptors import AsIs
from longterm._codec.types.itertool_state import go_on, read
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_ENDED: Final = ()


def _over_one(cls: Any) -> Callable[..., Any]:
    return lambda decoding, iterator, *rest: cls(AsIs(iterator), *rest)


def _with_function(cls: Any) -> Callable[..., Any]:
    return lambda decoding, function, iterator: cls(function, AsIs(iterator))


def _over_all(cls: Any) -> Callable[..., Any]:
    # An iterator that has come to its end is an empty tuple in the state of zip_longest.
    return lambda decoding, *iterators: cls(
        *(iterator if iterator is _ENDED else AsIs(iterator) for iterator in iterators)
    )


def _number(value: Any) -> Any:
    if not is_exactly(value, int, float, complex, Decimal, Fraction):
        raise TypeError("a count is of numbers")
    return value


def _position(value: Any) -> Any:
    if value is not None and type(value) is not int:
        raise TypeError("a position is a number")
    return value


def _of_pool(cls: Any) -> Callable[..., Any]:
    def make(decoding: Decoding, pool: Any, length: Any) -> Any:
        if type(pool) is not tuple or type(length) is not int or length < 0:
            raise TypeError("a selection is made from a tuple, and has a length")
        # What is made has as many numbers as the selection is long.
        decoding.spend((length + len(pool)) * BYTES_PER_ELEMENT)
        return cls(pool, length)

    return make


def _product(decoding: Decoding, *pools: Any) -> Any:
    if not all(type(pool) is tuple for pool in pools):
        raise TypeError("a product is made from tuples")
    return itertools.product(*pools)


_LOADERS: Final[dict[str, Callable[..., Any]]] = {
    "accumulate": _over_one(itertools.accumulate),
    "chain": lambda decoding: itertools.chain(),
    "combinations": _of_pool(itertools.combinations),
    "combinations_with_replacement": _of_pool(itertools.combinations_with_replacement),
    "compress": _over_all(itertools.compress),
    "count": lambda decoding, *numbers: itertools.count(*map(_number, numbers)),
    "cycle": _over_one(itertools.cycle),
    "dropwhile": _with_function(itertools.dropwhile),
    "filterfalse": _with_function(itertools.filterfalse),
    "pairwise": lambda decoding, iterator: itertools.pairwise(AsIs(iterator)),
    "islice": lambda decoding, iterator, *ends: itertools.islice(
        AsIs(iterator), *map(_position, ends)
    ),
    "permutations": _of_pool(itertools.permutations),
    "product": _product,
    "repeat": lambda decoding, value, *times: itertools.repeat(value, *map(_position, times)),
    "starmap": _with_function(itertools.starmap),
    "takewhile": _with_function(itertools.takewhile),
    "zip_longest": _over_all(itertools.zip_longest),
}


def _dump(value: Any) -> Parts:
    if "__reduce__" not in vars(type(value)):
        arguments, state = read(value)
        return [ITERTOOL.tag, type(value).__name__, arguments, *state]
    with _without_warnings():
        cls, arguments, *state = value.__reduce__()
    # No state is the state of one that has not begun.
    return [ITERTOOL.tag, cls.__name__, arguments, *(part for part in state if part is not None)]


def _load(parts: Parts, decoding: Decoding) -> Any:
    name, arguments, *state = parts
    if type(name) is not str or type(arguments) is not tuple:
        raise TypeError("an iterator of itertools has a name and arguments")
    decoding.acts |= name in _ACTING
    decoding.spend(2 * len(arguments) * BYTES_PER_ELEMENT)
    made = _LOADERS[name](decoding, *arguments)
    if not state:
        return made
    (stands_at,) = state
    # What is asked for its truth, its length or its number must not have code of its own.
    if not _STATES[name](stands_at):
        raise TypeError(f"{name} does not stand there")
    if not hasattr(made, "__setstate__"):
        return go_on(name, arguments, stands_at, decoding)
    with _without_warnings():
        made.__setstate__(stands_at)
    return made


@contextmanager
def _without_warnings() -> Iterator[None]:
    # Python 3.12 and 3.13 warn that 3.14 cannot do this (gh-101588).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _anything(state: Any) -> bool:
    return True


def _numbers(state: Any) -> bool:
    return type(state) is tuple and all(type(part) is int for part in state)


_STATES: Final[dict[str, Callable[[Any], bool]]] = {
    "accumulate": _anything,
    "chain": lambda state: type(state) is tuple,
    "combinations": _numbers,
    "combinations_with_replacement": _numbers,
    "cycle": lambda state: (
        type(state) is tuple
        and len(state) == 2
        and type(state[0]) is list
        and is_exactly(state[1], bool, int)
    ),
    "dropwhile": lambda state: is_exactly(state, bool, int),
    "islice": lambda state: type(state) is int,
    "pairwise": lambda state: type(state) is tuple,
    "permutations": lambda state: type(state) is tuple and all(map(_numbers, state)),
    "product": _numbers,
    "takewhile": lambda state: is_exactly(state, bool, int),
    "zip_longest": _anything,
}

_ACTING: Final = frozenset({"accumulate", "dropwhile", "filterfalse", "starmap", "takewhile"})
ACTING: Final = tuple(getattr(itertools, name) for name in sorted(_ACTING))
"""Those that call a function of theirs when they are gone through."""

ITERTOOL: Final = Kind("itertools", _load, is_fragile=True)

FAMILY: Final = Family(
    kinds=(ITERTOOL,),
    rows=(
        Row(
            *(getattr(itertools, name) for name in sorted(_LOADERS)),
            dump=_dump,
            group="iterators",
            note="Python 3.14 hides where some of them stand; those are refused there",
        ),
    ),
)
