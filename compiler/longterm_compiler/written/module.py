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
from typing import TypeVar

from longterm._abi import ABI_VERSION, BODIES, FLOWS, WRITTEN
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.pipeline import CompiledFlow, compile_flow
from longterm_compiler.syntax.build import changed, load, runtime
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.syntax.tree import block_fields
from longterm_compiler.text import Bodies, FlowText, Mark, bodies_text, matched
from longterm_compiler.written.scopes import in_scopes, scopes_of
from longterm_compiler.written.table import Key, ResumePlans, Table, key_of, maybe_unbound

_FUTURE_FLAGS = 0x1FF0000  # the bits of co_flags that `from __future__` imports set
_PURPOSE = "Hold what is left to do of each flow from its resume points; nothing calls this."
_ENCODING = re.compile(r"(^[ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")  # PEP 263
N = TypeVar("N", bound=ast.AST)


def write_module(names: ModuleNames) -> str:
    """Return the text of a module whose flows are compiled.

    Raises:
        Refused: a flow of it cannot be compiled.
        NoLibcst: libcst is missing, or is too old.
    """
    source = names.source
    flags = compile(source.text, source.path, "exec", dont_inherit=True).co_flags & _FUTURE_FLAGS
    flows = [compile_flow(definition, names, flags) for definition in names.flows()]
    with ExitStack() as rooms:
        for flow in flows:
            rooms.enter_context(flow.room_for_text())
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
        table = Table(self.flows, self.resume_plans)
        for planned, found in matched(self.plan(), ast.parse(text).body, text):
            table.enter(planned, found)
        about = "# What longterm must know of the flows above."
        return f"{text}\n\n{about}\n{FLOWS} = {table.text()}\n"

    def plan(self) -> list[ast.stmt]:
        """Return what the text must mean, its table aside."""
        body = self.names.source.tree.body
        before = sum(statement.lineno <= self._lines_of_head for statement in body)
        marker = ast.parse(self._marker[-2]).body
        inside: list[ast.stmt] = [*ast.parse(f'"""{_PURPOSE}"""').body]
        for flow in self._waiting:
            inside += in_scopes(flow, [self.resume_plans[flow, point] for point in flow.points])
        holder = ast.parse(f"def {BODIES}(): pass").body[0]
        rest = [self._with_fresh(statement) for statement in body[before:]]
        return [*body[:before], *marker, *rest, changed(holder, body=inside)]

    def _fresh_lines(self) -> list[str]:
        """Return the author's lines with the fresh bodies in them, and with the marker."""
        lines = list(self.names.source.lines)
        lines[:2] = [_ENCODING.sub(r"\1utf-8", line) for line in lines[:2]]
        flows = {flow.definition.node for flow in self.flows}
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
        for number, statement in enumerate(source.tree.body):
            if not (_is_from_future(statement) or (number == 0 and _is_docstring(statement))):
                break
            end = statement.end_lineno or 0
        if end:
            return end
        return next(i for i, line in enumerate([*source.lines, ""]) if not line.startswith("#"))

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
        return [flow for flow in self.flows if flow.points]

    def _bodies(self) -> Iterator[Bodies]:
        for flow in self._waiting:
            text = self._text_of(flow)
            functions = (
                text.resume_function(self.resume_plans[flow, point], flow.marks[point.statement])
                for point in flow.points
            )
            yield Bodies(tuple(scopes_of(flow)), tuple(functions))

    @cached_property
    def resume_plans(self) -> ResumePlans:
        """The resume bodies, which here take all live names, also those that have no value."""
        plans: ResumePlans = {}
        for flow in self._waiting:
            for point in flow.points:
                plan = self._with_fresh_inside(flow.resume_plan(point.number))
                declared = sum(
                    isinstance(statement, ast.Nonlocal | ast.Global) for statement in plan.body[:2]
                )
                guards = [_unbind(name) for name in maybe_unbound(flow, point)]
                body = [*plan.body[:declared], *guards, *plan.body[declared:]]
                plans[flow, point] = changed(plan, body=body)
        return plans

    def _with_fresh_inside(self, plan: FunctionNode) -> FunctionNode:
        return changed(plan, body=[self._with_fresh(statement) for statement in plan.body])

    def _with_fresh(self, node: N) -> N:
        """Return a statement in which every flow has its fresh body."""
        flow = self._by_place.get(key_of(node))
        blocks = {name: getattr(node, name) for name in block_fields(node)}
        if flow is not None:
            blocks["body"] = flow.fresh_body
        new = {
            name: [self._with_fresh(statement) for statement in block]
            for name, block in blocks.items()
        }
        is_same = flow is None and all(all(map(is_, new[n], old)) for n, old in blocks.items())
        return node if is_same else changed(node, **new)

    @cached_property
    def _by_place(self) -> dict[Key, CompiledFlow]:
        return {key_of(flow.definition.node): flow for flow in self.flows}


def _unbind(name: str) -> ast.stmt:
    """Return `if x is UNBOUND: del x`."""
    test = ast.Compare(load(name), [ast.Is()], [runtime("UNBOUND")])
    return ast.If(test, [ast.Delete([ast.Name(name, ast.Del())])], [])


def _is_from_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
