"""Generators of random numbers, as their state: what comes next is the same."""

from __future__ import annotations

import random
from typing import Any, Final

from longterm._codec.decode.decoding import BYTES_PER_ELEMENT, Decoding
from longterm._codec.introspect import is_exactly
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_VERSION: Final = 3
_Twister: Final[Any] = random.Random.__base__
"""The generator itself, which is written in C: its state is a tuple of numbers that it checks."""


def _dump(value: random.Random) -> Parts:
    version, state, gauss_next = random.Random.getstate(value)
    if version != _VERSION or vars(value).keys() > {"gauss_next"}:
        raise NotEncodable("it has more than its usual state", "keep its getstate()")
    return [RANDOM.tag, gauss_next, *state]


def _load(parts: Parts, decoding: Decoding) -> random.Random:
    gauss_next, *state = parts
    if not is_exactly(gauss_next, float, type(None)):
        raise TypeError("what a generator keeps for later is a number")
    decoding.spend(len(state) * BYTES_PER_ELEMENT)
    made: Any = random.Random.__new__(random.Random)
    _Twister.setstate(made, tuple(state))
    made.gauss_next = gauss_next
    return made  # type: ignore[no-any-return]


RANDOM: Final = Kind("random", _load)

FAMILY: Final = Family(
    kinds=(RANDOM,),
    rows=(Row(random.Random, dump=_dump, group="numbers", note="with what comes next"),),
)
