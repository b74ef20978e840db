"""Refuse calls that look at a frame or at all its variables: what is compiled has others."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import FRAME_ACCESS, IMPLICIT_SCOPE

_NAME_THEM = 'name the variables that you need: `{{"x": x, "y": y}}`'
_GIVE_SCOPE = 'give it the variables it may use: `{name}(..., {{"x": x}})`'
_IMPLICIT = {
    "builtins.locals": (0, _NAME_THEM),
    "builtins.vars": (0, _NAME_THEM),
    "builtins.dir": (0, _NAME_THEM),
    "builtins.eval": (1, _GIVE_SCOPE),
    "builtins.exec": (1, _GIVE_SCOPE),
}
"""Functions that use the caller's variables when they get no more arguments than this."""
_FRAMES = frozenset({"sys._getframe", "inspect.currentframe", "inspect.stack"})


def check_introspection(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such call in the flow's own body."""
    for node in flow.scope.nodes:
        if not isinstance(node, ast.Call):
            continue
        origin = flow.origin(node.func)
        if origin is None:
            continue
        if origin in _FRAMES:
            yield FRAME_ACCESS.at(flow.path, Span.of(node), name=origin)
        elif origin in _IMPLICIT:
            limit, help_ = _IMPLICIT[origin]
            if len(node.args) + len(node.keywords) <= limit and not _is_open(node):
                name = origin.removeprefix("builtins.")
                words = f"{name}()" if limit == 0 else name
                help_ = help_.format(name=name)
                yield IMPLICIT_SCOPE.at(flow.path, Span.of(node), name=words, instead=help_)


def _is_open(node: ast.Call) -> bool:
    """Tell whether a call's `*args` or `**kwargs` may hold more arguments than can be seen."""
    return any(isinstance(e, ast.Starred) for e in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    )
