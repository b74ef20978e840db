"""UUIDs, as their 16 bytes, and what is known of how safely they were made."""

from __future__ import annotations

from typing import Final
from uuid import UUID, SafeUUID

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.types.kinds import Family, Row


def _uuid(value: UUID) -> ExtType:
    safety = value.is_safe.value
    return ExtType(wire.UUID, value.bytes + (b"" if safety is None else bytes([safety & 255])))


def _read_uuid(payload: bytes) -> UUID:
    safety = SafeUUID.unknown
    if payload[16:]:
        safety = SafeUUID.safe if payload[16:] == b"\0" else SafeUUID.unsafe
    return UUID(bytes=payload[:16], is_safe=safety)


FAMILY: Final = Family(
    readers={
        wire.UUID: _read_uuid,
    },
    rows=(Row(UUID, dump=_uuid, group="identifiers, paths and addresses", is_value=True),),
)
