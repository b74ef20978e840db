"""The compiled code of a flow, and what the runtime must know of it.

Made of the plain data of `longterm_compiler.compiled`, fresh or from the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from longterm._abi import mangle, nested_codes


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """A resume point of a flow."""

    number: int
    line: int
    end: tuple[int, int]
    """Where its call ends in the author's file, line and column: no two calls end at one place."""
    callee: tuple[str, ...]
    """What is called, as a dotted path."""


class FreshCode:
    """The fresh body of a flow, and its resume points.

    What only a flow that suspends needs is read when it is first needed: a process imports many
    flows, and runs few of them.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        """Read the compiler's data."""
        self.version: str = data["version"]
        self.code: CodeType = data["code"]
        self.shared: tuple[str, ...] = data["shared"]
        """The names that live in cells, in the order in which the fresh body keeps them."""
        self.free: tuple[str, ...] = data["free"]
        """Those of them that belong to functions around the flow."""
        self.nested_in_flows: bool = data["nested_in_flows"]
        """Whether every function around the flow is a flow too."""
        self.class_name: str | None = data["class_name"]
        """The class by which private names are mangled."""
        self._data = data

    @cached_property
    def points(self) -> dict[tuple[int, int], ResumePoint]:
        """The points by the place where their calls end."""
        points = (ResumePoint(*each) for each in self._data["points"])
        return {each.end: each for each in points}

    @cached_property
    def inner(self) -> dict[str, CodeType]:
        """The code of the functions inside, by their places."""
        return _inner(self.code, self._data["inner"])

    def local_name(self, name: str) -> str:
        """Return a name of the author's as a running frame spells it."""
        return mangle(name, self.class_name)


@dataclass(frozen=True, slots=True)
class ResumeCode:
    """The resume body of a point: it takes what it waits for, then its slots in order."""

    code: CodeType
    slots: dict[str, int]
    """The live names, each with the line of a read."""
    cells: tuple[str, ...]
    """The captured names that it needs the cells of."""
    next_calls: tuple[int, ...]
    """The offsets that a traceback can show while it waits for what it was made to go on with."""
    inner: dict[str, CodeType]
    """The code of the functions inside, by their places."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> ResumeCode:
        """Read the compiler's data."""
        return cls(**{**data, "inner": _inner(data["code"], data["inner"])})


def _inner(code: CodeType, places: tuple[str | None, ...]) -> dict[str, CodeType]:
    """Name the functions inside a body; of several at one place the first counts."""
    found: dict[str, CodeType] = {}
    for place, each in zip(places, nested_codes(code), strict=True):
        if place is not None:
            found.setdefault(place, each)
    return found
