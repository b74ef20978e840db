"""Trees of MessagePack as they stand in bytes, maps as pairs, so that anything can be a key."""

from __future__ import annotations

import struct
from typing import Any

from msgpack import ExtType, Unpacker, packb


class Pairs(list[tuple[Any, Any]]):
    """A map, as the pairs that it is written in."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class Packed(bytes):
    """Bytes that are a value already."""


def pack(tree: Any) -> bytes:
    """Return the bytes of a tree."""
    if type(tree) is Packed:
        return bytes(tree)
    if type(tree) is Pairs:
        inside = b"".join(pack(key) + pack(value) for key, value in tree)
        return _header(0x80, 0xDE, len(tree)) + inside
    if type(tree) is list:
        return _header(0x90, 0xDC, len(tree)) + b"".join(map(pack, tree))
    if type(tree) is ExtType or not isinstance(tree, tuple):
        return packb(tree, strict_types=True)  # type: ignore[no-any-return]
    raise TypeError(type(tree))


def _header(fixed: int, sixteen: int, length: int) -> bytes:
    if length < 16:
        return bytes([fixed | length])
    if length < 1 << 16:
        return bytes([sixteen]) + struct.pack(">H", length)
    return bytes([sixteen + 1]) + struct.pack(">I", length)


def parsed(body: bytes) -> list[Any]:
    """Return the values of a sequence, extensions unread."""
    unpacker = Unpacker(None, strict_map_key=False, object_pairs_hook=Pairs, use_list=True)
    unpacker.feed(body)
    return list(unpacker)
