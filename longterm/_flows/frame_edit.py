"""What the body of an `@upgrade` is given: a frame of an earlier version, to be moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import CellType
from typing import Any

from longterm._flows.compiled import ResumePoint
from longterm._flows.flow import Flow
from longterm._flows.under_way import (
    NotMatched,
    at_point,
    is_variable,
    live_names,
    missing_names,
    point_under_way,
)
from longterm.frame import Frame

__all__ = ["FrameEdit"]


class FrameEdit:
    """A stored call of a flow, which an `@upgrade` makes fit for the code of today.

    The run goes on where the same statement is under way, if there is such a place; else `goto`
    must say where.
    """

    def __init__(self, frame: Frame, flow: Flow) -> None:
        """Take a frame, and the flow that it is to go on in."""
        self.slots: dict[str, Any] = dict(_variables(frame))
        """The stored variables by their names: to be changed, added to and removed from."""
        self._frame, self._flow = frame, flow
        self._point: ResumePoint | None = None
        self._why_not = ""
        try:
            self._point = point_under_way(frame, flow)
        except NotMatched as error:
            self._why_not = str(error)

    @property
    def version(self) -> str:
        """The version that the frame was saved from."""
        return self._frame.version

    @property
    def point(self) -> int:
        """The number of the resume point that it waits at, in that version."""
        return self._frame.point

    @property
    def line(self) -> int:
        """The line of that point, in the file as it was."""
        return self._frame.line

    def goto(self, where: int | str) -> None:
        """Let the run go on at a resume point of the code of today.

        Args:
            where: the number of the point, as `longterm-compile` lists it; or a text that stands in
                this call and in no other: the name of the event, say.

        Raises:
            ValueError: there is no such point, or there are several.
        """
        points = [*self._flow.fresh.by_number.values()]
        if isinstance(where, int):
            found = [point for point in points if point.number == where]
        else:
            found = _with_text(points, where, self._flow)
        if len(found) != 1:
            known = ", ".join(f"{point.number} at line {point.line}" for point in found or points)
            few = "not one resume point, but" if found else "no resume point, of"
            raise ValueError(f"goto({where!r}) names {few} {known}")
        self._point = found[0]


def _with_text(points: list[ResumePoint], text: str, flow: Flow) -> list[ResumePoint]:
    """Return the points that have a text in their calls, and not in a call inside, that waits too.

    Raises:
        ValueError: the author's text is not here.
    """
    if flow.fresh.is_written:
        raise ValueError(
            f"goto({text!r}): a module that longterm-compile wrote has not the author's lines "
            "(give the number of the point)"
        )
    import linecache  # which costs too much to import with longterm

    lines = linecache.getlines(flow.fresh.code.co_filename, flow.globals)
    calls = {point.number: _call(point, lines) for point in points}
    found = [point for point in points if text in calls[point.number]]
    inside = [calls[point.number] for point in found]
    return [
        point for point in found if not any(call in calls[point.number][:-1] for call in inside)
    ]


def _call(point: ResumePoint, lines: list[str]) -> str:
    last, column = point.end
    before = "".join(lines[point.line - 1 : last - 1])
    end = "".join(lines[last - 1 : last]).encode("utf-8", "surrogatepass")[:column]
    text = before + end.decode("utf-8", "replace")
    return text[max(text.rfind(".".join(point.callee)), 0) :]


def edited(frame: Frame, flow: Flow, body: Callable[[FrameEdit], object]) -> Frame:
    """Return a frame as the body of an `@upgrade` makes it.

    Raises:
        NotMatched: it has no point then, or lacks what the rest reads there.
        Exception: what the body raises.
    """
    edit = FrameEdit(frame, flow)
    body(edit)
    point = edit._point
    if point is None:
        raise NotMatched(f"{edit._why_not} (say where the run goes on: frame.goto(…))")
    moved = at_point(_with_slots(frame, edit.slots), point)
    cells = dict(_cells(moved, flow.resume(point.number).cells, edit.slots))
    missing = missing_names(moved, flow)
    if missing:
        raise NotMatched(f"{missing} (give it a value: frame.slots[…] = …)")
    return replace(moved, version=flow.version, cells=cells)


def _variables(frame: Frame) -> Iterator[tuple[str, Any]]:
    for name, value in frame.slots.items():
        if is_variable(name):
            yield name, value
    for name, cell in frame.cells.items():
        if name != "__class__":
            try:
                yield name, cell.cell_contents
            except ValueError:  # it is empty
                continue


def _with_slots(frame: Frame, values: dict[str, Any]) -> Frame:
    """Return a frame with these variables; a name that had no value has none still."""
    own = {name: value for name, value in frame.slots.items() if not is_variable(name)}
    unbound = [name for name in live_names(frame) if name not in frame.slots]
    digests = frame.rest.partition(" ")[0]
    rest = " ".join([digests, *dict.fromkeys([*own, *values, *unbound])])
    return replace(frame, slots={**values, **own}, rest=rest)


def _cells(
    frame: Frame, names: tuple[str, ...], values: dict[str, Any]
) -> Iterator[tuple[str, CellType]]:
    """Yield the cells that a rest needs: those that inner functions share, or new ones.

    Raises:
        NotMatched: there is neither a cell nor a value.
    """
    for name in names:
        cell = frame.cells.get(name)
        if cell is None and name not in values:
            raise NotMatched(f"`{name}`, which a function inside shares, was not stored")
        if cell is None:
            cell = CellType()
        if name in values:
            cell.cell_contents = values[name]
        yield name, cell
