"""Whether the code of this process can go on with a stack, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from longterm._flows.closures import FlowCode
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named, flow_of_today, frozen_flow, place_of
from longterm._flows.same_rest import in_present_code
from longterm._flows.under_way import NotMatched, is_variable, matched
from longterm._flows.upgrades import upgrade_since
from longterm.errors import FlowChanged, LongtermError, UnknownFlow
from longterm.frame import Frame


@dataclass(frozen=True, slots=True)
class Acceptable:
    """Frames that would go on if their author accepted that: the same is under way today."""

    flow: str
    """The flow, by its name of today."""
    version: str
    """The version that the frames were saved from."""
    point: int
    """Where they would go on."""
    line: int
    """The line of that point."""
    was: int
    """The line where they waited in the file as it was."""
    reads: tuple[str, ...]
    """The stored variables that are read from there on."""

    @property
    def words(self) -> str:
        """What is to be said of it."""
        return (
            f"{self.flow} has changed: the same is under way at point {self.point}, "
            f"line {self.line}, but not left to do (longterm accept)"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of runs with a stack in this process."""

    goes_on: bool
    words: str
    accepts: tuple[Acceptable, ...] = ()
    """What the author has to accept, and nothing else, for the runs to go on."""


SAME_CODE: Final = Verdict(True, "the same code")


@dataclass(slots=True)
class _Moves:
    """What becomes of the frames of a stack, each in words."""

    same_rest: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    acceptable: list[Acceptable] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Add a frame that waits at a point.

        Raises:
            UnknownFlow: this process has no flow of its name.
            FlowChanged: it cannot go on here, whatever the author accepts.
            CompileError: the file that says it keeps the version holds another one.
        """
        try:
            flow, present = in_present_code(frame)
        except FlowChanged as changed:
            self._add_changed(frame, changed)
            return
        if flow is frozen_flow(frame.flow, frame.version):
            self.said.append(_in_file(flow))  # the flow of today is gone
        elif (present.version, present.point) != (frame.version, frame.point):
            self.same_rest.append(_where(flow, frame, present))

    def _add_changed(self, frame: Frame, changed: FlowChanged) -> None:
        flow = flow_named(frame.flow)
        said = upgrade_since(flow, frame.version)
        frozen = frozen_flow(frame.flow, frame.version)
        if said is not None and said.body is not None:
            self.said.append(f"{frame.flow} is edited by the @upgrade at {said.place}")
            return
        if said is None and frozen is not None:
            self.said.append(_in_file(frozen))
            return
        try:
            present = matched(frame, flow)
        except NotMatched as error:
            if frozen is None:
                changed.reason = str(error)
                raise changed from None
            self.said.append(_in_file(frozen))
            return
        if said is None:
            line = flow.fresh.by_number[present.point].line
            reads = tuple(filter(is_variable, flow.resume(present.point).slots))
            where = present.point, line, frame.line, reads
            self.acceptable.append(Acceptable(flow.name, frame.version, *where))
        else:
            self.said.append(f"{_where(flow, frame, present)}, by the upgrade at {said.place}")

    def verdict(self) -> Verdict:
        """Return the verdict of a stack that has no other frames."""
        if self.acceptable:
            words = "; ".join(accept.words for accept in self.acceptable)
            return Verdict(False, words, tuple(self.acceptable))
        parts = [*self.said]
        if self.same_rest:
            parts.insert(0, f"the same rest: {', '.join(self.same_rest)}")
        return Verdict(True, "; ".join(parts)) if parts else SAME_CODE


def verdict_of(frames: list[Frame], functions: Iterable[tuple[str, str, str]]) -> Verdict:
    """Tell whether this process can go on with a stack.

    Args:
        frames: its frames; only the names of their slots count.
        functions: the functions inside flows that it holds: flow, version and place.
    """
    moves = _Moves()
    for frame in frames:
        try:
            if frame.point:
                moves.add(frame)
            else:
                flow_of_today(frame.flow)
        except UnknownFlow:
            return Verdict(False, f"{frame.flow} is not known here")
        except FlowChanged as error:
            reason = f"; {error.reason}" if error.reason else ""
            return Verdict(
                False, f"{frame.flow} has changed: nowhere is the same left to do{reason}"
            )
        except LongtermError as error:
            return Verdict(False, f"{frame.flow}: {error}")
    for flow_name, version, place in functions:
        try:
            FlowCode().find((flow_name, version, place))
        except (LongtermError, LookupError, ValueError):
            what = place.split(":")[1] if ":" in place else "a flow"
            return Verdict(False, f"{what} inside {flow_name}, which is held, has changed")
    return moves.verdict()


def _in_file(flow: Flow) -> str:
    return f"{flow.name} in its frozen code at {place_of(flow)}"


def _where(flow: Flow, frame: Frame, present: Frame) -> str:
    line = flow.fresh.by_number[present.point].line
    return f"{frame.flow} at point {present.point}, line {line}"
