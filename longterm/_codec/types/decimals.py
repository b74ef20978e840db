"""Exact numbers: decimals as text, fractions as their two whole numbers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.kinds import READERS, Kind, Parts, store

_FAMILY: Final = "numbers"


def _decimal(value: Decimal) -> ExtType:
    return ExtType(wire.DECIMAL, str(value).encode())


def _read_decimal(payload: bytes) -> Decimal:
    return Decimal(payload.decode("ascii"))


def _load_fraction(parts: Parts, decoding: Decoding) -> Fraction:
    # Made without its constructor, whose search for common divisors takes time out of proportion.
    numerator, denominator = parts
    if type(numerator) is not int or type(denominator) is not int or denominator < 1:
        raise ValueError("a fraction has a whole numerator and a positive denominator")
    made: Any = object.__new__(Fraction)
    made._numerator, made._denominator = numerator, denominator
    return made  # type: ignore[no-any-return]


FRACTION: Final = Kind(9, "fraction", _load_fraction)

READERS[wire.DECIMAL] = _read_decimal

store(Decimal, dump=_decimal, family=_FAMILY, is_value=True, is_nan=Decimal.is_nan)
store(Fraction, dump=lambda value: [FRACTION.tag, value.numerator, value.denominator],
      family=_FAMILY, is_value=True, is_tagged=True)  # fmt: skip
