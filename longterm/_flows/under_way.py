"""Move a frame to where the same is under way in the code of today, though the rest is another.

The statement that waits and the blocks around it are as they were, so a frame can go on there, if
all that the new rest reads was stored. Whether it should, only the author can say: that is what
`@upgrade` is for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from longterm._abi import RESERVED_PREFIX
from longterm._abi.temporaries import split, temporaries_in
from longterm._flows.compiled import ResumePoint
from longterm._flows.flow import Flow
from longterm.frame import Frame

_OF_BLOCKS: Final = frozenset({"caught", "exit", "iter", "manager"})
"""What the temporaries hold that a `for`, a `with` or a handler has."""


class NotMatched(Exception):
    """Raised when a frame has no place in the code of today; the message says why."""


def live_names(frame: Frame) -> list[str]:
    """Return the names that the rest of a frame has, those without a value too."""
    names = frame.rest.split(" ")[1:]
    return names or [*frame.slots]


def matched(frame: Frame, flow: Flow) -> Frame:
    """Return a frame of another version at the point of today where the same is under way.

    Raises:
        NotMatched: there is none, or several, or a name is read there that was not stored.
    """
    moved = at_point(frame, point_under_way(frame, flow))
    missing = missing_names(moved, flow)
    if missing:
        raise NotMatched(missing)
    return replace(moved, version=flow.version)


def point_under_way(frame: Frame, flow: Flow) -> ResumePoint:
    """Return the point of today where the same is under way as in a frame.

    Raises:
        NotMatched: there is none, or several.
    """
    under_way = _under_way(frame)
    if not under_way:
        raise NotMatched("what was under way in the run was not stored with it")
    points = [p for p in flow.fresh.by_number.values() if p.under_way == under_way]
    if not points:
        raise NotMatched("nowhere is the same statement under way, in the same blocks")
    if len(points) > 1:
        places = " and ".join(f"{point.number} (line {point.line})" for point in points)
        raise NotMatched(f"the statement under way stands at several points, {places}")
    return points[0]


def at_point(frame: Frame, point: ResumePoint) -> Frame:
    """Return a frame at a point, with what the blocks around it hold under the names of there.

    Iterators of loops, managers and caught exceptions go along, the first for the first, if there
    are as many. Half of an expression goes along only where the same statement is under way.

    Raises:
        NotMatched: something else is held there.
    """
    live, needed = live_names(frame), temporaries_in(point.names)
    kinds = {split(name)[0] for name in needed}
    held = [name for name in temporaries_in(live) if split(name)[0] in kinds]
    is_same = point.under_way == _under_way(frame) != ""
    if [split(n)[0] for n in held] != [split(n)[0] for n in needed] or not (
        is_same or kinds <= _OF_BLOCKS
    ):
        raise NotMatched(
            f"at point {point.number} (line {point.line}) the flow is in the midst of other loops, "
            "blocks or expressions than the run is"
        )
    renamed = dict(zip(held, needed, strict=True))
    slots = {renamed.get(name, name): value for name, value in frame.slots.items()}
    rest = " ".join([frame.rest.partition(" ")[0], *(renamed.get(name, name) for name in live)])
    return replace(frame, point=point.number, slots=slots, rest=rest)


def _under_way(frame: Frame) -> str:
    """Return the digest of what is under way in a frame; empty if it is not known."""
    return frame.rest.partition(" ")[0].partition("/")[2]


def missing_names(frame: Frame, flow: Flow) -> str:
    """Return what the rest at a frame's point reads and the frame has not; empty: nothing.

    A name that has no value yet, where the old code might have given it none, counts as stored.
    """
    stored = {*frame.slots, *live_names(frame)}
    lines = flow.resume(frame.point).slots
    missing = [f"`{name}` is read at line {lines[name]}" for name in lines if name not in stored]
    return f"{', '.join(missing)}, and was not stored" if missing else ""


def is_variable(name: str) -> bool:
    """Tell whether the name of a slot is one of the author's."""
    return not name.startswith(RESERVED_PREFIX)
