"""What loops of flows go through in place of `re.finditer`, which does not tell where it stands.

A match tells of which text it is; so from the first match on it is known what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

_CALL_ITERATOR: Final = type(iter(int, 1))
_new_scanner: Final[Any] = vars(re.Pattern)["scanner"]
_SCANNER: Final = type(_new_scanner(re.compile(""), ""))
_METHOD: Final = type(_new_scanner(re.compile(""), "").search)

Place: TypeAlias = "tuple[re.Pattern[Any], str | bytes, int, int, int, int]"
"""The pattern, what it is looked for in, from where and to where, and where its last match was."""


class Matches(Iterator["re.Match[Any]"]):
    """The matches of a pattern in a text, one after the other."""

    __slots__ = ("_left", "_place")

    def __init__(self, left: Iterator[re.Match[Any]], place: Place | None = None) -> None:
        """Go through matches, which come behind a place if that is given."""
        self._left = left
        self._place: Place | re.Match[Any] | None = place

    @classmethod
    def behind(cls, place: Place) -> Matches:
        """Return one that goes on behind a place."""
        return cls(_behind(place), place)

    def __next__(self) -> re.Match[Any]:
        """Return the next match."""
        match = self._place = next(self._left)
        return match

    def place(self) -> Place | None:
        """Return where it stands; None if that is not known, since it has given no match yet."""
        at = self._place
        if at is None or isinstance(at, tuple):
            return at
        return at.re, at.string, at.pos, at.endpos, at.start(), at.end()


def _behind(place: Place) -> Iterator[re.Match[Any]]:
    """Look for what is left, once the first of it is asked for."""
    pattern, text, begin, end, *last = place
    found = pattern.finditer(text, begin, end)
    # Those before are found again, since what comes behind an empty match depends on that one.
    for match in found:
        if match.span() == tuple(last):
            yield from found


def matches_of(iterable: Any) -> Any:
    """Return what a loop can go through in the place of what a call of `finditer` has returned."""
    return Matches(iterable) if is_of_finditer(iterable) else iterable


def is_of_finditer(value: Any) -> bool:
    """Tell whether a value is what `re.finditer` returns, and has not come to its end."""
    if type(value) is not _CALL_ITERATOR:
        return False
    called: Any = value.__reduce__()[1]  # what is called, and what ends it
    return len(called) == 2 and type(called[0]) is _METHOD and type(called[0].__self__) is _SCANNER
