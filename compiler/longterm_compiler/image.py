"""What the runtime is handed of a compiled flow: plain data, fit for `marshal`.

The same data comes fresh from the compiler or from the cache on disk. `longterm.image` reads it.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Iterable
from typing import Any, TypeAlias

from longterm._abi import NEXT
from longterm_compiler.inner import inner_places
from longterm_compiler.pipeline import CompiledFlow

Data: TypeAlias = dict[str, Any]


def flow_data(flow: CompiledFlow) -> Data:
    """Return a flow's fresh body and its resume points."""
    return {
        "version": flow.version,
        "code": flow.code,
        "points": [(each.number, each.line, each.end, each.callee) for each in flow.points],
        "shared": flow.shared,
        "free": flow.free,
        "nested_in_flows": flow.nested_in_flows,
        "class_name": flow.definition.class_name,
        "inner": inner_places(flow.definition, flow.code),
    }


def resume_data(flow: CompiledFlow, number: int, unbound: Iterable[str] = ()) -> Data:
    """Return the resume body of a point, for a frame in which some live names are unbound."""
    resume = flow.resume(number)
    code = flow.resume_code(number, unbound)
    return {
        "code": code,
        "slots": resume.slots,
        "cells": resume.cells,
        "next_calls": next_calls(code, is_awaited=flow.is_awaited(number)),
        "inner": inner_places(flow.definition, code),
    }


def next_calls(code: types.CodeType, *, is_awaited: bool) -> tuple[int, ...]:
    """Return the offsets that a traceback can show while a resume body is in `_lt_next()`.

    There is one such call in the text, but CPython compiles a `finally` once for each way into it.
    """
    offsets: list[int] = []
    loaded = False
    for each in dis.get_instructions(code):
        # 3.13 joins a load with its neighbour in one instruction that has two arguments.
        names = each.argval if isinstance(each.argval, tuple) else (each.argval,)
        if "LOAD_FAST" in each.opname and NEXT in names:
            loaded = True
        elif loaded and each.opname.startswith(("CALL", "SEND")):
            offsets.append(each.offset)
            # An awaited call waits in the SEND that follows it.
            loaded = is_awaited and each.opname != "SEND"
    return tuple(offsets)
