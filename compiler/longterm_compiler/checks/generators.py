"""Refuse a flow that is a generator."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import ASYNC_GENERATOR_FLOW, GENERATOR_FLOW


def check_generators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for the first `yield` of the flow's own body."""
    node = flow.definition.node
    yields = [n for n in flow.scope.nodes if isinstance(n, ast.Yield | ast.YieldFrom)]
    if yields:
        rule = ASYNC_GENERATOR_FLOW if isinstance(node, ast.AsyncFunctionDef) else GENERATOR_FLOW
        first = min(Span.of(node) for node in yields)
        yield rule.at(flow.path, first, name=node.name)
