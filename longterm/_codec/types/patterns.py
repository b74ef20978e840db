"""Compiled regular expressions, by their text and flags; compiled again when they are decoded.

Compiling may take time out of proportion to the text, so what it may cost is limited.
"""

from __future__ import annotations

import re
import struct
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.kinds import Family, Row

_TEXT: Final = b"s"
_BYTES: Final = b"b"
_LARGEST_RANGE: Final = 65_536
_IGNORES_CASE: Final = re.compile(r"\(\?[a-zA-Z-]*i")


def _dump(value: re.Pattern[Any]) -> ExtType:
    text = value.pattern
    flags = struct.pack(">I", value.flags)
    if isinstance(text, str):
        return ExtType(wire.PATTERN, _TEXT + flags + text.encode("utf-8", "surrogatepass"))
    return ExtType(wire.PATTERN, _BYTES + flags + bytes(text))


def _read(payload: bytes, decoding: Decoding) -> re.Pattern[Any]:
    """Compile what a payload says."""
    (flags,) = struct.unpack(">I", payload[1:5])
    if flags & re.DEBUG:
        raise ValueError("a pattern is not compiled with DEBUG")
    if payload[:1] == _BYTES:
        return re.compile(payload[5:], flags)
    text = payload[5:].decode("utf-8", "surrogatepass")
    if flags & re.IGNORECASE or _IGNORES_CASE.search(text):
        decoding.spend_on_patterns(_characters_in_ranges(text))
    return re.compile(text, flags)


def _characters_in_ranges(text: str) -> int:
    """Return how many characters the ranges of a pattern hold, or more.

    When case is ignored, the compiler goes through each character of each range.
    """
    count = 0
    position = text.find("-", 1)
    while 0 < position < len(text) - 1:
        around = text[max(position - 10, 0) : position + 2]
        size = ord(text[position + 1]) - ord(text[position - 1])
        count += _LARGEST_RANGE if "\\" in around else min(max(size, 0), _LARGEST_RANGE)
        position = text.find("-", position + 1)
    return count


FAMILY: Final = Family(
    careful_readers={
        wire.PATTERN: _read,
    },
    rows=(Row(re.Pattern, dump=_dump, group="text", is_value=True, is_tagged=True),),
)
