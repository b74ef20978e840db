"""The shapes of runs: where they wait, how many at each place, and what their stacks look like.

Runs of one shape share one verdict, so one run of each is looked at, and no value of it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from longterm._codec import decode_frames
from longterm._codec.outline import Outline, outline_of
from longterm._flows.verdicts import Verdict, verdict_of
from longterm.errors import FlowChanged, LongtermError, NotSupported, UnknownFlow, UnknownRun
from longterm.frame import Frame
from longterm.run import Run, context_of
from longterm.store.base import RunStore
from longterm.store.positions import PositionCount, Positions

OLD: Final = Verdict(False, "not known: stored before longterm 0.2, go on in their own version")
_GONE: Final = Verdict(False, "not known: the run that was looked at has gone on (check again)")


@dataclass(frozen=True, slots=True)
class Shape:
    """The runs of one flow and position, and what their stacks look like."""

    flow: str
    position: str | None
    runs: int
    outline: Outline | None
    """None: it is not known."""
    is_old: bool = False
    """Whether they were stored by a longterm that did not say where a run waits."""
    example: str = ""
    """The id of one of them; empty if it is not known."""

    def verdict(self) -> Verdict:
        """Tell what becomes of the runs in this process."""
        if self.outline is None:
            return OLD if self.is_old else _GONE
        return verdict_of(self.outline.frames, self.outline.functions)


def shapes_in(store: RunStore) -> Iterator[Shape]:
    """Yield the shapes of the runs in a store that have not ended.

    Raises:
        NotSupported: the store does not count them.
    """
    if not isinstance(store, Positions):
        raise NotSupported(store, "counting runs by their positions (count_positions)")
    for count in store.count_positions():
        is_old = count.position is None and not count.is_to_begin
        outline = None if is_old else _outline_of_one(store, count)
        yield Shape(count.flow, count.position, count.runs, outline, is_old, count.example)


def why_unreadable(store: RunStore, shape: Shape) -> str | None:
    """Tell why the values of one run of a shape cannot be made here; None if they can.

    They are decoded and dropped, and no flow is run. What the verdict says is not said again.
    """
    try:
        run = store.get(shape.example)
        if run.stack is not None:
            decode_frames(run.stack, context_of(run, "stack"))
    except (UnknownRun, UnknownFlow, FlowChanged):
        return None  # it is deleted, or the code is another
    except LongtermError as error:
        return str(error)
    return None


def verdict_of_run(run: Run) -> Verdict | None:
    """Tell what becomes of a run in this process; None if it has no stack to be judged by."""
    if run.stack is None:
        return None
    try:
        outline = outline_of(run.stack, context_of(run, "stack"))
    except LongtermError as error:
        return Verdict(False, str(error))
    return verdict_of(outline.frames, outline.functions)


def _outline_of_one(store: RunStore, count: PositionCount) -> Outline | None:
    """Return the outline of one run of a shape; None if that has gone on, or cannot be read."""
    try:
        run = store.get(count.example)
        if run.position != count.position:
            return None
        if run.stack is not None:
            return outline_of(run.stack, context_of(run, "stack"))
    except LongtermError:
        return None
    # A call that could not be stored.
    return Outline([Frame(count.flow, "", 0, 0)], []) if count.is_to_begin else None
