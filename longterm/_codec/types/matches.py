"""What a loop goes through in the place of `re.finditer`: by pattern, text and the last match.

Decoding looks for nothing; that is left to the loop.
"""

from __future__ import annotations

import re
from typing import Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row
from longterm._matches import Matches


def _dump(value: Matches) -> Parts:
    place = value.place()
    if place is None:
        raise NotEncodable(
            "it has given no match yet, which would tell what it looks through",
            "call finditer after the suspend",
        )
    if not is_a(place[1], str, bytes):
        raise NotEncodable(
            "it looks through what can change", "call finditer on a string or on bytes"
        )
    return [MATCHES.tag, *place]


def _load(parts: Parts, decoding: Decoding) -> Matches:
    pattern, text, *numbers = parts
    if not is_exactly(pattern, re.Pattern) or not is_a(text, str, bytes):
        raise TypeError("a pattern is looked for in a text")
    if len(numbers) != 4 or not all(type(number) is int for number in numbers):
        raise TypeError("a text is looked through between places that are numbers")
    begin, end, *last = numbers
    return Matches.behind((pattern, text, begin, end, *last))


MATCHES: Final = Kind("matches", _load)

FAMILY: Final = Family(
    kinds=(MATCHES,),
    rows=(
        Row(
            Matches,
            dump=_dump,
            group="iterators",
            note="what `for match in re.finditer(…)` goes through",
        ),
    ),
)
