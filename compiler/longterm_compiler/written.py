"""A module whose flows are compiled, as a file that runs: `longterm-compile --output` writes it.

It is the author's module with the fresh bodies in the place of the flows. Behind it come a function
that holds the resume bodies, and a table of what `longterm._flows.written` must know of them. The
module needs neither the compiler nor its own source to run.

The text is read again, and must mean what was planned: the author's module, changed only there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from operator import is_
from typing import TypeAlias, TypeVar

from longterm._abi import ABI_VERSION, BODIES, FLOWS, NEXT, RESERVED_PREFIX, WRITTEN
from longterm_compiler.analysis.callees import ModuleNames, dotted
from longterm_compiler.emit.closures import InnerNode, inner_function, inner_functions
from longterm_compiler.lower import ResumePoint
from longterm_compiler.pipeline import CompiledFlow, compile_flow
from longterm_compiler.resume.bound import surely_bound
from longterm_compiler.syntax.build import changed, load, runtime
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.syntax.tree import block_fields
from longterm_compiler.text import Bodies, FlowText, Mark, Scope, bodies_text, matched

_FUTURE_FLAGS = 0x1FF0000  # the bits of co_flags that `from __future__` imports set
_SCOPE = f"{RESERVED_PREFIX}scope"
_PURPOSE = "Hold what is left to do of each flow from its resume points; nothing calls this."
_ENCODING = re.compile(r"(^[ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")  # PEP 263
N = TypeVar("N", bound=ast.AST)
V = TypeVar("V")
_DEEPEST = 3  # the list of flows, a flow, its points or resumes
Place: TypeAlias = tuple[int, int]
Collected: TypeAlias = dict[CompiledFlow, list[V]]
_Key: TypeAlias = tuple[type[ast.AST], int, int, int, int]


def write_module(names: ModuleNames) -> str:
    """Return the text of a module whose flows are compiled.

    Raises:
        Refused: a flow of it cannot be compiled.
        NoLibcst: libcst is missing, or is too old.
    """
    source = names.source
    flags = compile(source.text, source.path, "exec", dont_inherit=True).co_flags & _FUTURE_FLAGS
    definitions = [each for each in source.definitions if names.is_flow(each.node)]
    flows = [compile_flow(each, names, flags) for each in definitions]
    with ExitStack() as rooms:
        for each in flows:
            rooms.enter_context(each.room_for_text())
        return _Module(names, flows).text()


@dataclass(frozen=True, eq=False)
class _Module:
    """Writes one module."""

    names: ModuleNames
    flows: list[CompiledFlow]

    def text(self) -> str:
        """Return the text of the module."""
        lines = self._fresh_lines()
        bodies = bodies_text(BODIES, _PURPOSE, [*self._bodies()])
        text = "\n".join(lines).rstrip("\n") + f"\n\n\n{bodies}"
        table = f"{FLOWS} = {_shown(_Table(self, text).flows())}"
        return f"{text}\n\n# What longterm must know of the flows above.\n{table}\n"

    def plan(self) -> list[ast.stmt]:
        """Return what the text must mean, its table aside."""
        body = self.names.source.tree.body
        before = sum(each.lineno <= self._lines_of_head for each in body)
        marker = ast.parse(self._marker[-2]).body
        inside: list[ast.stmt] = [*ast.parse(f'"""{_PURPOSE}"""').body]
        for flow in self._waiting:
            inside += _in_scopes(flow, [self.resume_plans[flow, each] for each in flow.points])
        holder = ast.parse(f"def {BODIES}(): pass").body[0]
        rest = [self._with_fresh(each) for each in body[before:]]
        return [*body[:before], *marker, *rest, changed(holder, body=inside)]

    def _fresh_lines(self) -> list[str]:
        """Return the author's lines with the fresh bodies in them, and with the marker."""
        lines = list(self.names.source.lines)
        lines[:2] = [_ENCODING.sub(r"\1utf-8", each) for each in lines[:2]]
        flows = {each.definition.node for each in self.flows}
        for flow in reversed(self.flows):
            if flows.isdisjoint(flow.definition.enclosing):
                text = self._text_of(flow)
                start = lines[flow.definition.first_line - 1]
                indent = start[: len(start) - len(start.lstrip())]
                plan = self._with_fresh_inside(flow.fresh_plan)
                lines[text.extent] = text.fresh(plan, indent).rstrip("\n").split("\n")
        number = self._lines_of_head
        return [*lines[:number], *self._marker, *lines[number:]]

    @cached_property
    def _lines_of_head(self) -> int:
        """The lines before the marker: comments, the docstring, imports from the future."""
        source, end = self.names.source, 0
        for number, each in enumerate(source.tree.body):
            if not (_is_from_future(each) or (number == 0 and _is_docstring(each))):
                break
            end = each.end_lineno or 0
        if end:
            return end
        return next(i for i, each in enumerate([*source.lines, ""]) if not each.startswith("#"))

    @cached_property
    def _marker(self) -> list[str]:
        python = ".".join(map(str, sys.version_info[:2]))
        about = f"# Written by longterm-compile from {self.names.source.path}, for Python {python}:"
        versions = (ABI_VERSION, *sys.version_info[:2])
        space = [""] if self._lines_of_head else []
        lines = [
            about,
            "# do not edit it, but change that and write it again.",
            f"{WRITTEN} = {versions}",
        ]
        return [*space, *lines, ""]

    def _text_of(self, flow: CompiledFlow) -> FlowText:
        # Flows inside the flow are written with it, and the marks of their points.
        return FlowText(self.names.source, flow.definition, self._marks)

    @cached_property
    def _marks(self) -> dict[ast.stmt, Mark]:
        return {statement: mark for flow in self.flows for statement, mark in flow.marks.items()}

    @cached_property
    def _waiting(self) -> list[CompiledFlow]:
        return [each for each in self.flows if each.points]

    def _bodies(self) -> Iterator[Bodies]:
        for flow in self._waiting:
            text = self._text_of(flow)
            functions = (
                text.resume_function(self.resume_plans[flow, each], flow.marks[each.statement])
                for each in flow.points
            )
            yield Bodies(tuple(_scopes(flow)), tuple(functions))

    @cached_property
    def resume_plans(self) -> dict[tuple[CompiledFlow, ResumePoint], FunctionNode]:
        """The resume bodies, which here take all live names, also those that have no value."""
        plans: dict[tuple[CompiledFlow, ResumePoint], FunctionNode] = {}
        for flow in self._waiting:
            for point in flow.points:
                plan = self._with_fresh_inside(flow.resume_plan(point.number))
                declared = sum(
                    isinstance(each, ast.Nonlocal | ast.Global) for each in plan.body[:2]
                )
                guards = [_unbind(each) for each in maybe_unbound(flow, point)]
                body = [*plan.body[:declared], *guards, *plan.body[declared:]]
                plans[flow, point] = changed(plan, body=body)
        return plans

    def _with_fresh_inside(self, plan: FunctionNode) -> FunctionNode:
        return changed(plan, body=[self._with_fresh(each) for each in plan.body])

    def _with_fresh(self, node: N) -> N:
        """Return a statement in which every flow has its fresh body."""
        flow = self._by_place.get(_place_of(node))
        blocks = {name: getattr(node, name) for name in block_fields(node)}
        if flow is not None:
            blocks["body"] = flow.fresh_body
        new = {name: [self._with_fresh(each) for each in block] for name, block in blocks.items()}
        is_same = flow is None and all(all(map(is_, new[n], each)) for n, each in blocks.items())
        return node if is_same else changed(node, **new)

    @cached_property
    def _by_place(self) -> dict[_Key, CompiledFlow]:
        return {_place_of(each.definition.node): each for each in self.flows}


class _Table:
    """What the runtime must know of the flows of a written module, and where it stands in it."""

    def __init__(self, module: _Module, text: str) -> None:
        """Read a text, and prove that it means what was planned."""
        self._module = module
        self._lines: Collected[int] = {}
        self._ends: Collected[tuple[int, Place]] = {}
        self._next: dict[tuple[CompiledFlow, int], list[Place]] = {}
        self._first: dict[tuple[CompiledFlow, int], int] = {}
        self._functions: Collected[tuple[object, ...]] = {}
        inner = [(flow, *each) for flow in module.flows for each in _inner(flow)]
        self._inner: dict[_Key, list[tuple[CompiledFlow, int]]] = {}
        for flow, number, node in inner:
            self._inner.setdefault(_place_of(node), []).append((flow, number))
        self._own = {_place_of(each.definition.node): each for each in module.flows}
        self._points = {each.end: (flow, each) for flow in module.flows for each in flow.points}
        self._resumes = {id(plan): key for key, plan in module.resume_plans.items()}
        for planned, found in matched(module.plan(), ast.parse(text).body, text):
            self._enter(planned, found)

    def flows(self) -> list[dict[str, object]]:
        """Return the description of each flow."""
        return [self._described(each) for each in self._module.flows]

    def _enter(self, planned: ast.AST, found: ast.AST) -> None:
        if isinstance(planned, ast.Call) and isinstance(found, ast.Call):
            self._enter_call(planned, found)
        elif id(planned) in self._resumes:
            flow, point = self._resumes[id(planned)]
            self._first[flow, point.number] = _first_line(found)
        elif isinstance(planned, InnerNode) and isinstance(found, InnerNode):
            for flow, number in self._inner.get(_place_of(planned), []):
                function = inner_function(number, found)
                self._functions.setdefault(flow, []).append(tuple(function))
            own = self._own.get(_place_of(planned))
            if own is not None:
                self._lines.setdefault(own, []).append(_first_line(found))

    def _enter_call(self, planned: ast.Call, found: ast.Call) -> None:
        """Note where the call of a point stands, or the one that a resume goes on with."""
        known = self._points.get((planned.end_lineno or 0, planned.end_col_offset or 0))
        path = dotted(planned.func)
        if known is None:
            return
        flow, point = known
        end = (found.end_lineno or 0, found.end_col_offset or 0)
        if path == (NEXT,):
            self._next.setdefault((flow, point.number), []).append(end)
        elif path == point.callee:
            self._ends.setdefault(flow, []).append((point.number, end))

    def _described(self, flow: CompiledFlow) -> dict[str, object]:
        ends = sorted(self._ends.get(flow, []))
        lines = {each.number: each for each in flow.points}
        return {
            "name": flow.definition.qualname,
            "lines": tuple(sorted(self._lines[flow])),
            "version": flow.version,
            "class_name": flow.definition.class_name,
            "shared": flow.shared,
            "free": flow.free,
            "nested_in_flows": flow.nested_in_flows,
            "functions": sorted(self._functions.get(flow, []), key=repr),
            "points": [(n, lines[n].line, end, lines[n].callee) for n, end in ends],
            "resumes": {each.number: self._resume(flow, each) for each in flow.points},
        }

    def _resume(self, flow: CompiledFlow, point: ResumePoint) -> dict[str, object]:
        resume = flow.resume(point.number)
        return {
            "line": self._first[flow, point.number],
            "slots": resume.slots,
            "unbound": maybe_unbound(flow, point),
            "cells": resume.cells,
            "next": self._next[flow, point.number],
        }


def maybe_unbound(flow: CompiledFlow, point: ResumePoint) -> list[str]:
    """Return the live names of a point that may have no value."""
    sure = surely_bound(flow.lowered, point, flow.scope)
    return [each for each in flow.resume(point.number).slots if each not in sure]


def _unbind(name: str) -> ast.stmt:
    """Return `if x is UNBOUND: del x`."""
    test = ast.Compare(load(name), [ast.Is()], [runtime("UNBOUND")])
    return ast.If(test, [ast.Delete([ast.Name(name, ast.Del())])], [])


def _scopes(flow: CompiledFlow) -> list[Scope]:
    """Return the scopes in which the resume bodies of a flow mean what they would at its place.

    In a scope of its own the outermost name is declared global: so it shadows nothing for the
    bodies, and their qualified names begin with it.
    """
    around = flow.definition.enclosing
    functions = [each for each in around if isinstance(each, FunctionNode)]
    binds = tuple(flow.local_name(each) for each in flow.shared if each != "__class__")
    scopes = [
        Scope(
            each.name,
            isinstance(each, ast.ClassDef),
            binds if functions and each is functions[-1] else (),
        )
        for each in around
    ]
    outermost = [*around, flow.definition.node][0].name
    return [Scope(_SCOPE, False, () if functions else binds, outermost), *scopes]


def _in_scopes(flow: CompiledFlow, inside: list[FunctionNode]) -> list[ast.stmt]:
    """Put functions into the scopes around a flow, as trees."""
    body: list[ast.stmt] = [*inside]
    for each in reversed(_scopes(flow)):
        if each.global_name is not None:
            body.insert(0, ast.Global([each.global_name]))
        head = (
            f"class {each.name}" if each.is_class else f"def {each.name}({', '.join(each.binds)})"
        )
        body = [changed(ast.parse(f"{head}: pass").body[0], body=body)]
    return body


def _inner(flow: CompiledFlow) -> list[tuple[int, InnerNode]]:
    return [*enumerate(inner_functions(flow.definition))]


def _shown(value: object, depth: int = 0) -> str:
    """Write data as a program: flows and their parts a line each, what is in these in one line."""
    if depth < _DEEPEST and isinstance(value, dict | list) and value:
        inner = "    " * (depth + 1)
        texts = [
            _shown(each, depth + 1)
            for each in (value.values() if isinstance(value, dict) else value)
        ]
        keys = (
            [f"{_shown(each)}: " for each in value]
            if isinstance(value, dict)
            else [""] * len(texts)
        )
        lines = "".join(f"{inner}{key}{text},\n" for key, text in zip(keys, texts, strict=True))
        start, end = "{}" if isinstance(value, dict) else "[]"
        return f"{start}\n{lines}{'    ' * depth}{end}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_shown(k)}: {_shown(v, depth)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_shown(each, depth) for each in value)}]"
    if isinstance(value, tuple):
        end = "," if len(value) == 1 else ""
        return f"({', '.join(_shown(each, depth) for each in value)}{end})"
    # Text is names only: nothing in it wants escaping.
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _is_from_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _place_of(node: ast.AST) -> _Key:
    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    end, end_column = getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)
    return (type(node), line, column, end, end_column)


def _first_line(node: ast.AST) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = getattr(node, "lineno")  # noqa: B009 - only functions come here
    return min([line, *(each.lineno for each in decorators)])
