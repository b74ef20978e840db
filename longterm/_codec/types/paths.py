"""Paths, as text."""

from __future__ import annotations

from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import Family, Row

_PATHS: Final[dict[bytes, type[PurePath]]] = {
    b"P": Path, b"p": PurePosixPath, b"w": PureWindowsPath,
}  # fmt: skip


def _path(value: PurePath) -> ExtType:
    form = b"P" if isinstance(value, Path) else b"p" if isinstance(value, PurePosixPath) else b"w"
    return ExtType(wire.PATH, form + str(value).encode("utf-8", "surrogatepass"))


def _read_path(payload: bytes) -> PurePath:
    return _PATHS[payload[:1]](payload[1:].decode("utf-8", "surrogatepass"))


FAMILY: Final = Family(
    readers={
        wire.PATH: _read_path,
    },
    rows=(
        Row(
            PosixPath,
            WindowsPath,
            PurePosixPath,
            PureWindowsPath,
            dump=_path,
            group="identifiers, paths and addresses",
            is_value=True,
        ),
    ),
)
