"""The codec: any object graph of storable values as bytes, and back.

In: a value, however its parts share and hold each other. Out: msgpack with a version byte, and from
those bytes a graph of the same shape. Decoding runs no code that the bytes choose.
"""

from __future__ import annotations

from typing import Any

from longterm.codec import families as _families
from longterm.codec import wire
from longterm.codec.allowed import allow
from longterm.codec.decoder import decode_items
from longterm.codec.encoder import encode_graph
from longterm.codec.registered import register_type, storable
from longterm.errors import CorruptData

del _families

__all__ = ["allow", "decode", "encode", "register_type", "storable"]


def encode(value: object) -> bytes:
    """Return the bytes of a value and all that it holds.

    Raises:
        NotStorable: a part of it is of a type that cannot be stored; the error has the path to it.
    """
    return wire.HEADERS[wire.ITEMS] + encode_graph(value)


def decode(data: bytes) -> Any:
    """Return the value that `encode` made these bytes of.

    Raises:
        CorruptData: the bytes are not what `encode` made.
        NotAllowed: they name a class, function or module that is not here or not allowed.
    """
    if data[:1] != bytes([wire.VERSION]):
        raise CorruptData("these bytes are of another format (stored by a newer longterm?)")
    return decode_items(memoryview(data)[2:])
