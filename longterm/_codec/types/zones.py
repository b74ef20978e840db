"""Time zones of the IANA database, by their keys."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import READERS, store


def _zone(value: ZoneInfo) -> ExtType:
    return ExtType(wire.ZONE, value.key.encode())


def _read_zone(payload: bytes) -> ZoneInfo:
    return ZoneInfo(payload.decode("ascii"))


READERS[wire.ZONE] = _read_zone

store(ZoneInfo, take=_zone, family="dates and times", note="by its key", is_value=True)
