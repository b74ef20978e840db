"""The call sites of a body: an entry of a traceback in, its resume point out.

All that does not change from one suspension to the next is found once for each site.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from opcode import opname
from types import TracebackType
from typing import Final

from longterm._flows.flow import Body, body_of


@dataclass(slots=True, eq=False, repr=False)
class CallSite:
    """A call at which a frame of a body can wait."""

    body: Body
    point: int | None
    """The number of the resume point; None if it is none, so that nothing can wait here."""
    line: int
    callee: tuple[str, ...] | None
    """What is called there, as a dotted path in the frame's own spelling; None if the engine
    itself made it, so that nothing needs to be proven of what was entered."""
    slots: tuple[tuple[str, str], ...]
    """The live names, each with its spelling in the frame."""
    cells: tuple[str, ...]
    """The captured names whose cells are kept."""
    rest: str = ""
    """The digests of what is left to do there, and of what is under way."""
    flow: str = field(init=False)
    version: str = field(init=False)
    """Both as frames name them."""

    def __post_init__(self) -> None:
        """Note what each frame of the site says."""
        self.flow, self.version = self.body.flow.name, self.body.flow.version

    @property
    def rest_and_names(self) -> str:
        """The digests, and all the live names: for a frame in which some of them have no value."""
        return " ".join((self.rest, *(name for name, _ in self.slots)))


_WAITS: Final = frozenset({"JUMP_BACKWARD_NO_INTERRUPT", "SEND", "YIELD_VALUE", "RESUME"})
"""Where a frame stands that awaits or yields: from Python 3.13 on, a generator behind its `yield`
(`YIELD_VALUE` in CPython's `bytecodes.c`); in 3.11 it stands at the jump when what it delegates to
is thrown an exception (`_gen_throw` in `genobject.c`)."""
_AWAITING: Final = _WAITS | {"CACHE", "LOAD_CONST"}
"""What an `await` is made of, behind the instruction that gets what is awaited."""
_sites: dict[int, dict[int, CallSite]] = {}
"""The sites by the identity of their code, which lives as long as the process, and the offset."""


def call_site(entry: TracebackType) -> CallSite | None:
    """Return the call site at which an entry of a traceback stopped; None if it is of no flow."""
    code, offset = entry.tb_frame.f_code, entry.tb_lasti
    try:
        return _sites[id(code)][offset]
    except KeyError:
        body = body_of(code)
    if body is None:
        return None
    site = _call_site(body, offset, entry.tb_lineno)
    _sites.setdefault(id(code), {})[offset] = site
    return site


def _call_site(body: Body, offset: int, line: int) -> CallSite:
    flow, local_name = body.flow, body.flow.fresh.local_name
    number: int | None = None
    callee: tuple[str, ...] | None = ()
    start = _start_of_instruction(body, offset)
    if body.resume is not None and start in body.resume.next_calls:
        number, callee = body.point, None
    else:
        end = _call_end(body, start)
        point = None if end is None else flow.fresh.points.get(end)
        if point is not None:
            number, callee = point.number, tuple(map(local_name, point.callee))
    if number is None:
        return CallSite(body, None, line, callee, (), ())
    known = flow.fresh.by_number[number]
    if flow.fresh.is_written:
        line = known.line
    resume = flow.resume(number)
    slots = tuple((name, local_name(name)) for name in known.names or resume.slots)
    return CallSite(body, number, line, callee, slots, resume.cells, known.digests)


def _start_of_instruction(body: Body, offset: int) -> int:
    """Return where the instruction begins that a frame stopped in.

    Before Python 3.13 a frame that called another one stands at the last cache entry of its call
    (gh-96970; mended by gh-109094).
    """
    operations = body.code.co_code
    while offset > 0 and opname[operations[offset]] == "CACHE":
        offset -= 2
    return offset


def _is_async_for(operations: bytes, offset: int) -> bool:
    """Tell whether a frame that awaits does so for the next value of an `async for`.

    Where it is an `await`, `GET_AWAITABLE` stands before these instructions.
    """
    while opname[operations[offset]] in _AWAITING:
        offset -= 2
    return opname[operations[offset]] == "GET_ANEXT"


def _call_end(body: Body, offset: int) -> tuple[int, int] | None:
    """Return where the call at an instruction ends in the source; None if it is no call.

    Where a loop asks for the next value, it is where the instruction begins.
    """
    name = opname[body.code.co_code[offset]]
    is_loop = name == "FOR_ITER" or (name in _WAITS and _is_async_for(body.code.co_code, offset))
    if not (name.startswith(("CALL", "PRECALL")) or name in _WAITS or is_loop):
        return None
    first, line, start, column = next(islice(body.code.co_positions(), offset // 2, None))
    if is_loop:
        line, column = first, start
    return None if line is None or column is None else (line, column)
