"""The constants of the wire format, version 1: its first byte and its extension codes.

`docs/wire-format.md` explains them. A number here never changes its meaning: stored runs outlive
every release.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from msgpack import ExtType

VERSION: Final = 1
"""The first byte of everything stored in this format."""

PAYLOAD: Final = 0x53
"""The first byte of bytes that a payload codec (compression, encryption) made."""

SEAL: Final = 0x4B
"""The first byte of bytes that have a seal, made with a key."""

# The second byte says how the rest is laid out: a sum of these.
FRAMES: Final = 1
"""One array, with a row for each frame of a continuation."""
TAGGED: Final = 2
"""There are tagged arrays."""
ITEMS: Final = 4
"""Not one msgpack value but a sequence of items, with tagged arrays and references."""

HEADERS: Final = [bytes([VERSION, layout]) for layout in range(5)]

# Extension codes. Those of atoms carry the whole value.
REFERENCE: Final = 0
TAG: Final = 1
INTEGER: Final = 2
STRING: Final = 3
COMPLEX: Final = 4
DATE: Final = 5
TIME: Final = 6
DATETIME: Final = 7
TIMEDELTA: Final = 8
DECIMAL: Final = 9
UUID: Final = 10
NAME: Final = 11
MODULE: Final = 12
SINGLETON: Final = 13
BYTEARRAY: Final = 14
ARRAY: Final = 15
PATTERN: Final = 16
PATH: Final = 17
IP: Final = 18
ZONE: Final = 19
TYPE: Final = 20
CLASS: Final = 21


@lru_cache(maxsize=512)
def reference(number: int) -> ExtType:
    """Return what stands for item `number` wherever it is used."""
    return ExtType(REFERENCE, number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))
