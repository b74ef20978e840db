"""Exact numbers: decimals as text, fractions as their two whole numbers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_GROUP: Final = "numbers"


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


FRACTION: Final = Kind("fraction", _load_fraction)

FAMILY: Final = Family(
    kinds=(FRACTION,),
    readers={
        wire.DECIMAL: _read_decimal,
    },
    rows=(
        Row(Decimal, dump=_decimal, group=_GROUP, is_value=True, is_nan=Decimal.is_nan),
        Row(
            Fraction,
            dump=lambda value: [FRACTION.tag, value.numerator, value.denominator],
            group=_GROUP,
            is_value=True,
            is_tagged=True,
        ),
    ),
)
