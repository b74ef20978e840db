"""Who has asked a generator for a value, where the generator waits inside itself.

The traceback has the flow that asks, the method of the generator's object, and the frame of the
generator. All three are needed again: the first asks anew, the second tells which object is to go
on, and the third is what goes on.

    survey          for answer in _lt_iter1         its frame
    __next__        self                            the object that `_lt_iter1` is
    answers         _lt_value1 = suspend(question)  its frame, and the object beside its slots

An asynchronous generator is awaited, and Python's own awaitables leave no entry. There the point of
the flow that asks says which object it is.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, Final

from longterm._abi import ASKED, GENERATOR, NEXT
from longterm._flows import primitives as ops
from longterm._flows.async_generator import ASKING, IS_ASYNC_GENERATOR, AsyncFlowGenerator
from longterm._flows.call_sites import call_site
from longterm._flows.flow import body_of
from longterm._flows.generator import CLOSING, ENTERING, FlowGenerator
from longterm._flows.generator_functions import IS_GENERATOR
from longterm._flows.resolve import value_at
from longterm._flows.rt import waiting
from longterm.errors import CorruptData
from longterm.frame import Frame

_WAITING: Final = waiting.__next__.__code__
BETWEEN: Final = ENTERING | {id(_WAITING)}
"""The code of longterm's own that stands between a flow and its generator, by its identity."""
_CALL: Final = ops.call.__code__
_FLAGS: Final[dict[type, int]] = {
    FlowGenerator: IS_GENERATOR,
    AsyncFlowGenerator: IS_ASYNC_GENERATOR,
}
"""The generators of flows, each with the flag of the code that makes it."""


def is_awaited(code: CodeType) -> bool:
    """Tell whether code is that of an asynchronous generator of a flow."""
    return code.co_flags & IS_ASYNC_GENERATOR != 0 and body_of(code) is not None


def below_waiting(below: TracebackType) -> TracebackType:
    """Return the entry below a flow; of a `yield from` that was entered again, what is asked."""
    if below.tb_frame.f_code is _WAITING and below.tb_next is not None:
        return below.tb_next
    return below


def is_asked_by(
    callee: tuple[str, ...], values: dict[str, Any], entry: TracebackType, below: TracebackType
) -> bool:
    """Tell whether a point asks for a value the very generator that was entered below it.

    Args:
        callee: what the point calls: `_lt_iter1.__next__` of a loop, `call` of `call(next, g)`.
        values: the local variables of the frame.
        entry: that of the point.
        below: that of what it has entered.
    """
    if is_awaited(below.tb_frame.f_code):
        return _awaited_by(callee, values, entry, below) is not None
    asked = asked_in(below)
    if asked is not None:
        return callee[-1] == ASKED and value_at(callee[:-1], entry.tb_frame, values) is asked
    if below.tb_frame.f_code is not _CALL or below.tb_next is None:
        return False
    given, inner = below.tb_frame.f_locals, below.tb_next
    if value_at(callee, entry.tb_frame, values) is not ops.call or given["kwargs"]:
        return False
    is_next = given["function"] is builtins.next and len(given["args"]) == 1
    return is_next and given["args"][0] is asked_in(inner)


def asked_in(entry: TracebackType) -> FlowGenerator | None:
    """Return the generator that an entry enters; None if it enters none."""
    frame = entry.tb_frame
    found = frame.f_locals["self"] if id(frame.f_code) in ENTERING else None
    return found if type(found) is FlowGenerator else None


def _awaited_by(
    callee: tuple[str, ...], values: dict[str, Any], entry: TracebackType, below: TracebackType
) -> AsyncFlowGenerator | None:
    """Return the asynchronous generator that a point awaits, if it is what was entered below."""
    if callee[-1] not in ASKING:
        return None
    found = value_at(callee[:-1], entry.tb_frame, values)
    if type(found) is not AsyncFlowGenerator or not found.has_left(below.tb_frame.f_code):
        return None
    return found


def _awaited_at(entry: TracebackType, below: TracebackType) -> AsyncFlowGenerator | None:
    """Return the asynchronous generator below the entry of a flow that waits at a point."""
    site, values = call_site(entry), entry.tb_frame.f_locals
    assert site is not None
    if site.callee is not None:
        return _awaited_by(site.callee, values, entry, below)
    found: AsyncFlowGenerator = values[NEXT].__self__  # as `put_back` has returned it
    return found


def as_inside(frame: Frame, entering: TracebackType, entry: TracebackType) -> Frame:
    """Return the frame of a generator with the generator beside its slots, which now waits.

    Args:
        frame: that of the generator.
        entering: the entry by which the generator was entered.
        entry: that of the generator.
    """
    generator: FlowGenerator | AsyncFlowGenerator | None
    if is_awaited(entry.tb_frame.f_code):
        generator = _awaited_at(entering, entry)
    else:
        generator = asked_in(entering)
    assert generator is not None
    generator.wait_inside(closes=entering.tb_frame.f_code is CLOSING)
    frame.slots[GENERATOR] = generator
    return frame


def put_back(frame: Frame, make: Any) -> Callable[[], Any]:
    """Give a generator back what goes on with its frame; return what asks it to go on.

    Raises:
        CorruptData: the frame is of no generator that waits inside itself.
    """
    generator: Any = frame.slots[GENERATOR]
    flag = _FLAGS.get(type(generator))
    if flag is None or not make.__code__.co_flags & flag:
        raise CorruptData(f"the stored bytes name a generator for {frame.flow}, which is none")
    made: Callable[[], Any] = generator.put_back(make)
    return made
