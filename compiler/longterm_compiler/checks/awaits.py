"""Refuse what is awaited wrongly: a used `suspend`, and a step that nothing can await.

`await suspend(…)` is the resume point itself, and `await (suspend(…) if c else ask())` awaits the
other branch only. But in `await (suspend(…) or ask())` the `or` asks the event's value for its
truth, where an awaitable would be true.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm._abi.verdict import Verdict
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import AWAIT_OF_USED_SUSPEND, STEP_WITHOUT_AWAIT


def check_awaits(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such `suspend`, and each such step."""
    if isinstance(flow.definition.node, ast.FunctionDef):
        for step, verdict in flow.suspensions.calls.items():
            if verdict is Verdict.ASYNC_STEP:
                names = {"name": ast.unparse(step.func), "flow": flow.definition.node.name}
                yield STEP_WITHOUT_AWAIT.at(flow.path, Span.of(step), **names)
    for node in flow.suspensions.containing:
        if isinstance(node, ast.Await):
            for value in _used(node.value):
                call: ast.AST = value
                if isinstance(call, ast.Call) and _waits(flow, call):
                    name = ast.unparse(call.func)
                    yield AWAIT_OF_USED_SUSPEND.at(flow.path, Span.of(call), name=name)


def _waits(flow: CheckedFlow, call: ast.Call) -> bool:
    return flow.suspensions.calls.get(call) is Verdict.WAITS


def _used(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the values that an expression may have, and that it tests or binds on the way."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield from _used(body)
            yield from _used(orelse)
        case ast.BoolOp(values=[*tested, last]):
            for operand in tested:
                yield from _values(operand)
            yield from _used(last)
        case ast.NamedExpr(value=value):
            yield from _values(value)


def _values(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions whose value an expression may have."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield from _values(body)
            yield from _values(orelse)
        case ast.BoolOp(values=operands):
            for operand in operands:
                yield from _values(operand)
        case ast.NamedExpr(value=value):
            yield from _values(value)
        case _:
            yield node
