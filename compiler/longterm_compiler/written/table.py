"""The table at the end of a written module: what `longterm._flows.written` reads.

The places in it are those of the written file, where the code has its positions; the lines of
points and slots are those of the author's.
"""

from __future__ import annotations

import ast
from typing import TypeAlias, TypeVar

from longterm._abi import NEXT, YIELD
from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.emit.closures import InnerNode, inner_function, inner_functions
from longterm_compiler.lower import ResumePoint
from longterm_compiler.pipeline import CompiledFlow
from longterm_compiler.resume.bound import surely_bound
from longterm_compiler.syntax.build import PointExpression, asked_at
from longterm_compiler.syntax.source import FunctionNode

_DEEPEST = 3  # the list of flows, a flow, its points or resumes
V = TypeVar("V")
Key: TypeAlias = tuple[type[ast.AST], int, int, int, int]
"""What a node is and where the author wrote it, which copies of it share."""
ResumePlans: TypeAlias = dict[tuple[CompiledFlow, ResumePoint], FunctionNode]
_Place: TypeAlias = tuple[int, int]
_Collected: TypeAlias = dict[CompiledFlow, list[V]]


class Table:
    """What the runtime must know of each flow, by what was planned and where it now stands."""

    def __init__(self, flows: list[CompiledFlow], resume_plans: ResumePlans) -> None:
        """Take the flows of a module, and the plans of their resume bodies."""
        self._flows = flows
        self._lines: _Collected[int] = {}
        self._ends: _Collected[tuple[int, _Place]] = {}
        self._next: dict[tuple[CompiledFlow, int], list[_Place]] = {}
        self._first: dict[tuple[CompiledFlow, int], int] = {}
        self._functions: _Collected[tuple[object, ...]] = {}
        self._inner: dict[Key, list[tuple[CompiledFlow, int]]] = {}
        for flow in flows:
            for number, node in enumerate(inner_functions(flow.definition)):
                self._inner.setdefault(key_of(node), []).append((flow, number))
        self._own = {key_of(flow.definition.node): flow for flow in flows}
        self._points = {point.end: (flow, point) for flow in flows for point in flow.points}
        self._loops = {
            id(point.statement): (flow, point)
            for flow, point in self._points.values()
            if isinstance(point.statement, ast.For | ast.AsyncFor)
        }
        self._resumes = {id(plan): key for key, plan in resume_plans.items()}

    def enter(self, planned: ast.AST, found: ast.AST) -> None:
        """Take a node of the plan, and the one that was read of the module's text."""
        if id(planned) in self._loops and isinstance(found, ast.For | ast.AsyncFor):
            flow, point = self._loops[id(planned)]
            self._ends.setdefault(flow, []).append((point.number, asked_at(found)))
        elif isinstance(planned, PointExpression) and isinstance(found, PointExpression):
            self._enter_call(planned, found)
        elif id(planned) in self._resumes:
            flow, point = self._resumes[id(planned)]
            self._first[flow, point.number] = _first_line(found)
        elif isinstance(planned, InnerNode) and isinstance(found, InnerNode):
            for flow, number in self._inner.get(key_of(planned), []):
                function = inner_function(number, found)
                function = function._replace(place=flow.inner_functions[number].place)
                self._functions.setdefault(flow, []).append(tuple(function))
            own = self._own.get(key_of(planned))
            if own is not None:
                self._lines.setdefault(own, []).append(_first_line(found))

    def _enter_call(self, planned: PointExpression, found: PointExpression) -> None:
        """Note where the call of a point stands, or the one that a resume goes on with.

        A `yield` is a point wherever it stands: a generator that is resumed is stored there again.
        """
        known = self._points.get((planned.end_lineno or 0, planned.end_col_offset or 0))
        path = dotted(planned.func) if isinstance(planned, ast.Call) else YIELD
        if known is None:
            return
        flow, point = known
        end = (found.end_lineno or 0, found.end_col_offset or 0)
        if path == (NEXT,):
            self._next.setdefault((flow, point.number), []).append(end)
        elif path == point.written:
            self._ends.setdefault(flow, []).append((point.number, end))

    def text(self) -> str:
        """Write the table as a program does."""
        return _lines([self._described(flow) for flow in self._flows])

    def _described(self, flow: CompiledFlow) -> dict[str, object]:
        ends = sorted(self._ends.get(flow, []))
        points = {point.number: flow.point_data(point) for point in flow.points}
        return {
            "name": flow.definition.qualname,
            "lines": tuple(sorted(self._lines.get(flow, []))),
            "version": flow.version,
            "class_name": flow.definition.class_name,
            "variables": tuple(sorted(flow.scope.local)),
            "shared": flow.shared,
            "free": flow.free,
            "nested_in_flows": flow.nested_in_flows,
            "functions": sorted(self._functions.get(flow, []), key=repr),
            "points": [(*points[n][:2], end, *points[n][3:]) for n, end in ends],
            "resumes": {point.number: self._resume(flow, point) for point in flow.points},
        }

    def _resume(self, flow: CompiledFlow, point: ResumePoint) -> dict[str, object]:
        resume = flow.resume(point.number)
        return {
            "line": self._first[flow, point.number],
            "slots": resume.slots,
            "unbound": maybe_unbound(flow, point),
            "cells": resume.cells,
            "next": self._next.get((flow, point.number), []),
        }


def maybe_unbound(flow: CompiledFlow, point: ResumePoint) -> list[str]:
    """Return the live names of a point that may have no value."""
    sure = surely_bound(flow.lowered, point, flow.scope)
    return [name for name in flow.resume(point.number).slots if name not in sure]


def key_of(node: ast.AST) -> Key:
    """Return what a node is and where the author wrote it."""
    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    end, end_column = getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)
    return (type(node), line, column, end, end_column)


def _lines(value: object, depth: int = 0) -> str:
    """Write the flows, and what there is of each, a line each; what is in these in one line."""
    if depth == _DEEPEST or not isinstance(value, dict | list) or not value:
        return _line(value)
    if isinstance(value, dict):
        inside = [f"{_line(key)}: {_lines(item, depth + 1)}" for key, item in value.items()]
    else:
        inside = [_lines(item, depth + 1) for item in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    space = "    " * depth
    return "".join([f"{start}\n", *(f"{space}    {text},\n" for text in inside), space, end])


def _line(value: object) -> str:
    match value:
        case dict():
            return f"{{{', '.join(f'{_line(k)}: {_line(v)}' for k, v in value.items())}}}"
        case list():
            return f"[{', '.join(map(_line, value))}]"
        case tuple():
            return f"({', '.join(map(_line, value))}{',' if len(value) == 1 else ''})"
        case str():
            return f'"{value}"'  # names only, in which nothing wants to be escaped
    return repr(value)


def _first_line(node: ast.AST) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = getattr(node, "lineno")  # noqa: B009 - only functions come here
    return min([line, *(decorator.lineno for decorator in decorators)])
