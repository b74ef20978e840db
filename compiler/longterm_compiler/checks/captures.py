"""Refuse a flow inside a plain function that binds that function's variables after a suspend.

Such a variable lives in a cell that belongs to a frame of this process only. What comes after a
suspend is judged by the text, and only where it is certain; the runtime finds the rest, and it
refuses a suspend after which such a variable is only read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import CAPTURE_FROM_PLAIN_FUNCTION
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.syntax.tree import children, walk

_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def check_captures(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such variable, at its first use after a suspend."""
    owners = _owners(flow)
    if not owners:
        return
    first: dict[str, tuple[Span, int]] = {}
    for call, path in _certain_suspends(flow):
        for node in (part for rest in _rest(call, path) for part in walk(rest)):
            if isinstance(node, ast.Name) and node.id in owners:
                use = Span.of(node), call.lineno
                first[node.id] = min(use, first.get(node.id, use))
    for name, (span, line) in first.items():
        yield CAPTURE_FROM_PLAIN_FUNCTION.at(
            flow.path,
            span,
            flow=flow.definition.node.name,
            name=name,
            line=line,
            outer=owners[name].name,
        )


def _owners(flow: CheckedFlow) -> dict[str, FunctionNode]:
    """Return the plain functions around the flow by those of their variables that it may bind."""
    free = flow.scope.declared_nonlocal
    owners: dict[str, FunctionNode] = {}
    for scope in flow.definition.enclosing:
        if not isinstance(scope, ast.ClassDef):
            for name in free & flow.names.scope_of(scope).local:
                owners[name] = scope
    return {name: owners[name] for name in sorted(owners) if not flow.names.is_flow(owners[name])}


def _certain_suspends(flow: CheckedFlow) -> Iterator[tuple[ast.Call, list[ast.AST]]]:
    """Yield each call that surely suspends, with the nodes it stands in, the outermost first."""
    containing = flow.suspensions.containing
    pending: list[tuple[ast.AST, list[ast.AST]]] = [
        (statement, []) for statement in flow.definition.node.body if statement in containing
    ]
    while pending:
        node, around = pending.pop()
        if isinstance(node, ast.Call) and flow.suspensions.surely_suspends(node):
            yield node, [flow.definition.node, *around]
        inside = [child for child in children(node) if child in containing]
        pending.extend((child, [*around, node]) for child in inside)


def _rest(call: ast.Call, path: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield what may run between a call's return and the end of its flow."""
    for outer, inner in pairwise(path):
        if isinstance(inner, ast.stmt):
            yield from _after(outer, inner)
    innermost = next(node for node in reversed(path) if isinstance(node, ast.stmt))
    between = path[path.index(innermost) :]
    if any(isinstance(node, ast.IfExp) for node in between):
        return  # what stands after the call may be the branch that is not taken
    if isinstance(innermost, ast.Assign):
        yield from innermost.targets
    elif isinstance(innermost, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
        yield innermost.target
    end = (call.end_lineno or 0, call.end_col_offset or 0)
    for node in walk(innermost):
        if isinstance(node, ast.Name) and (node.lineno, node.col_offset) >= end:
            yield node


def _after(outer: ast.AST, inner: ast.stmt) -> Iterator[ast.AST]:
    """Yield what follows a statement in the statement around it."""
    if isinstance(outer, _LOOPS) and inner in outer.body:
        yield from [*outer.body, *outer.orelse]
        return
    for field in ("body", "orelse", "finalbody"):
        block = getattr(outer, field, [])
        if isinstance(block, list) and inner in block:
            yield from block[block.index(inner) + 1 :]
    if isinstance(outer, ast.Try | ast.TryStar) and inner in outer.body:
        yield from [*outer.handlers, *outer.orelse]
    if isinstance(outer, ast.Try | ast.TryStar) and inner not in outer.finalbody:
        yield from outer.finalbody
