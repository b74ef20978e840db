"""Refuse a generator that suspends."""

from __future__ import annotations

from collections.abc import Iterator

from longterm_compiler.analysis.scope import is_generator
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import GENERATOR_FLOW


def check_generators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for the first call of a generator that suspends."""
    node = flow.definition.node
    if is_generator(node) and flow.suspensions.calls:
        waits = min(Span.of(call) for call in flow.suspensions.calls)
        yield GENERATOR_FLOW.at(flow.path, waits, name=node.name)
