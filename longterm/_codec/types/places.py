"""Paths and addresses of the internet, as text."""

from __future__ import annotations

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

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import READERS, store

_FAMILY: Final = "identifiers and places"
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


READERS[wire.PATH] = _read_path
READERS[wire.IP] = _read_ip

store(PosixPath, WindowsPath, PurePosixPath, PureWindowsPath, take=_path,
      family=_FAMILY, is_value=True)  # fmt: skip
store(*_IPS, take=_ip, family=_FAMILY, is_value=True)
