"""What the runtime is handed of a compiled flow: plain data, fit for `marshal`.

The same data comes fresh from the compiler or from the cache on disk; `longterm._flows.compiled`
reads it.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from opcode import opmap
from typing import Any, TypeAlias

from longterm._abi.inner_code import inner_places
from longterm_compiler.pipeline import CompiledFlow

Data: TypeAlias = dict[str, Any]
_LOADS = frozenset(opmap[name] for name in opmap if "LOAD_FAST" in name)
_PAIRS = frozenset(opmap[name] for name in opmap if name.count("_FAST") == 2)
"""Two instructions in one, from Python 3.13 on: each has half of the argument's bits.

See https://docs.python.org/3/library/dis.html#opcode-LOAD_FAST_LOAD_FAST; Python 3.14 has a second
kind, `LOAD_FAST_BORROW_LOAD_FAST_BORROW` (gh-130704).
"""
_CALLS = frozenset(opmap[name] for name in opmap if name.startswith(("CALL", "SEND")))
_SEND, _CACHE, _EXTENDED = opmap["SEND"], opmap["CACHE"], opmap["EXTENDED_ARG"]


def flow_data(flow: CompiledFlow) -> Data:
    """Return a flow's fresh body and its resume points."""
    return {
        "version": flow.version,
        "code": flow.code,
        "points": [flow.point_data(point) for point in flow.points],
        "variables": tuple(sorted(flow.scope.local)),
        "shared": flow.shared,
        "free": flow.free,
        "nested_in_flows": flow.nested_in_flows,
        "class_name": flow.definition.class_name,
        "is_written": False,
        "inner": inner_places(flow.code, flow.inner_functions),
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
        "inner": inner_places(code, flow.inner_functions),
    }


def next_calls(code: types.CodeType, *, is_awaited: bool) -> tuple[int, ...]:
    """Return the offsets that a traceback can show while a resume body is in `_lt_next()`.

    There is one such call in the text, but CPython compiles a `finally` once for each way into it.
    `_lt_next` is the first parameter, and so the local variable of number 0.
    """
    offsets: list[int] = []
    loaded = False
    before = 0
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
    for number, (opcode, argument) in enumerate(pairs):
        if opcode in _LOADS and before != _EXTENDED:
            halves = divmod(argument, 16) if opcode in _PAIRS else (argument,)
            loaded = loaded or 0 in halves
        elif loaded and opcode in _CALLS:
            offsets.append(2 * number)
            # An awaited call waits in the SEND that follows it. CPython 3.12 says instead that it
            # waits in the inline cache behind the SEND (gh-96970; mended in 3.13 by gh-109094).
            if opcode == _SEND and code.co_code[2 * number + 2] == _CACHE:
                offsets.append(2 * number + 2)
            loaded = is_awaited and opcode != _SEND
        before = opcode
    return tuple(offsets)
