"""Time zones of the IANA database, by their keys."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import Family, Row


def _zone(value: ZoneInfo) -> ExtType:
    return ExtType(wire.ZONE, value.key.encode())


def _read_zone(payload: bytes) -> ZoneInfo:
    key = payload.decode("ascii")
    # A key is also a path below the folders of zones, and a package if there is none of that name.
    if not key.translate(_LETTERS_OF_KEYS).isalnum():
        raise ValueError(f"{key!r} is no time zone")
    return ZoneInfo(key)


_LETTERS_OF_KEYS: Final = str.maketrans("_+-/", "xxxx")

FAMILY: Final = Family(
    readers={
        wire.ZONE: _read_zone,
    },
    rows=(Row(ZoneInfo, dump=_zone, group="dates and times", note="by its key", is_value=True),),
)
