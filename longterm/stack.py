"""The stack of a flow: taken from a suspension's traceback, and put back as a callable.

A suspension unwinds the native stack, and its traceback then lists the very frames that must be
saved: each with its locals and the instruction that it waits at. So generated code needs no
handlers and no markers, and whatever stood between two flows is seen and refused by name.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from functools import partial
from opcode import opname
from types import CellType, CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from longterm import ops
from longterm._abi import CELLS
from longterm.errors import CannotSuspend
from longterm.flow import IS_COROUTINE, Body, body_of, flow_named
from longterm.frame import Frame
from longterm.judge import function_behind
from longterm.rt import Suspend

_SUSPEND = ops.suspend.__code__
_CALL = ops.call.__code__


def capture(suspension: Suspend) -> list[Frame]:
    """Return the frames of the flows that a suspension passed through, outermost first.

    The traceback must begin with the frame that called the outermost flow.

    Raises:
        CannotSuspend: something between two flows, or between a flow and `suspend`, cannot be
            stored: a plain function, a call at a place that is no resume point, or C code.
    """
    first = suspension.__traceback__
    entries = list(_entries(first.tb_next if first else None))
    return [
        _frame(entry, entries[number + 1 : number + 3])
        for number, entry in enumerate(entries)
        if entry.tb_frame.f_code is not _SUSPEND and entry.tb_frame.f_code is not _CALL
    ]


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the traceback down to `suspend`'s own frame."""
    while traceback is not None:
        yield traceback
        if traceback.tb_frame.f_code is _SUSPEND:
            return
        traceback = traceback.tb_next


def _frame(entry: TracebackType, inner: list[TracebackType]) -> Frame:
    native = entry.tb_frame
    body = body_of(native.f_code)
    if body is None:
        raise _foreign(native, entry.tb_lineno)
    flow = body.flow
    number = _point(body, entry, inner)
    resume = flow.resume(number)
    values = native.f_locals
    spelled = {name: flow.image.local_name(name) for name in resume.slots}
    return Frame(
        flow=flow.name,
        version=flow.version,
        point=number,
        line=entry.tb_lineno,
        slots={name: values[local] for name, local in spelled.items() if local in values},
        cells=_cells(body, native, resume.cells) if resume.cells else {},
    )


def _cells(body: Body, native: FrameType, wanted: tuple[str, ...]) -> dict[str, CellType]:
    image = body.flow.image
    foreign = [each for each in image.free if each in wanted and each != "__class__"]
    if foreign and not image.nested_in_flows:
        raise CannotSuspend(
            f"flow {body.flow.name} uses {foreign[0]!r} of the plain function around it, which no "
            "other process can share (pass it as an argument, or make the outer function a flow)"
        )
    cells = dict(zip(body.cells, native.f_locals[CELLS], strict=True))
    return {name: cells[name] for name in wanted}


def _point(body: Body, entry: TracebackType, inner: list[TracebackType]) -> int:
    """Return the number of the point that a frame waits at, proven to be entered from there."""
    if body.resume is not None and entry.tb_lasti in body.resume.next_calls:
        assert body.point is not None
        return body.point
    end = _call_end(body, entry.tb_lasti)
    point = None if end is None else body.flow.image.points.get(end)
    target = inner[0].tb_frame.f_code
    if target is not _SUSPEND and target is not _CALL and body_of(target) is None:
        raise _foreign(inner[0].tb_frame, inner[0].tb_lineno)
    if point is None:
        raise _unmarked(entry, target)
    value = _callee(entry.tb_frame, point.callee, body)
    # An awaited `call` has returned the coroutine before that runs.
    if not _runs(value, target) and not (target.co_flags & IS_COROUTINE and _runs(value, _CALL)):
        raise _indirect(entry, value, target)
    if target is _CALL:
        value, target = inner[0].tb_frame.f_locals["function"], inner[1].tb_frame.f_code
        if not _runs(value, target):
            raise _indirect(entry, value, target)
    return point.number


def _runs(value: object, code: CodeType) -> bool:
    """Tell whether calling a value runs this code, with nothing in between."""
    function = function_behind(value)
    return function is not None and function.__code__ is code


def _callee(native: FrameType, path: tuple[str, ...], body: Body) -> object:
    """Return what a dotted path stands for in a frame, without running any code."""
    local_name = body.flow.image.local_name
    first = local_name(path[0])
    for names in (native.f_locals, native.f_globals, vars(builtins)):
        if first in names:
            value: object = names[first]
            break
    else:
        return None
    for name in path[1:]:
        value = _attribute(value, local_name(name))
    return value


def _attribute(value: object, name: str) -> object:
    if isinstance(value, ModuleType):
        return vars(value).get(name)
    # Only methods come here; to import it takes longer than the rest of a turn.
    from inspect import getattr_static

    return getattr_static(value, name, None)


def _call_end(body: Body, offset: int) -> tuple[int, int] | None:
    """Return where the call at an instruction ends in the source; None if it is no call."""
    operations = body.code.co_code
    start = offset
    while start > 0 and opname[operations[start]] == "CACHE":
        start -= 2
    name = opname[operations[start]]
    if not (name.startswith(("CALL", "PRECALL")) or name in ("SEND", "YIELD_VALUE")):
        return None
    _, line, _, column = body.positions[offset // 2]
    return None if line is None or column is None else (line, column)


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
        flow = flow_named(frame.flow, frame.version)
        live = flow.resume(frame.point).slots
        unbound = tuple(name for name in live if name not in frame.slots)
        code = flow.resume(frame.point, unbound).code
        spelled = {flow.image.local_name(name): cell for name, cell in frame.cells.items()}
        cells = tuple(spelled[name] for name in code.co_freevars)
        function = FunctionType(code, flow.globals, code.co_name, None, cells)
        values = [frame.slots[name] for name in live if name in frame.slots]
        going_on = partial(function, going_on, *values)
    return going_on


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename}:{line}"


def _foreign(frame: FrameType, line: int) -> CannotSuspend:
    name = frame.f_code.co_qualname
    return CannotSuspend(
        f"{name} ({_place(frame, line)}) stands between a flow and its suspend, and is a plain "
        "function whose frame cannot be stored (make it a flow with @deflow, or call the flow "
        "from a flow)"
    )


def _unmarked(entry: TracebackType, target: CodeType) -> CannotSuspend:
    remedy = "call it in a statement of its own, `reply = f(x)`, or write `call(f, x)`"
    if target.co_name.startswith("__"):
        remedy = "Python calls a special method by itself: give the flow a name, and call that"
    return CannotSuspend(
        f"{entry.tb_frame.f_code.co_qualname} ({_place(entry.tb_frame, entry.tb_lineno)}) reaches "
        f"the flow {target.co_qualname} from what is no resume point ({remedy})"
    )


def _indirect(entry: TracebackType, value: object, target: CodeType) -> CannotSuspend:
    through = getattr(value, "__qualname__", None) or type(value).__qualname__
    return CannotSuspend(
        f"{entry.tb_frame.f_code.co_qualname} ({_place(entry.tb_frame, entry.tb_lineno)}) reaches "
        f"the flow {target.co_qualname} through {through}, which cannot be suspended (call the "
        "flow itself, from a flow, or by `call(f, x)`)"
    )
