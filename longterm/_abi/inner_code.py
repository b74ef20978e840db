"""The functions inside a body of a flow: how their code objects are found, and told apart.

The compiler and the runtime import this module; both must go over code in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType
from typing import NamedTuple


class InnerFunction(NamedTuple):
    """A function or lambda inside a flow, and where its text stands in the file of the code."""

    place: str
    """Its number among all inner functions of the flow, its name, and the digest of what it does:
    `2:<lambda>:91cc02f3ab5c7d10`."""
    first_line: int
    """The line of its first decorator, or of itself."""
    start: tuple[int, int]
    end: tuple[int, int]
    """Line, and column in UTF-8 bytes."""

    @property
    def name(self) -> str:
        """Its own name, as its code object has it."""
        return self.place.split(":")[1]

    def with_digest(self, digest: str | None) -> InnerFunction:
        """Return it with the digest of what it does, if that is known."""
        return self if digest is None else self._replace(place=f"{self.place}:{digest}")


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code objects inside another, outer ones first."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested_codes(constant)


def inner_places(code: CodeType, functions: Iterable[InnerFunction]) -> tuple[str | None, ...]:
    """Return the place of each code object inside another, outer ones first; None: no function."""
    codes = list(nested_codes(code))
    known = list(functions) if codes else []
    return tuple(_place(known, inner) for inner in codes)


def _place(functions: list[InnerFunction], code: CodeType) -> str | None:
    fitting = [
        inner
        for inner in functions
        if inner.first_line == code.co_firstlineno and inner.name == code.co_name
    ]
    if len(fitting) > 1:
        # Several on one line: the innermost whose text holds all of the code's.
        fitting = [inner for inner in fitting if _holds(inner, code)]
        fitting.sort(key=_length)
    return fitting[0].place if fitting else None


def _holds(function: InnerFunction, code: CodeType) -> bool:
    for line, end_line, column, end_column in code.co_positions():
        if None in (line, end_line, column, end_column) or column == end_column == 0:
            continue
        start, end = (line or 0, column or 0), (end_line or 0, end_column or 0)
        if not (function.start <= start and end <= function.end):
            return False
    return True


def _length(function: InnerFunction) -> tuple[int, int]:
    (line, column), (end_line, end_column) = function.start, function.end
    return (end_line - line, end_column - column)
