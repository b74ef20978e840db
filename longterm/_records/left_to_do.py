"""What is left to do for runs that cannot go on: in the version they wait in, and in today's code.

Both are compiled, and neither is executed. What comes out are lines of the author's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from longterm._flows.closures import FlowCode
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named, is_frozen
from longterm._flows.same_rest import in_present_code
from longterm._flows.sources import Source, compiled, source_of, version_name
from longterm.errors import CompileError, FlowChanged, LongtermError
from longterm.frame import Frame

Find: TypeAlias = Callable[[str, str], Source | None]
"""Returns the source of a version of a flow; None if it is not to be had."""

if TYPE_CHECKING:
    from longterm._flows.loader import Compiled

_DIGITS: Final = 8
_SAME: Final = (
    "(the lines are the same, and mean something else: a name is another variable now, or a global "
    "or captured one; or the function or the class around is of another kind)"
)


def left_to_do(
    frames: list[Frame], functions: Iterable[tuple[str, str, str]], old: Find
) -> Iterator[tuple[str, ...]]:
    """Yield what is left to do where a stack cannot go on, old beside new: lines for each place.

    Args:
        frames: the frames of the stack.
        functions: the functions inside flows that it holds: flow, version and place.
        old: finds the source of versions.
    """
    for frame in frames:
        flow = _changed(frame)
        if flow is not None:
            yield tuple(_of_frame(flow, frame, old))
    for name, version, place in functions:
        if not _is_here(name, version, place):
            yield tuple(_of_function(name, version, place, old))


def _changed(frame: Frame) -> Flow | None:
    """Return today's flow of a frame that has no place in it; None if it has, or none is needed."""
    try:
        if frame.point:
            in_present_code(frame)
    except FlowChanged:
        return None if is_frozen(frame.flow, frame.version) else flow_named(frame.flow)
    except LongtermError:
        pass
    return None


def _is_here(name: str, version: str, place: str) -> bool:
    try:
        FlowCode().find((name, version, place))
    except (LongtermError, LookupError, ValueError):
        return False
    return True


def _of_frame(flow: Flow, frame: Frame, old: Find) -> Iterator[str]:
    """Yield what is left at a frame's point, beside what is at the point of today most like it."""
    title = f"{frame.flow}@{frame.version[:_DIGITS]}, line {frame.line}: what is left to do"
    try:
        then, now = _then(frame.flow, frame.version, old), _now(flow)
        was = then.left(frame.point)
        here = {number: now.left(number) for number in now.source.lines}
    except CompileError as error:
        yield f"--- {title}"
        yield f"({error})"
        return
    if not here:
        yield from _compared(was, [], title, f"{flow.name} today: it waits nowhere")
        return

    def likeness(number: int) -> tuple[float, int]:
        return SequenceMatcher(None, was, here[number]).ratio(), -abs(number - frame.point)

    likest = max(here, key=likeness)
    today = f"{flow.name} today, line {now.source.lines[likest]}"
    yield from _compared(was, here[likest], title, today)


def _of_function(name: str, version: str, place: str, old: Find) -> Iterator[str]:
    """Yield a function inside a flow that a stack holds, beside today's of the same name."""
    what = place.split(":")[1] if place else "itself"
    title = f"{name}@{version[:_DIGITS]}, {what}, which is held"
    try:
        flow = flow_named(name)
        then, now = _then(name, version, old), _now(flow)
        yield from _compared(then.inside(place), now.inside(place), title, f"{flow.name} today")
    except LongtermError as error:
        yield f"--- {title}"
        yield f"({error})"


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a flow, compiled."""

    source: Source
    code: Compiled

    def left(self, point: int) -> list[str]:
        """Return the lines that are left to do at a point."""
        return self._text(self.code.lines_left(point))

    def inside(self, place: str) -> list[str]:
        """Return the lines of a function inside, or of the flow itself; none if it is not there."""
        return self._text(self.code.lines_inside(":".join(place.split(":")[:2])))

    def _text(self, numbers: Iterable[int]) -> list[str]:
        lines = self.source.text.split("\n")
        return [lines[number - 1].rstrip() for number in numbers]


def _then(flow: str, version: str, old: Find) -> _Version:
    source = old(flow, version)
    if source is None:
        name = version_name(flow, version)
        raise CompileError(f"the source of {name} is not kept, or cannot be read")
    return _Version(source, compiled(source))


def _now(flow: Flow) -> _Version:
    source = source_of(flow)
    if source is None:
        raise CompileError(f"{flow.name} was written by longterm-compile, and has no source here")
    return _Version(source, compiled(source))


def _compared(was: list[str], here: list[str], then: str, now: str) -> Iterator[str]:
    """Yield the difference between lines; all lines stand in it."""
    if was == here:
        yield from (f"--- {then}", f"+++ {now}", _SAME)
        return
    yield from (f"--- {then}", f"+++ {now}")
    longest = max(len(was), len(here))
    # Behind the titles comes a line with numbers, which would be none of the file's.
    yield from islice(unified_diff(was, here, lineterm="", n=longest), 3, None)
