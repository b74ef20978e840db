"""Frames of a continuation, and the cells that frames and inner functions share."""

from __future__ import annotations

from itertools import chain
from types import CellType
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.kinds import Family, Kind, Parts, Row
from longterm.frame import Frame

_GROUP: Final = "frames"


def _dump_frame(frame: Frame) -> Parts:
    place = (frame.flow, frame.version, frame.point, frame.line)
    return [FRAME.tag, *place, frame.slots, frame.cells, frame.rest]


def _load_frame(parts: Parts, decoding: Decoding) -> Frame:
    made = Frame("", "", 0, 0)
    decoding.frames.append(made)
    return made


def _populate_frame(frame: Frame, parts: Parts, decoding: Decoding) -> None:
    checked = _checked(parts, decoding)
    frame.flow, frame.version, frame.point, frame.line = checked[:4]
    frame.slots, frame.cells, frame.rest = checked[4:]


def _build_frame(parts: Parts, decoding: Decoding) -> Frame:
    made = Frame(*_checked(parts, decoding))
    decoding.frames.append(made)
    return made


def _checked(parts: Parts, decoding: Decoding) -> Parts:
    """Return what a frame is made of, if it is that."""
    if len(parts) == _ROW - 1:
        parts.append({})  # longterm 0.1 wrote no cells if there are none
    if len(parts) == _ROW:
        parts.append("")  # and no rest
    flow, version, point, line, slots, cells, rest = parts
    if not (
        type(flow) is type(version) is type(rest) is str
        and type(point) is type(line) is int
        and type(slots) is type(cells) is dict
    ):
        raise TypeError("a frame has a flow, a version, a point, a line, slots, cells and a rest")
    decoding.spend(len(slots) + len(cells))
    return parts


def check_names(frame: Frame) -> None:
    """Raise if a frame has what are no names, or no cells.

    For when all is made: a map that is populated later is empty at first, and may hold anything.
    """
    if not _NAMES.issuperset(map(id, map(type, chain(frame.slots, frame.cells)))):
        raise TypeError("the slots and cells of a frame have names")
    if frame.cells and not all(type(cell) is CellType for cell in frame.cells.values()):
        raise TypeError("the captured names of a frame have cells")


_NAMES: Final = frozenset({id(str)})
_new: Final = Frame.__new__
_ROW: Final = 6
"""How much there is of a frame in a row."""


def whole_frame(row: Any) -> Frame:
    """Return the frame of a row."""
    if type(row) is not list:
        raise TypeError("the row of a frame is a list")
    # Written out, since each frame of a turn comes here: to call the class takes twice as long.
    frame = _new(Frame)
    frame.flow, frame.version, frame.point, frame.line, frame.slots, frame.rest = (
        row if len(row) == _ROW else (*row, "")  # longterm 0.1 wrote no rest
    )
    frame.cells = {}
    if not (
        type(frame.flow) is type(frame.version) is type(frame.rest) is str
        and type(frame.point) is type(frame.line) is int
        and type(frame.slots) is dict
    ):
        raise TypeError("a frame has a flow, a version, a point, a line, slots and a rest")
    for name in frame.slots:
        if type(name) is not str:
            raise TypeError("the slots of a frame have names")
    return frame


def _dump_cell(cell: CellType) -> Parts:
    try:
        return [CELL.tag, cell.cell_contents]
    except ValueError:
        return [CELL.tag]


def _load_cell(parts: Parts, decoding: Decoding) -> CellType:
    return CellType()


def _populate_cell(cell: CellType, parts: Parts, decoding: Decoding) -> None:
    for part in parts:
        cell.cell_contents = part


FRAME: Final = Kind("frame", _load_frame, _populate_frame, build=_build_frame)
CELL: Final = Kind("cell", _load_cell, _populate_cell, is_fragile=True)

FAMILY: Final = Family(
    kinds=(FRAME, CELL),
    rows=(
        Row(Frame, dump=_dump_frame, group=_GROUP),
        Row(CellType, dump=_dump_cell, group=_GROUP, note="one cell stays one, and may be empty"),
    ),
)
