"""Refuse a lambda that captures the variable of a comprehension which suspends.

Such a comprehension is lowered to a loop of the flow, so its variable would be one for all the
times that the comprehension runs, while Python gives it a new one each time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import CAPTURED_COMPREHENSION_VARIABLE
from longterm_compiler.scope import Comprehension, free_names

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


def check_comprehensions(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such lambda."""
    containing = flow.suspensions.containing
    for node in containing:
        if not isinstance(node, _COMPREHENSIONS) or not _suspends_inside(node, containing):
            continue
        targets = _targets(node)
        for each in ast.walk(node):
            if isinstance(each, ast.Lambda):
                for name in sorted(free_names(each) & targets):
                    yield CAPTURED_COMPREHENSION_VARIABLE.at(flow.path, Span.of(each), name=name)


def _suspends_inside(node: Comprehension, containing: set[ast.AST]) -> bool:
    """Tell whether anything but the first iterable suspends: that one is evaluated outside."""
    first = node.generators[0].iter
    return any(
        each in containing
        for part in ast.iter_child_nodes(node)
        for each in ([part] if not isinstance(part, ast.comprehension) else _parts(part))
        if each is not first
    )


def _parts(generator: ast.comprehension) -> list[ast.expr]:
    return [generator.target, generator.iter, *generator.ifs]


def _targets(node: Comprehension) -> set[str]:
    return {
        each.id
        for generator in node.generators
        for each in ast.walk(generator.target)
        if isinstance(each, ast.Name)
    }
