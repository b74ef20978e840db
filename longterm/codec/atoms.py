"""Atoms: values without parts, whole in the payload of one extension.

Text where people would read text (dates, decimals, paths), bytes otherwise. Only their content
matters, not their identity, but for bytearray and array, which can change.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

from msgpack import ExtType

from longterm.codec import wire
from longterm.codec.kinds import store

Read = Callable[[bytes], Any]
READERS: dict[int, Read] = {}
"""What makes the value of an atom's payload, by extension code."""


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


def _decimal(value: Decimal) -> ExtType:
    return ExtType(wire.DECIMAL, str(value).encode())


def _read_decimal(payload: bytes) -> Decimal:
    return Decimal(payload.decode("ascii"))


def _uuid(value: UUID) -> ExtType:
    safety = value.is_safe.value
    return ExtType(wire.UUID, value.bytes + (b"" if safety is None else bytes([safety & 255])))


def _read_uuid(payload: bytes) -> UUID:
    safety = SafeUUID.unknown
    if payload[16:]:
        safety = SafeUUID.safe if payload[16:] == b"\0" else SafeUUID.unsafe
    return UUID(bytes=payload[:16], is_safe=safety)


def _singleton(value: object) -> ExtType:
    return ExtType(wire.SINGLETON, b"..." if value is Ellipsis else b"NotImplemented")


def _read_singleton(payload: bytes) -> object:
    return {b"...": Ellipsis, b"NotImplemented": NotImplemented}[payload]


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
    return made


_PATHS: Final[dict[bytes, type[PurePath]]] = {
    b"P": Path, b"p": PurePosixPath, b"w": PureWindowsPath,
}  # fmt: skip


def _path(value: PurePath) -> ExtType:
    form = b"P" if isinstance(value, Path) else b"p" if isinstance(value, PurePosixPath) else b"w"
    return ExtType(wire.PATH, form + str(value).encode("utf-8", "surrogatepass"))


def _read_path(payload: bytes) -> PurePath:
    return _PATHS[payload[:1]](payload[1:].decode("utf-8", "surrogatepass"))


_IPS: Final = (
    IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface,
)  # fmt: skip


def _ip(value: Any) -> ExtType:
    return ExtType(wire.IP, bytes([_IPS.index(type(value))]) + str(value).encode())


def _read_ip(payload: bytes) -> Any:
    return _IPS[payload[0]](payload[1:].decode("ascii"))


def _zone(value: ZoneInfo) -> ExtType:
    return ExtType(wire.ZONE, value.key.encode())


def _read_zone(payload: bytes) -> ZoneInfo:
    return ZoneInfo(payload.decode("ascii"))


READERS |= {
    wire.INTEGER: _read_integer,
    wire.STRING: _read_string,
    wire.COMPLEX: _read_complex,
    wire.DATE: _read_date,
    wire.TIMEDELTA: _read_timedelta,
    wire.DECIMAL: _read_decimal,
    wire.UUID: _read_uuid,
    wire.SINGLETON: _read_singleton,
    wire.BYTEARRAY: bytearray,
    wire.ARRAY: _read_array,
    wire.PATH: _read_path,
    wire.IP: _read_ip,
    wire.ZONE: _read_zone,
}

_NUMBERS: Final = "numbers"
_TIMES: Final = "dates and times"
store(complex, take=_complex, family=_NUMBERS, is_value=True)
store(Decimal, take=_decimal, family=_NUMBERS, is_value=True)
store(date, take=_date, family=_TIMES, is_value=True)
store(timedelta, take=_timedelta, family=_TIMES, is_value=True)
store(ZoneInfo, take=_zone, family=_TIMES, note="by its key", is_value=True)
store(UUID, take=_uuid, family="identifiers and places", is_value=True)
store(PosixPath, WindowsPath, PurePosixPath, PureWindowsPath, take=_path,
      family="identifiers and places", is_value=True)  # fmt: skip
store(*_IPS, take=_ip, family="identifiers and places", is_value=True)
store(type(Ellipsis), type(NotImplemented), take=_singleton, family="singletons", is_value=True)
store(bytearray, take=_bytearray, family="binary")
store(array, take=_array, family="binary")
