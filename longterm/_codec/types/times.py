"""Times of day and datetimes, as ISO text; with a time zone or a fold as a tagged array."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a
from longterm._codec.types.kinds import Family, Form, Kind, Parts, Row

_GROUP: Final = "dates and times"


def _dump_datetime(value: datetime) -> Form:
    zone = value.tzinfo
    if not value.fold and (zone is None or zone is UTC):
        return ExtType(wire.DATETIME, value.isoformat().encode())
    return [ZONED_DATETIME.tag, value.replace(tzinfo=None).isoformat(), value.fold, zone]


def _dump_time(value: time) -> Form:
    zone = value.tzinfo
    if not value.fold and (zone is None or zone is UTC):
        return ExtType(wire.TIME, value.isoformat().encode())
    return [ZONED_TIME.tag, value.replace(tzinfo=None).isoformat(), value.fold, zone]


def _dump_timezone(value: timezone) -> Form:
    offset, *name = value.__getinitargs__()  # type: ignore[attr-defined]
    return [TIMEZONE.tag, offset, *name]


def _load_datetime(parts: Parts, decoding: Decoding) -> datetime:
    text, fold, zone = _checked(parts)
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _load_time(parts: Parts, decoding: Decoding) -> time:
    text, fold, zone = _checked(parts)
    return time.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _checked(parts: Parts) -> Parts:
    text, fold, zone = parts
    if type(text) is not str or type(fold) is not int:
        raise TypeError("a time is a text and a fold")
    if zone is not None and not is_a(zone, tzinfo):
        raise TypeError("a time zone is a tzinfo")
    return parts


def _load_timezone(parts: Parts, decoding: Decoding) -> timezone:
    offset, *name = parts
    if type(offset) is not timedelta or not all(type(part) is str for part in name):
        raise TypeError("a time zone has an offset and a name")
    # `timezone(timedelta(0))` made the usual way is UTC itself; it is not another object here.
    return timezone(offset, *name)


ZONED_DATETIME: Final = Kind("datetime", _load_datetime)
ZONED_TIME: Final = Kind("time", _load_time)
TIMEZONE: Final = Kind("timezone", _load_timezone)

FAMILY: Final = Family(
    kinds=(ZONED_DATETIME, ZONED_TIME, TIMEZONE),
    readers={
        wire.DATETIME: lambda payload: datetime.fromisoformat(payload.decode("ascii")),
        wire.TIME: lambda payload: time.fromisoformat(payload.decode("ascii")),
    },
    rows=(
        Row(
            datetime,
            dump=_dump_datetime,
            group=_GROUP,
            note="with its time zone and fold",
            is_value=True,
            is_tagged=True,
        ),
        Row(
            time,
            dump=_dump_time,
            group=_GROUP,
            note="with its time zone and fold",
            is_value=True,
            is_tagged=True,
        ),
        Row(timezone, dump=_dump_timezone, group=_GROUP, is_value=True, is_tagged=True),
    ),
)
