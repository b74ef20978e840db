"""Whether the code of this process can go on with a stack, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from longterm._flows.closures import FlowCode
from longterm._flows.flow import flow_named
from longterm._flows.same_rest import in_present_code
from longterm.errors import FlowChanged, LongtermError, UnknownFlow
from longterm.frame import Frame


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of runs with a stack in this process."""

    goes_on: bool
    words: str


def verdict_of(frames: list[Frame], functions: Iterable[tuple[str, str, str]]) -> Verdict:
    """Tell whether this process can go on with a stack.

    Args:
        frames: its frames; only the names of their slots count.
        functions: the functions inside flows that it holds: flow, version and place.
    """
    moved: list[str] = []
    for frame in frames:
        try:
            if not frame.point:
                flow_named(frame.flow)
                continue
            flow, present = in_present_code(frame)
            if (present.version, present.point) != (frame.version, frame.point):
                line = flow.fresh.by_number[present.point].line
                moved.append(f"{frame.flow} at point {present.point}, line {line}")
        except UnknownFlow:
            return Verdict(False, f"{frame.flow} is not known here")
        except FlowChanged:
            return Verdict(False, f"{frame.flow} has changed: nowhere is the same left to do")
        except LongtermError as error:
            return Verdict(False, f"{frame.flow}: {error}")
    for flow_name, version, place in functions:
        try:
            FlowCode().find((flow_name, version, place))
        except (LongtermError, LookupError, ValueError):
            what = place.split(":")[1] if ":" in place else "a flow"
            return Verdict(False, f"{what} inside {flow_name}, which is held, has changed")
    if moved:
        return Verdict(True, f"the same rest: {', '.join(moved)}")
    return Verdict(True, "the same code")
