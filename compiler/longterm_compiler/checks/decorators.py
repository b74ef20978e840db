"""Refuse `@deflow` above a decorator that hands on something else than the author's function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import DECORATOR_ORDER

_WRAPPERS = frozenset(
    {
        "builtins.classmethod",
        "builtins.property",
        "builtins.staticmethod",
        "contextlib.asynccontextmanager",
        "contextlib.contextmanager",
        "functools.cache",
        "functools.cached_property",
        "functools.lru_cache",
        "functools.singledispatch",
        "functools.singledispatchmethod",
        "types.coroutine",
    }
)
"""Decorators of the standard library that do not return the function they are given."""


def check_decorators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such decorator between `@deflow` and the function."""
    decorators = flow.definition.node.decorator_list
    places = [i for i, each in enumerate(decorators) if flow.names.is_deflow(each)]
    for each in decorators[places[0] + 1 :] if places else []:
        called = each.func if isinstance(each, ast.Call) else each
        if flow.module_origin(called) in _WRAPPERS:
            name = ast.unparse(called)
            yield DECORATOR_ORDER.at(flow.path, Span.of(each), name=name)
