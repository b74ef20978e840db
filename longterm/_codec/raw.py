"""Stored bytes as msgpack reads them, with nothing made of them: no name is looked up.

Maps are lists of pairs, extensions stay as they are, and so do tagged arrays.
"""

from __future__ import annotations

from typing import Any

from msgpack import ExtType, Unpacker

from longterm._codec import wire


class Pairs(list[tuple[Any, Any]]):
    """A map as it was read, keys of any kind."""

    # A map can be a key of a map in damaged bytes, and in data that was encoded a tagged array can.
    __hash__ = object.__hash__  # type: ignore[assignment]


def raw_values(body: memoryview) -> list[Any]:
    """Return the values of bytes after their header."""
    unpacker = Unpacker(None, strict_map_key=False, max_buffer_size=len(body), read_size=1,
                        object_pairs_hook=Pairs, use_list=True)  # fmt: skip
    unpacker.feed(body)
    return list(unpacker)


def kind_code(value: Any) -> int | None:
    """Return the kind of a tagged array, or None for anything else."""
    is_tagged = type(value) is list and value and type(value[0]) is ExtType
    return value[0].data[0] if is_tagged and value[0].code == wire.TAG else None
