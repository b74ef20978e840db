"""Flows of a module that `longterm-compile --output` wrote: their code is the module's own.

Such a module holds the fresh bodies where the author's functions were, the resume bodies in a
function that nothing calls, and what must be known of them in a table at its end. So it needs
neither the compiler nor its own source. What is written in it stands in
`longterm_compiler.written`.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType
from typing import Any

from longterm._abi import ABI_VERSION, BODIES, FLOWS, WRITTEN
from longterm._abi.inner_code import InnerFunction, inner_places, nested_codes
from longterm._flows.compiled import FreshCode, ResumeCode
from longterm.errors import CompileError

_Place = tuple[int, int]


class WrittenFlow:
    """Loads one flow of a written module."""

    def __init__(self, namespace: dict[str, Any], code: CodeType) -> None:
        """Take a flow by its fresh body; the module may still be running."""
        self._namespace = namespace
        self._table = _Table(namespace, code)
        self.fresh = FreshCode(self._table)

    def resume(self, number: int, unbound: tuple[str, ...]) -> ResumeCode:
        """Return the resume body of a point; it takes all live names, without a value or with."""
        data = self._table["resumes"][number]
        name, bodies = self.fresh.code.co_name, self._namespace[BODIES].__code__
        code = next(
            inner
            for inner in nested_codes(bodies)
            if inner.co_firstlineno == data["line"] and inner.co_name == name
        )
        return ResumeCode.of(
            {
                "code": code,
                "slots": data["slots"],
                "cells": data["cells"],
                "next_calls": _offsets(code, data["next"]),
                "inner": inner_places(code, self._table["functions"]),
                "unbound": frozenset(data["unbound"]),
            }
        )

    @property
    def is_provisional(self) -> bool:
        """Whether it may turn out otherwise: what is written is not compiled again."""
        return False

    def renewed(self) -> WrittenFlow:
        """Return this loader."""
        return self

    def version_as(self, name: str) -> str:
        """Return the flow's version as it is: without its source no other can be told."""
        return self.fresh.version

    def inner(self, qualname: str) -> WrittenFlow | None:
        """Return the loader of a flow inside this one, whose definition has not run here."""
        inside = nested_codes(self.fresh.code)
        code = next((inner for inner in inside if inner.co_qualname == qualname), None)
        return None if code is None else WrittenFlow(self._namespace, code)


class _Table(dict[str, Any]):
    """What is known of a flow, read from its module's table when it is first needed.

    A flow is defined before the table, which stands at the end of the module.
    """

    def __init__(self, namespace: dict[str, Any], code: CodeType) -> None:
        super().__init__(code=code, is_written=True)
        self._namespace = namespace

    def __missing__(self, key: str) -> Any:
        self.update(self._read())
        self["inner"] = inner_places(self["code"], self["functions"])
        return self[key]

    def _read(self) -> dict[str, Any]:
        code: CodeType = self["code"]
        if FLOWS not in self._namespace:
            raise CompileError(
                f"the flow {code.co_qualname} is used while its module {code.co_filename} is still "
                "being imported, and that was written by longterm-compile: a flow of it can "
                "suspend when all of it is there (use the flow after the import)"
            )
        for flow in self._namespace[FLOWS]:
            if code.co_firstlineno in flow["lines"]:
                functions = [InnerFunction(*fields) for fields in flow["functions"]]
                return {**flow, "functions": functions}
        raise CompileError(
            f"{code.co_filename} does not describe its flow {code.co_qualname} at line "
            f"{code.co_firstlineno} (it was changed after longterm-compile wrote it: write it anew)"
        )


def written_flow(function: FunctionType) -> WrittenFlow:
    """Return the loader of a flow of a written module.

    Raises:
        CompileError: the module was written for another Python, or by another longterm.
    """
    code, namespace = function.__code__, function.__globals__
    abi, *python = namespace[WRITTEN]
    if abi != ABI_VERSION or python != [*sys.version_info[:2]]:
        needed, here = ".".join(map(str, python)), ".".join(map(str, sys.version_info[:2]))
        raise CompileError(
            f"{code.co_filename} was written for Python {needed} and version {abi} of longterm's "
            f"compiled code, but here are Python {here} and version {ABI_VERSION} (write it again "
            "with `longterm-compile --output`, under this Python)"
        )
    if all(column is None for *_, column in code.co_positions()):
        raise CompileError(
            f"the byte code of {code.co_filename} lacks columns, by which waiting calls are found "
            "(remove its file in __pycache__, and start Python without -X no_debug_ranges)"
        )
    return WrittenFlow(namespace, code)


def _offsets(code: CodeType, ends: list[_Place]) -> tuple[int, ...]:
    """Return the offsets of the instructions of the calls that end at some places."""
    places = enumerate(code.co_positions())
    return tuple(2 * number for number, (_, line, _, end) in places if (line, end) in ends)
