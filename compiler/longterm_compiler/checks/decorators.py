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
    flags = [flow.names.is_deflow(decorator) for decorator in decorators]
    below = decorators[flags.index(True) + 1 :] if any(flags) else []
    for decorator in below:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if flow.module_origin(called) in _WRAPPERS:
            name = ast.unparse(called)
            yield DECORATOR_ORDER.at(flow.path, Span.of(decorator), name=name)
