"""The stack of a flow: taken from a suspension's traceback, and put back as a callable.

A suspension unwinds the native stack, and its traceback then lists the very frames that must be
saved: each with its locals and the instruction that it waits at. So generated code needs no
handlers and no markers, and whatever stood between two flows is seen and refused by name.

Where the flow `order` called the flow `approve`, which waits:

    traceback       order -> approve -> suspend     its entries, each deeper in the stack
    capture         [Frame(order), Frame(approve)]
    rebuild         order_2(approve_1(event, *slots), *slots)   its arguments bound, not called

`order_2` is the resume body of `order` at point 2, say. It gets as its first argument what it calls
in place of the call that waited: `approve_1`, which in its turn gets what brings the event.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import CellType, CodeType, FunctionType, TracebackType
from typing import Any, Final

from longterm._abi import CELLS, GENERATOR
from longterm._flows import in_parts
from longterm._flows import primitives as ops
from longterm._flows.asking import (
    BETWEEN,
    as_inside,
    below_waiting,
    is_asked_by,
    is_awaited,
    put_back,
)
from longterm._flows.async_generator import IS_ASYNC_GENERATOR
from longterm._flows.call_sites import CallSite, call_site
from longterm._flows.context import in_another_task, swallowed
from longterm._flows.flow import IS_COROUTINE, Flow
from longterm._flows.generator import ENTERING
from longterm._flows.in_parts import InParts, flows_left
from longterm._flows.refusals import (
    captured_from_function,
    entered_through,
    not_a_flow,
    not_a_resume_point,
    not_entered_by_callee,
)
from longterm._flows.resolve import runs, value_at
from longterm._flows.rt import UNBOUND, Suspend
from longterm._flows.steps import STEP_CODES
from longterm._flows.upgrades import upgraded
from longterm._flows.wait_result import WaitResult
from longterm.errors import CorruptData, StackTooDeep
from longterm.frame import Frame

_WAITS = frozenset(
    id(form.__code__) for form in (ops.suspend, ops.sleep, ops.checkpoint, ops.gather)
).union(STEP_CODES)
_CALL = ops.call.__code__
_BETWEEN: Final = BETWEEN | {id(_CALL)}
_IN_PARTS: Final = id(InParts.__call__.__code__)

_FEW: Final = 100
"""Frames for which there is room in any process."""
_SPARE: Final = 50
"""How many calls the flow can still make, and longterm itself, before the limit is reached."""


def capture(suspension: Suspend) -> list[Frame]:
    """Return the frames of the flows that a suspension passed through, outermost first.

    The traceback must begin with the frame that called the outermost flow.

    Raises:
        CannotSuspend: something between two flows, or between a flow and `suspend`, cannot be
            stored: a plain function, a call at a place that is no resume point, or C code; the
            flow waits in another task than the run's; or the suspension was caught, and raised
            anew without its traceback.
    """
    if suspension.elsewhere is not None:
        raise in_another_task(suspension)
    first = suspension.__traceback__
    outermost = entry = first.tb_next if first else None
    above: TracebackType | None = None
    frames: list[Frame] = []
    entered_by = 0
    while entry is not None and (below := entry.tb_next) is not None:
        code = entry.tb_frame.f_code
        key = id(code)
        if key in _WAITS:
            return frames
        if key == _IN_PARTS:
            frames += entry.tb_frame.f_locals["self"].outer
            outermost = below
        elif key not in _BETWEEN:
            frame = _frame(entry, below, above)
            if above is not None and (
                entered_by in ENTERING or (code.co_flags & IS_ASYNC_GENERATOR and is_awaited(code))
            ):
                frame = as_inside(frame, above, entry)
            frames.append(frame)
        above, entry, entered_by = entry, below, key
    raise swallowed(suspension.with_traceback(outermost))


def _frame(entry: TracebackType, below: TracebackType, above: TracebackType | None) -> Frame:
    """Return the frame of an entry of the traceback; the entries around it are given too."""
    site = call_site(entry)
    if site is None:
        raise not_a_flow(entry, above)
    if site.point is None:
        raise not_a_resume_point(entry, below_waiting(below))
    values = entry.tb_frame.f_locals
    if site.callee is not None:
        _check_entered(site.callee, values, entry, below_waiting(below))
    return frame_at(site, site.point, values)


def frame_at(site: CallSite, point: int, values: dict[str, Any]) -> Frame:
    """Return the frame of a body that waits at a site, by its local variables."""
    slots = {}
    for name, local in site.slots:
        if local in values:
            slots[name] = values[local]
    rest = site.rest if len(slots) == len(site.slots) else site.rest_and_names
    cells = _cells(site, values) if site.cells else {}
    return Frame(site.flow, site.version, point, site.line, slots, cells, rest)


def _cells(site: CallSite, values: dict[str, Any]) -> dict[str, CellType]:
    """Return the cells that the rest of the flow needs, by the captured names."""
    flow = site.body.flow
    outer = [name for name in flow.fresh.free if name in site.cells and name != "__class__"]
    if outer and not flow.fresh.nested_in_flows:
        raise captured_from_function(flow, outer[0], values.get(flow.fresh.local_name(outer[0])))
    cells = dict(zip(site.body.cells, values[CELLS], strict=True))
    return {name: cells[name] for name in site.cells}


def _check_entered(
    callee: tuple[str, ...], values: dict[str, Any], entry: TracebackType, below: TracebackType
) -> None:
    """Prove that what a resume point calls is what was entered below, with nothing in between.

    Raises:
        CannotSuspend: the value of the callee runs other code, as C code that calls back does.
    """
    value, target = value_at(callee, entry.tb_frame, values), below.tb_frame.f_code
    if type(value) is FunctionType and value.__code__ is target and target is not _CALL:
        return  # most often
    if is_asked_by(callee, values, entry, below):
        return
    # In `await call(f, x)` there is no entry of `call`: it has returned the coroutine of f by then.
    if not runs(value, target) and not (target.co_flags & IS_COROUTINE and runs(value, _CALL)):
        raise not_entered_by_callee(callee, entry, below)
    # `call(f, x)` may call f and nothing else; f may be `call` again.
    while target is _CALL and below.tb_next is not None:
        value, below = below.tb_frame.f_locals["function"], below.tb_next
        target = below.tb_frame.f_code
        if not runs(value, target):
            raise entered_through(entry, value, below)


def rebuild(frames: list[Frame], result: WaitResult) -> tuple[Flow, Callable[[], Any]]:
    """Return the outermost flow, and a callable that goes on with it when the event has come.

    Each frame's resume body gets the inner frame's continuation, a function whose arguments are
    its defaults. So Python calls it without native stack, however deep, which it does not do with a
    partial; and it leaves no entry in tracebacks: a stack that was resumed looks like one that
    never stopped.

    Raises:
        StackTooDeep: there are more frames than this process lets calls nest.
        UnknownFlow: this process has no flow of a frame's name.
        FlowChanged: it has one, but of another version, without a point that has the same rest.
        UpgradeFailed: the author's `@upgrade` could not move a frame.
        CorruptData: the flow has no such point, or captures what the frame has not.
    """
    if len(frames) > _FEW:
        _check_room(frames)
    inner = result.as_callable()
    flows = flows_left(frames) if len(frames) > in_parts.ENTERED else None
    if not flows:
        return _entered(frames, inner)
    outer, entered = frames[: len(flows)], frames[len(flows) :]
    return flows[0], InParts(_entered(entered, inner)[1], outer, flows)


def _entered(frames: list[Frame], inner: Callable[[], Any]) -> tuple[Flow, Callable[[], Any]]:
    """Return the outermost flow of frames, and what goes on with them, given what they called."""
    for frame in reversed(frames):
        flow, frame = upgraded(frame)
        code, arguments = code_and_arguments(flow, frame)
        closure = closure_of(flow, frame, code) if code.co_freevars else None
        inner = FunctionType(code, flow.globals, None, (inner, *arguments), closure)
        if GENERATOR in frame.slots:
            inner = put_back(frame, inner)
    return flow, inner  # pyright: ignore[reportPossiblyUnboundVariable] - there is always a frame


def _check_room(frames: list[Frame]) -> None:
    """Raise if a stack is too deep to be called: the flow would be failed by a RecursionError."""
    entry, needed = sys._getframe(), len(frames) + _SPARE
    while entry.f_back is not None:
        entry, needed = entry.f_back, needed + 1
    if needed > sys.getrecursionlimit():
        raise StackTooDeep(frames[0].flow, len(frames), sys.getrecursionlimit(), needed)


def code_and_arguments(flow: Flow, frame: Frame) -> tuple[CodeType, Iterable[Any]]:
    """Return the code of a frame's resume body, and the values of its slots in their order.

    A live name may have no value: `x`, after `if rare: x = 1`. Code that was written ahead of time
    takes `UNBOUND` for it; else there is a resume body of its own, without that parameter.
    """
    try:
        resume = flow.resume(frame.point)
    except IndexError:
        raise CorruptData(
            f"the stored bytes name point {frame.point} of flow {flow.name}, which has none"
        ) from None
    slots = frame.slots
    try:
        return resume.code, [*map(slots.__getitem__, resume.slots)]
    except KeyError:
        pass
    unbound = tuple(name for name in resume.slots if name not in slots)
    if resume.unbound.issuperset(unbound):
        return resume.code, [slots.get(name, UNBOUND) for name in resume.slots]
    values = [slots[name] for name in resume.slots if name in slots]
    return flow.resume(frame.point, unbound).code, values


def closure_of(flow: Flow, frame: Frame, code: CodeType) -> tuple[CellType, ...]:
    """Return the cells of a frame in the order in which its code wants them."""
    by_name = {flow.fresh.local_name(name): cell for name, cell in frame.cells.items()}
    try:
        return tuple(by_name[name] for name in code.co_freevars)
    except KeyError as error:
        raise CorruptData(
            f"the stored bytes lack variable {error} of flow {flow.name}, which it captures"
        ) from None
