"""Addresses and networks of the internet, as text."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import Family, Row

_IPS: Final = (
    IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface,
)  # fmt: skip


def _ip(value: Any) -> ExtType:
    return ExtType(wire.IP, bytes([_IPS.index(type(value))]) + str(value).encode())


def _read_ip(payload: bytes) -> Any:
    return _IPS[payload[0]](payload[1:].decode("ascii"))


FAMILY: Final = Family(
    readers={
        wire.IP: _read_ip,
    },
    rows=(Row(*_IPS, dump=_ip, group="identifiers, paths and addresses", is_value=True),),
)
