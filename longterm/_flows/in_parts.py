"""A deep stack goes on part by part: an outer call is entered when what it called has ended.

In most turns only the innermost calls move. So a turn enters a few of them, and leaves the frames
of the calls around them as they were stored. When a part returns or raises, the next frames
outwards are entered with that.

    stored      [order, basket, item, price]        where `price` waits
    entered                   item_2(price_1(event))
    item ends         basket_1(result)              and so on, outwards

A frame is left alone only where the code of flows cannot tell: no `try` or `with` is left to do in
its call, so that no exception is being handled there and none is caught; and it would be stored
again just as it is, since today's code is the very code that has stored it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType
from typing import Any, Final, NoReturn

from longterm._abi import GENERATOR, STEPS
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named
from longterm._flows.rt import Suspend, raised_after
from longterm.errors import UnknownFlow
from longterm.frame import Frame

ENTERED = 8
"""How many frames are entered at once. Tests compare it with 1, and with all."""

_MAKES: Final = 0x20 | 0x80 | 0x200
"""The flags of code whose call makes a generator, a coroutine or an asynchronous generator."""
_CONTEXT: Final = vars(BaseException)["__context__"]
_TRACEBACK: Final = vars(BaseException)["__traceback__"]


def flows_left(frames: list[Frame]) -> list[Flow]:
    """Return the flows of the outermost frames of a stack that need not be entered yet."""
    flows: list[Flow] = []
    before, flow = None, None
    names: tuple[str, ...] = ()
    for frame in frames[:-ENTERED]:
        head = (frame.flow, frame.version, frame.point, frame.line, frame.rest)
        if head != before:
            before, flow = head, _flow_if_left(frame)
            names = () if flow is None else _names_at(flow, frame.point)
        held = tuple(frame.slots)
        if not flows and held[-1:] == (STEPS,):
            held = held[:-1]  # the outermost frame has it beside its slots
        if flow is None or held != names or frame.cells:
            break
        flows.append(flow)
    # What asks a generator is entered with it.
    while flows and GENERATOR in frames[len(flows)].slots:
        flows.pop()
    return flows


def _flow_if_left(frame: Frame) -> Flow | None:
    """Return the flow of a frame, if that can be left alone as far as its slots are right."""
    try:
        flow = flow_named(frame.flow)
    except UnknownFlow:
        return None
    point = flow.fresh.by_number.get(frame.point)
    is_as_stored = point is not None and (
        (flow.name, flow.version, point.line, point.digests)
        == (frame.flow, frame.version, frame.line, frame.rest)
    )
    return flow if is_as_stored and _lets_pass(flow.resume(frame.point).code) else None


def _lets_pass(code: CodeType) -> bool:
    """Tell whether all passes a call of code: nothing in it catches, and it is a plain call."""
    return not (code.co_exceptiontable or code.co_freevars or code.co_flags & _MAKES)


def _names_at(flow: Flow, point: int) -> tuple[str, ...]:
    """Return the slots of a frame at a point, in their order."""
    return flow.fresh.by_number[point].names or tuple(flow.resume(point).slots)


class InParts:
    """Goes on with a stack, the innermost part first, and returns what its outermost call does."""

    __slots__ = ("_flows", "_part", "outer")

    def __init__(self, part: Callable[[], Any], outer: list[Frame], flows: list[Flow]) -> None:
        """Take what goes on with the innermost part, and the frames around it with their flows."""
        self._part = part
        self.outer = outer
        self._flows = flows

    def __call__(self) -> Any:
        """Run one part after the other. A suspension passes: it would pass the outer calls too."""
        while True:
            try:
                value = self._part()
            except Suspend:
                raise
            except BaseException as error:
                if not self.outer:
                    raise
                # Without the entry of this call: the next part stands around the traceback.
                _TRACEBACK.__set__(error, _TRACEBACK.__get__(error).tb_next)
                inner: Callable[[], Any] = partial(_raise, [error])
            else:
                if not self.outer:
                    return value
                inner = [value].pop
                del value  # as in Python, nobody holds it but who was given it
            self._part = self._next_part(inner)
            del inner

    def _next_part(self, inner: Callable[[], Any]) -> Callable[[], Any]:
        """Return what goes on with the next frames outwards, as `continuation.rebuild` makes it."""
        for _ in range(min(ENTERED, len(self.outer))):
            frame, flow = self.outer.pop(), self._flows.pop()
            resume = flow.resume(frame.point)
            values = [frame.slots[name] for name in resume.slots]
            inner = FunctionType(resume.code, flow.globals, None, (inner, *values))
        return inner


def _raise(held: list[BaseException]) -> NoReturn:
    """Raise an exception that has come out of a call made here, with its context and traceback."""
    # By their slots, since an author's class may freeze its exceptions.
    error = held.pop()
    context, traceback = _CONTEXT.__get__(error), _TRACEBACK.__get__(error)
    later = raised_after(error)
    try:
        raise error
    finally:
        _CONTEXT.__set__(error, context)
        _TRACEBACK.__set__(error, traceback)
        if later is not None:
            _CONTEXT.__set__(later, error)


def leave_out(error: BaseException) -> None:
    """Take out of a traceback that a stack went on in parts: its second entry says that."""
    first = _TRACEBACK.__get__(error)
    if first is not None and first.tb_next is not None:
        first.tb_next = first.tb_next.tb_next
