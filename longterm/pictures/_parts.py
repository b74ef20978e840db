"""What a picture of a flow is made of: plain data, as nested as the flow's own blocks."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias


class Kind(StrEnum):
    """What happens at a place; the value is what its class in an SVG is called."""

    WAIT = "wait"
    SLEEP = "sleep"
    STEP = "step"
    CALL = "call"
    """Another flow is called, and may wait."""
    CHILD = "child"
    """Another run begins."""
    MAYBE = "maybe"
    """A call that may wait, of a function that only running code can tell. It is drawn if runs
    wait there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run can wait, or begins another."""

    kind: Kind
    title: str
    line: int
    """In the author's file."""
    notes: tuple[str, ...] = ()
    point: int | None = None
    """The number of the resume point; None: no run waits here."""


@dataclass(frozen=True, slots=True)
class End:
    """Where the flow ends."""

    title: str
    line: int
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Jump:
    """Where a loop is left (`break`), or goes on with its next round."""

    leaves: bool
    line: int


@dataclass(frozen=True, slots=True)
class Arm:
    """One of several ways on."""

    label: str
    body: Block


@dataclass(frozen=True, slots=True)
class Choice:
    """Ways on, of which a run takes one: of an `if`, a `match` or a `try`."""

    title: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """What is done again and again."""

    title: str
    body: Block
    is_endless: bool = False
    """Whether only a `break` ends it, as one of a `while True`."""


Part: TypeAlias = Place | End | Jump | Choice | Loop
Block: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A flow as it is drawn: read from its source, which was not run."""

    flow: str
    """Its name, `module:qualname`."""
    version: str
    title: str
    line: int
    body: Block


@dataclass(frozen=True, slots=True)
class Counts:
    """How many runs wait where in a flow, their callers' frames included."""

    at: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    """At each point, by its number."""
    to_begin: int = 0
    elsewhere: int = 0
    """In other versions of the flow, whose points have other numbers."""


def goes_on(block: Block) -> bool:
    """Tell whether what stands behind a block can be reached."""
    if not block:
        return True
    match block[-1]:
        case End() | Jump():
            return False
        case Choice(arms=arms):
            return any(goes_on(arm.body) for arm in arms)
        case Loop(body=body, is_endless=True):
            return is_left(body)
    return True


def is_left(block: Block) -> bool:
    """Tell whether a `break` of a loop stands in its body."""
    for part in block:
        match part:
            case Jump(leaves=True):
                return True
            case Choice(arms=arms) if any(is_left(arm.body) for arm in arms):
                return True
    return False


def drawn(block: Block, counted: Set[int]) -> Block:
    """Return what is drawn of a block.

    That is not a call that may wait where no run does, nor what is empty then.

    Args:
        block: the block.
        counted: the points at which runs wait.
    """
    found: list[Part] = []
    for part in block:
        match part:
            case Place(kind=Kind.MAYBE, point=point) if point not in counted:
                continue
            case Choice(arms=arms):
                bodies = [replace(arm, body=drawn(arm.body, counted)) for arm in arms]
                if any(arm.body for arm in bodies):
                    found.append(replace(part, arms=_together(bodies)))
            case Loop(body=body):
                kept = drawn(body, counted)
                if _shows(kept):
                    found.append(replace(part, body=kept))
            case _:
                found.append(part)
        if not goes_on(tuple(found)):
            break  # nothing gets behind it
    return tuple(found)


def _shows(block: Block) -> bool:
    """Tell whether a block has more to show than how its loop is left."""
    return any(
        any(_shows(arm.body) for arm in part.arms)
        if isinstance(part, Choice)
        else not isinstance(part, Jump)
        for part in block
    )


_ELSE: Final = "else"


def _together(arms: list[Arm]) -> tuple[Arm, ...]:
    """Return arms with one for all those in which nothing is drawn."""
    empty = [arm for arm in arms if not arm.body]
    if len(empty) < 2:
        return tuple(arms)
    return tuple(
        Arm(_ELSE, ()) if arm is empty[-1] else arm for arm in arms if arm.body or arm is empty[-1]
    )
