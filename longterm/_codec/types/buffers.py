"""Files in memory: `StringIO` and `BytesIO`, as what is in them and where they stand."""

from __future__ import annotations

from io import BytesIO, StringIO
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_GROUP: Final = "binary"


def _dump(buffer: Any) -> Parts:
    try:
        content, *newline, position, attributes = buffer.__getstate__()
    except ValueError:
        raise NotEncodable("it is closed", "del it before the suspend") from None
    if attributes:
        raise NotEncodable("it has attributes of its own", "keep them beside it")
    if position > len(content):
        raise NotEncodable("it stands past its end", "seek to its end before the suspend")
    return [BUFFER.tag, position, content, *newline]


def _load(parts: Parts, decoding: Decoding) -> Any:
    position, content, *newline = parts
    if type(position) is not int or not 0 <= position <= len(content):
        raise TypeError("a file in memory stands at a number within it")
    if type(content) is bytes and not newline:
        made: Any = BytesIO.__new__(BytesIO)
    elif type(content) is str and len(newline) == 1 and newline[0] in _NEWLINES:
        made = StringIO.__new__(StringIO)
    else:
        raise TypeError("a file in memory holds bytes, or text with a way to end lines")
    decoding.spend(len(content) * 4)
    made.__setstate__((content, *newline, position, None))
    return made


_NEWLINES: Final = (None, "", "\n", "\r", "\r\n")

BUFFER: Final = Kind("buffer", _load)

FAMILY: Final = Family(
    kinds=(BUFFER,),
    rows=(
        Row(StringIO, BytesIO, dump=_dump, group=_GROUP, note="what is in it, and where it stands"),
    ),
)
