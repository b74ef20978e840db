"""The codec: any object graph of storable values as bytes, and back.

In: a value, however its parts share and hold each other. Out: msgpack with a version byte, and from
those bytes a graph of the same shape. Decoding runs no code that the bytes choose.
"""

from __future__ import annotations

from typing import Any

from longterm._codec import wire
from longterm._codec.decode.decoder import decode_body
from longterm._codec.encode.plain import pack_frames, pack_tree
from longterm._codec.payload import (
    PayloadCodec,
    decode_payload,
    encode_payload,
    set_payload_codec,
)
from longterm._codec.trust import allow
from longterm._codec.types.registered import register_type, storable
from longterm.errors import CorruptData, NotAllowed, NotStorable
from longterm.frame import Frame

__all__ = [
    "CorruptData",
    "NotAllowed",
    "NotStorable",
    "PayloadCodec",
    "allow",
    "decode",
    "describe",
    "encode",
    "register_type",
    "set_payload_codec",
    "storable",
]


def encode(value: object) -> bytes:
    """Return the bytes of a value and all that it holds.

    Raises:
        NotStorable: a part of it is of a type that cannot be stored; the error has the path to it.
    """
    if type(value) is list and value and type(value[0]) is Frame:
        packed, layout = pack_frames(value), wire.FRAMES
    else:
        packed, layout = pack_tree(value), 0
    if packed is None:
        # Graphs are the rarer case, and a good part of the codec's code.
        from longterm._codec.encode.encoder import encode_graph

        return encode_payload(wire.HEADERS[wire.ITEMS] + encode_graph(value))
    content, has_tags = packed
    return encode_payload(wire.HEADERS[layout + wire.TAGGED if has_tags else layout] + content)


def decode(data: bytes) -> Any:
    """Return the value that `encode` made these bytes of.

    Raises:
        CorruptData: the bytes are not what `encode` made.
        NotAllowed: they name a class, function or module that is not here or not allowed.
    """
    data = decode_payload(data)
    if len(data) < 3 or data[0] != wire.VERSION:
        raise CorruptData("these bytes are of another format (stored by a newer longterm?)")
    return decode_body(data[1], memoryview(data)[2:])


def describe(data: bytes) -> str:
    """Return what stored bytes hold, as text, without the code of those who stored them.

    Raises:
        CorruptData: the bytes are not what `encode` made.
    """
    from longterm._codec.description import described

    return described(data)
