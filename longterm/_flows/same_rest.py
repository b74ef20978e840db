"""Find where a frame goes on in the code of today: at its own point, or at one with the same rest.

A frame was saved at a point of some version of a flow. In that version it goes on as it is. In
another one it goes on at a point where the same is left to do, whatever happens before that now:

    saved from                          code of today
        cart = pick()                       items, note = pick(), hello()
        reply = suspend("fine")             answer = suspend("fine")
        return cart, reply                  return items, answer

The compiler has put the slots of both in one order, so that `cart` becomes `items`. What is in a
slot stays as the old code made it.
"""

from __future__ import annotations

from dataclasses import replace

from longterm._flows.compiled import ResumePoint
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named
from longterm.errors import CorruptData, FlowChanged
from longterm.frame import Frame


def in_present_code(frame: Frame) -> tuple[Flow, Frame]:
    """Return the flow of a frame, and the frame as its code of today would have saved it.

    Raises:
        UnknownFlow: this process has no flow of the name.
        FlowChanged: it has one, but of another version, without a point that has the same rest.
        CorruptData: the frame lacks slots that its rest has.
    """
    flow = flow_named(frame.flow)
    if frame.version == flow.version or flow.is_of_version(frame.version, frame.flow):
        return flow, frame
    moved = _moved(frame, flow)
    if moved is None:
        raise FlowChanged(frame.flow, frame.version, flow.version)
    return flow, moved


def _moved(frame: Frame, flow: Flow) -> Frame | None:
    """Return a frame of another version as one of today's; None if its rest is no more."""
    digests, *names = frame.rest.split(" ")
    rest = digests.partition("/")[0]
    point = _point_with(flow, rest, frame.point) if rest else None
    if point is None:
        return None
    slots = _renamed(frame.slots, names, point.names, flow.fresh.variables)
    if slots is None:
        return None
    return replace(frame, version=flow.version, point=point.number, slots=slots)


def _point_with(flow: Flow, digest: str, number: int) -> ResumePoint | None:
    """Return the point with a rest; of several, which are alike, the one of a number, if it is."""
    found = [point for point in flow.fresh.by_number.values() if point.rest == digest]
    return min(found, key=lambda point: abs(point.number - number), default=None)


def _renamed(
    slots: dict[str, object], old: list[str], new: tuple[str, ...], variables: frozenset[str]
) -> dict[str, object] | None:
    """Return slots under the names of today; None if a name has come to mean another variable.

    A name that is still there must be the same variable, although the rest would be the same with
    two names swapped: whoever writes `b - a` for `a - b` means other values, not other names.

    Args:
        slots: the slots, and after them what is known of the wait.
        old: the names of the slots in their order, if some have no value; else `slots` has it.
        new: the names of today in the same order.
        variables: all that the flow of today has; temporaries are none.

    Raises:
        CorruptData: there are fewer slots than names.
    """
    before = old or list(slots)[: len(new)]
    if len(before) != len(new):
        raise CorruptData("the stored bytes hold a frame with fewer slots than it needs")
    renamed = {was: now for was, now in zip(before, new, strict=True) if was != now}
    if not renamed.keys().isdisjoint(variables):
        return None
    return {renamed.get(name, name): value for name, value in slots.items()}
