"""Frames of a continuation, and the cells that frames and inner functions share."""

from __future__ import annotations

from types import CellType
from typing import Final

from longterm._codec.decode.budget import Budget
from longterm._codec.types.kinds import Kind, Parts, store
from longterm.frame import Frame

_FAMILY: Final = "frames"


def _take_frame(frame: Frame) -> Parts:
    parts = [FRAME.tag, frame.flow, frame.version, frame.point, frame.line, frame.slots]
    return [*parts, frame.cells] if frame.cells else parts


def _make_frame(parts: Parts, budget: Budget) -> Frame:
    return Frame("", "", 0, 0)


def _fill_frame(frame: Frame, parts: Parts, budget: Budget) -> None:
    flow, version, point, line, slots, *cells = parts
    if not (
        type(flow) is type(version) is str
        and type(point) is type(line) is int
        and type(slots) is dict
        and all(type(each) is dict for each in cells)
    ):
        raise TypeError("a frame has a flow, a version, a point, a line, slots and cells")
    frame.flow, frame.version, frame.point, frame.line = flow, version, point, line
    frame.slots = slots
    for each in cells:
        budget.spend(len(each))
        if not all(type(cell) is CellType for cell in each.values()):
            raise TypeError("the captured names of a frame have cells")
        frame.cells = each


def whole_frame(row: Parts) -> Frame:
    """Return the frame of a row."""
    flow, version, point, line, slots = row
    if not (
        type(flow) is type(version) is str
        and type(point) is type(line) is int
        and type(slots) is dict
    ):
        raise TypeError("a frame has a flow, a version, a point, a line and slots")
    return Frame(flow, version, point, line, slots)


def _take_cell(cell: CellType) -> Parts:
    try:
        return [CELL.tag, cell.cell_contents]
    except ValueError:
        return [CELL.tag]


def _make_cell(parts: Parts, budget: Budget) -> CellType:
    return CellType()


def _fill_cell(cell: CellType, parts: Parts, budget: Budget) -> None:
    for part in parts:
        cell.cell_contents = part


FRAME: Final = Kind(30, "frame", _make_frame, _fill_frame)
CELL: Final = Kind(31, "cell", _make_cell, _fill_cell)

store(Frame, take=_take_frame, family=_FAMILY)
store(CellType, take=_take_cell, family=_FAMILY, note="one cell stays one, and may be empty")
