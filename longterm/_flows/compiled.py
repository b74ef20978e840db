"""The compiled code of a flow, and what the runtime must know of it.

Made of the plain data of `longterm_compiler.compiled`, fresh or from the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from longterm._abi import YIELD, mangle
from longterm._abi.inner_code import nested_codes


@dataclass(slots=True, eq=False, repr=False)
class ResumePoint:
    """A resume point of a flow."""

    number: int
    line: int
    """The line of the call in the author's file."""
    end: tuple[int, int]
    """Where the call ends in the file of the code (line, column in bytes): no two end at one
    place."""
    callee: tuple[str, ...]
    """What is called, as a dotted path."""
    rest: str = ""
    """The digest of what is left to do there. Modules written by longterm 0.1 have none."""
    names: tuple[str, ...] = ()
    """The slots, in an order that is the same for equal rests, whatever the names are."""
    under_way: str = ""
    """The digest of the statement under way and the blocks around it; empty if it is not known."""

    @property
    def digests(self) -> str:
        """The digests as frames have them."""
        return f"{self.rest}/{self.under_way}" if self.under_way else self.rest


class FreshCode:
    """The fresh body of a flow, and its resume points.

    What only a flow that suspends needs is read when it is first needed: a process imports many
    flows, and runs few of them.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        """Read the compiler's data."""
        self.code: CodeType = data["code"]
        self._data = data

    @cached_property
    def version(self) -> str:
        """The digest of what the flow means."""
        return self._data["version"]  # type: ignore[no-any-return]

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The names that live in cells, in the order in which the fresh body keeps them."""
        return self._data["shared"]  # type: ignore[no-any-return]

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Those of them that belong to functions around the flow."""
        return self._data["free"]  # type: ignore[no-any-return]

    @cached_property
    def variables(self) -> frozenset[str]:
        """The names of the flow's own variables."""
        return frozenset(self._data["variables"])

    @cached_property
    def nested_in_flows(self) -> bool:
        """Whether every function around the flow is a flow too."""
        return self._data["nested_in_flows"]  # type: ignore[no-any-return]

    @cached_property
    def class_name(self) -> str | None:
        """The class by which private names are mangled."""
        return self._data["class_name"]  # type: ignore[no-any-return]

    @cached_property
    def is_written(self) -> bool:
        """Whether the code is that of a written module, so that its lines are not the author's."""
        return self._data["is_written"]  # type: ignore[no-any-return]

    @cached_property
    def points(self) -> dict[tuple[int, int], ResumePoint]:
        """The points by the place where their calls end in the file of the code."""
        points = (ResumePoint(*fields) for fields in self._data["points"])
        return {point.end: point for point in points}

    @cached_property
    def by_number(self) -> dict[int, ResumePoint]:
        """The points by their numbers."""
        return {point.number: point for point in self.points.values()}

    @property
    def has_calls(self) -> bool:
        """Whether it may wait elsewhere than where a generator yields."""
        return any(point.callee != YIELD for point in self.points.values())

    @cached_property
    def inner(self) -> dict[str, CodeType]:
        """The code of the functions inside, by their places."""
        return _inner(self.code, self._data["inner"])

    def local_name(self, name: str) -> str:
        """Return a name of the author's as a running frame spells it."""
        return mangle(name, self.class_name)


@dataclass(slots=True, eq=False, repr=False)
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
    unbound: frozenset[str] = frozenset()
    """The live names for which it takes `UNBOUND`; others without a value want another body."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> ResumeCode:
        """Read the compiler's data."""
        return cls(**{**data, "inner": _inner(data["code"], data["inner"])})


def _inner(code: CodeType, places: tuple[str | None, ...]) -> dict[str, CodeType]:
    """Name the functions inside a body; of several at one place the first counts."""
    found: dict[str, CodeType] = {}
    for place, inner in zip(places, nested_codes(code), strict=True):
        if place is not None:
            found.setdefault(place, inner)
    return found
