"""The stack of a flow: taken from a suspension's traceback, and put back as a callable.

A suspension unwinds the native stack, and its traceback then lists the very frames that must be
saved: each with its locals and the instruction that it waits at. So generated code needs no
handlers and no markers, and whatever stood between two flows is seen and refused by name.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from functools import partial
from types import CellType, CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from longterm._abi import CELLS
from longterm._flows import primitives as ops
from longterm._flows.call_sites import CallSite, call_site
from longterm._flows.context import swallowed
from longterm._flows.flow import IS_COROUTINE, Flow, body_of, flow_named
from longterm._flows.resolve import function_behind
from longterm._flows.rt import Suspend
from longterm.errors import CannotSuspend
from longterm.frame import Frame

_SUSPEND = ops.suspend.__code__
_CALL = ops.call.__code__


def capture(suspension: Suspend) -> list[Frame]:
    """Return the frames of the flows that a suspension passed through, outermost first.

    The traceback must begin with the frame that called the outermost flow.

    Raises:
        CannotSuspend: something between two flows, or between a flow and `suspend`, cannot be
            stored: a plain function, a call at a place that is no resume point, or C code; or
            the suspension was caught, and raised anew without its traceback.
    """
    first = suspension.__traceback__
    outermost = entry = first.tb_next if first else None
    frames: list[Frame] = []
    while entry is not None and (below := entry.tb_next) is not None:
        code = entry.tb_frame.f_code
        if code is _SUSPEND:
            return frames
        if code is not _CALL:
            frames.append(_frame(entry, below))
        entry = below
    raise swallowed(suspension.with_traceback(outermost))


def _frame(entry: TracebackType, below: TracebackType) -> Frame:
    site = call_site(entry)
    if site is None:
        raise _foreign(entry)
    if site.point is None:
        raise _unmarked(entry, below)
    flow, values = site.body.flow, entry.tb_frame.f_locals
    if site.callee is not None:
        _check_entered(site.callee, values, entry, below)
    return Frame(
        flow.name,
        flow.version,
        site.point,
        site.line,
        {name: values[local] for name, local in site.slots if local in values},
        _cells(site, values) if site.cells else {},
    )


def _cells(site: CallSite, values: dict[str, Any]) -> dict[str, CellType]:
    flow = site.body.flow
    foreign = [each for each in flow.image.free if each in site.cells and each != "__class__"]
    if foreign and not flow.image.nested_in_flows:
        raise CannotSuspend(
            f"flow {flow.name} uses {foreign[0]!r} of the plain function around it, which no "
            "other process can share (pass it as an argument, or make the outer function a flow)"
        )
    cells = dict(zip(site.body.cells, values[CELLS], strict=True))
    return {name: cells[name] for name in site.cells}


def _check_entered(
    callee: tuple[str, ...], values: dict[str, Any], entry: TracebackType, below: TracebackType
) -> None:
    """Prove that the frame below was entered from the resume point itself, nothing in between."""
    value, target = _callee(callee, values, entry.tb_frame), below.tb_frame.f_code
    # An awaited `call` has returned the coroutine before that runs.
    if not _runs(value, target) and not (target.co_flags & IS_COROUTINE and _runs(value, _CALL)):
        raise _indirect(entry, value, below)
    while target is _CALL and below.tb_next is not None:
        value, below = below.tb_frame.f_locals["function"], below.tb_next
        target = below.tb_frame.f_code
        if not _runs(value, target):
            raise _indirect(entry, value, below)


def _runs(value: object, code: CodeType) -> bool:
    """Tell whether calling a value runs this code, with nothing in between."""
    function = function_behind(value)
    return function is not None and function.__code__ is code


def _callee(path: tuple[str, ...], values: dict[str, Any], native: FrameType) -> object:
    """Return what a dotted path stands for in a frame, without running any code."""
    first = path[0]
    value: object
    if first in values:
        value = values[first]
    elif first in native.f_globals:
        value = native.f_globals[first]
    else:
        value = vars(builtins).get(first)
    for name in path[1:]:
        value = _attribute(value, name)
    return value


def _attribute(value: object, name: str) -> object:
    if isinstance(value, ModuleType):
        return vars(value).get(name)
    # Only methods come here; to import it takes longer than the rest of a turn.
    from inspect import getattr_static

    return getattr_static(value, name, None)


def rebuild(frames: list[Frame], event: Callable[[], Any]) -> Callable[[], Any]:
    """Return a callable that goes on with a continuation when the event has come.

    Each frame's resume body gets the inner frame's continuation as a partial function, which
    leaves no entry in tracebacks: a stack that was resumed looks like one that never stopped.

    Raises:
        UnknownFlow: this process has no flow of a frame's name.
        FlowChanged: it has one, but of another version.
    """
    going_on = event
    for frame in reversed(frames):
        flow, slots = flow_named(frame.flow, frame.version), frame.slots
        resume = flow.resume(frame.point)
        bound: Iterable[str] = resume.slots
        if not resume.slots.keys() <= slots.keys():
            unbound = tuple(name for name in resume.slots if name not in slots)
            resume = flow.resume(frame.point, unbound)
            bound = [name for name in bound if name in slots]
        code = resume.code
        closure = _closure(flow, frame, code) if code.co_freevars else ()
        function = FunctionType(code, flow.globals, code.co_name, None, closure)
        going_on = partial(function, going_on, *map(slots.__getitem__, bound))
    return going_on


def _closure(flow: Flow, frame: Frame, code: CodeType) -> tuple[CellType, ...]:
    spelled = {flow.image.local_name(name): cell for name, cell in frame.cells.items()}
    return tuple(spelled[name] for name in code.co_freevars)


def _place(entry: TracebackType) -> str:
    code = entry.tb_frame.f_code
    return f"{code.co_qualname} ({code.co_filename}:{entry.tb_lineno})"


def _foreign(entry: TracebackType) -> CannotSuspend:
    return CannotSuspend(
        f"{_place(entry)} stands between a flow and its suspend, and is a plain "
        "function whose frame cannot be stored (make it a flow with @deflow, or call the flow "
        "from a flow)"
    )


def _is_plain(code: CodeType) -> bool:
    return code is not _SUSPEND and code is not _CALL and body_of(code) is None


def _unmarked(entry: TracebackType, below: TracebackType) -> CannotSuspend:
    remedy = "call it in a statement of its own, `reply = f(x)`, or write `call(f, x)`"
    if below.tb_frame.f_code.co_name.startswith("__"):
        remedy = "Python calls a special method by itself: give the flow a name, and call that"
    return _refused(entry, below, f"from what is no resume point ({remedy})")


def _indirect(entry: TracebackType, value: object, below: TracebackType) -> CannotSuspend:
    through = getattr(value, "__qualname__", None) or type(value).__qualname__
    remedy = "call the flow itself, from a flow, or by `call(f, x)`"
    return _refused(entry, below, f"through {through}, which cannot be suspended ({remedy})")


def _refused(entry: TracebackType, below: TracebackType, how: str) -> CannotSuspend:
    target = below.tb_frame.f_code
    if _is_plain(target):
        return _foreign(below)
    return CannotSuspend(f"{_place(entry)} reaches the flow {target.co_qualname} {how}")
