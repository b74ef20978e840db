"""Refuse an asynchronous generator that suspends."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.analysis.scope import is_generator
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import SUSPEND_IN_ASYNC_GENERATOR


def check_generators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for the first call of an asynchronous generator that suspends."""
    node = flow.definition.node
    is_async = isinstance(node, ast.AsyncFunctionDef)
    if is_async and is_generator(node) and flow.suspensions.calls:
        waits = min(Span.of(call) for call in flow.suspensions.calls)
        yield SUSPEND_IN_ASYNC_GENERATOR.at(flow.path, waits, name=node.name)
