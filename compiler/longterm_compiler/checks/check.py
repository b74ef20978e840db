"""The check pass: a flow and its suspends in, everything that keeps it from being compiled out.

It runs before lowering, which takes for granted that nothing refused here is left. The flows inside
a flow are checked with it, so that no mistake waits until an inner one is first run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.points import Suspensions, find_suspensions
from longterm_compiler.analysis.scope import Scope
from longterm_compiler.checks.awaits import check_awaits
from longterm_compiler.checks.captures import check_captures
from longterm_compiler.checks.comprehensions import check_comprehensions
from longterm_compiler.checks.contexts import check_contexts
from longterm_compiler.checks.decorators import check_decorators
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.checks.introspection import check_introspection
from longterm_compiler.checks.reserved import check_reserved
from longterm_compiler.diagnostics import Diagnostic, sort_diagnostics
from longterm_compiler.syntax.source import Definition

_CHECKS = (
    check_decorators,
    check_contexts,
    check_captures,
    check_awaits,
    check_comprehensions,
    check_introspection,
    check_reserved,
)


def check_flow(
    definition: Definition, names: ModuleNames, scope: Scope, suspensions: Suspensions
) -> tuple[Diagnostic, ...]:
    """Return the problems of a flow and of the flows inside it, in the order of the text."""
    flows = [CheckedFlow(definition, names, scope, suspensions), *_inner_flows(definition, names)]
    return sort_diagnostics(found for flow in flows for check in _CHECKS for found in check(flow))


def _inner_flows(definition: Definition, names: ModuleNames) -> Iterator[CheckedFlow]:
    inside = names.scope_of(definition.node).nodes
    if not any(
        isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for n in inside
    ):
        return
    for inner in names.source.definitions:
        if definition.node in inner.enclosing and names.is_flow(inner.node):
            scope = names.scope_of(inner.node)
            suspensions = find_suspensions(inner.node, Callees(names, inner, scope))
            yield CheckedFlow(inner, names, scope, suspensions)
