"""Refuse a lambda that captures the variable of a comprehension which suspends.

Such a comprehension is lowered to a loop of the flow, so its variable would be one for all the
times that the comprehension runs, while Python gives it a new one each time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.analysis.scope import comprehension_variables, free_names
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import CAPTURED_COMPREHENSION_VARIABLE
from longterm_compiler.syntax.tree import walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def check_comprehensions(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such lambda."""
    suspensions = flow.suspensions
    for node in suspensions.containing:
        if not isinstance(node, _COMPREHENSIONS) or not suspensions.rounds_may_suspend(node):
            continue
        variables = comprehension_variables(node)
        for part in walk(node):
            if isinstance(part, ast.Lambda):
                for name in sorted(free_names(part).intersection(variables)):
                    yield CAPTURED_COMPREHENSION_VARIABLE.at(flow.path, Span.of(part), name=name)
