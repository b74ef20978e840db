"""A frame: one flow call on the stack of a suspended run. Plain data."""

from __future__ import annotations

from types import CellType

from longterm.record import record


@record(init=False)
class Frame:
    """One flow call: which flow, at which resume point, with which live names.

    A continuation is a list of frames, outermost call first.
    """

    flow: str
    """The flow, as `module:qualname`."""
    version: str
    """The digest of the flow's meaning; a frame resumes only in the code it was saved from."""
    point: int
    """The number of the resume point, in lexical order, from 1; 0 is the start of the flow."""
    line: int
    """The line of the point in the author's file when the frame was saved, for people."""
    slots: dict[str, object]
    """The live local names and their values; an unbound name is absent."""
    cells: dict[str, CellType]
    """The captured names, each with the cell that inner functions share."""

    # By hand, since decoding makes many.
    def __init__(
        self,
        flow: str,
        version: str,
        point: int,
        line: int,
        slots: dict[str, object] | None = None,
        cells: dict[str, CellType] | None = None,
    ) -> None:
        """Take the parts; a frame without live names needs none."""
        self.flow = flow
        self.version = version
        self.point = point
        self.line = line
        self.slots = {} if slots is None else slots
        self.cells = {} if cells is None else cells
