"""Refuse a generator that suspends, and one inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import GENERATOR_FLOW, INNER_GENERATOR_FLOW


def check_generators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for what keeps a generator from being a flow."""
    node = flow.definition.node
    yields = [n for n in flow.scope.nodes if isinstance(n, ast.Yield | ast.YieldFrom)]
    if not yields:
        return
    first = min(Span.of(node) for node in yields)
    if not all(isinstance(scope, ast.ClassDef) for scope in flow.definition.enclosing):
        yield INNER_GENERATOR_FLOW.at(flow.path, first, name=node.name)
    if flow.suspensions.calls:
        waits = min(Span.of(call) for call in flow.suspensions.calls)
        yield GENERATOR_FLOW.at(flow.path, waits, name=node.name)
