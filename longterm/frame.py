"""A frame: one flow call on the stack of a suspended run. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CellType

__all__ = ["Frame"]


@dataclass(slots=True)
class Frame:
    """One flow call: which flow, at which resume point, with which live names.

    A continuation is a list of frames, outermost call first.
    """

    flow: str
    """The flow, as `module:qualname`."""
    version: str
    """The digest of the flow's meaning."""
    point: int
    """The number of the resume point, in lexical order, from 1; 0 is the start of the flow."""
    line: int
    """The line of the point in the author's file when the frame was saved, for people."""
    slots: dict[str, object] = field(default_factory=dict)
    """The live local names and their values; an unbound name is absent."""
    cells: dict[str, CellType] = field(default_factory=dict)
    """The captured names, each with the cell that inner functions share."""
    rest: str = ""
    """The digest of what is left to do: a frame resumes only in the version that it was saved from,
    or at a point with the same rest, or where the author says so. Behind a `/` the digest of the
    statement under way and the blocks around it follows. If a live name has no value, all of them
    follow, in an order that does not depend on their names; else `slots` is in that order. Longterm
    0.1 kept none."""
