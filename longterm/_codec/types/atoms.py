"""Atoms: values without parts, whole in the payload of one extension.

Text where people would read text (such as dates), bytes otherwise. Only their content
matters, not their identity, but for bytearray and array, which can change.
"""

from __future__ import annotations

import struct
import sys
from array import array
from datetime import date, timedelta
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import Family, Row


def integer(value: int) -> ExtType:
    """Write an integer that is beyond 64 bits."""
    length = value.bit_length() // 8 + 1
    return ExtType(wire.INTEGER, value.to_bytes(length, "big", signed=True))


def _read_integer(payload: bytes) -> int:
    return int.from_bytes(payload, "big", signed=True)


def string(value: str) -> ExtType:
    """Write a string that is not valid Unicode."""
    return ExtType(wire.STRING, value.encode("utf-8", "surrogatepass"))


def _read_string(payload: bytes) -> str:
    return payload.decode("utf-8", "surrogatepass")


def _complex(value: complex) -> ExtType:
    return ExtType(wire.COMPLEX, struct.pack(">dd", value.real, value.imag))


def _read_complex(payload: bytes) -> complex:
    return complex(*struct.unpack(">dd", payload))


def _date(value: date) -> ExtType:
    return ExtType(wire.DATE, value.isoformat().encode())


def _read_date(payload: bytes) -> date:
    return date.fromisoformat(payload.decode("ascii"))


def _timedelta(value: timedelta) -> ExtType:
    return ExtType(
        wire.TIMEDELTA, struct.pack(">iII", value.days, value.seconds, value.microseconds)
    )


def _read_timedelta(payload: bytes) -> timedelta:
    return timedelta(*struct.unpack(">iII", payload))


SINGLETONS: Final[dict[bytes, Any]] = {
    b"...": Ellipsis, b"NotImplemented": NotImplemented, b"NoneType": type(None),
    b"ellipsis": type(Ellipsis), b"NotImplementedType": type(NotImplemented),
}  # fmt: skip
"""Objects that are one of a kind, and classes that no module holds under their own name."""


def _singleton(value: object) -> ExtType:
    return ExtType(wire.SINGLETON, b"..." if value is Ellipsis else b"NotImplemented")


def _read_singleton(payload: bytes) -> object:
    return SINGLETONS[payload]


def _bytearray(value: bytearray) -> ExtType:
    return ExtType(wire.BYTEARRAY, bytes(value))


def _array(value: array[Any]) -> ExtType:
    if sys.byteorder == "big" and value.itemsize > 1:
        value = array(value.typecode, value)
        value.byteswap()
    head = value.typecode.encode() + bytes([value.itemsize])
    return ExtType(wire.ARRAY, head + value.tobytes())


def _read_array(payload: bytes) -> array[Any]:
    made: array[Any] = array(payload[:1].decode("ascii"))
    if made.itemsize != payload[1]:
        raise ValueError(f"an array item of {payload[1]} bytes does not fit this machine")
    made.frombytes(payload[2:])
    if sys.byteorder == "big" and made.itemsize > 1:
        made.byteswap()
    if made.typecode in _CHARACTERS:
        made.tounicode()  # raises if one is no character, so that the array can be shown
    return made


_CHARACTERS: Final = ("u", "w")


_TIMES: Final = "dates and times"

FAMILY: Final = Family(
    readers={
        wire.INTEGER: _read_integer,
        wire.STRING: _read_string,
        wire.COMPLEX: _read_complex,
        wire.DATE: _read_date,
        wire.TIMEDELTA: _read_timedelta,
        wire.SINGLETON: _read_singleton,
        wire.BYTEARRAY: bytearray,
        wire.ARRAY: _read_array,
    },
    rows=(
        Row(
            complex,
            dump=_complex,
            group="numbers",
            is_value=True,
            is_nan=lambda value: value != value,
        ),
        Row(date, dump=_date, group=_TIMES, is_value=True),
        Row(timedelta, dump=_timedelta, group=_TIMES, is_value=True),
        Row(
            type(Ellipsis),
            type(NotImplemented),
            dump=_singleton,
            group="singletons",
            is_value=True,
        ),
        Row(bytearray, dump=_bytearray, group="binary"),
        Row(array, dump=_array, group="binary"),
    ),
)
