"""Refuse `@deflow` above a decorator that hands on something else than the author's function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import DECORATOR_ORDER

_BELOW = "put `@deflow` directly above the `def`, below `@{name}`"
_METHOD = "leave out `@{name}`, and call the method"
_MANAGER = (
    "leave out `@deflow`, and write a class with `__enter__` and `__exit__`; suspend in the `with`"
)
_ASYNC_MANAGER = (
    "leave out `@deflow`, and write a class with `__aenter__` and `__aexit__`; suspend in the "
    "`async with`"
)
_RESULTS = "leave out `@{name}`, and keep the results in a variable of the flow that calls it"
_DISPATCH = "leave out `@{name}`, and choose the flow by the type: `call(flows[type(x)], x)`"

_INSTEAD = {
    "builtins.classmethod": _BELOW,
    "builtins.property": _METHOD,
    "builtins.staticmethod": _BELOW,
    "contextlib.asynccontextmanager": _ASYNC_MANAGER,
    "contextlib.contextmanager": _MANAGER,
    "functools.cache": _RESULTS,
    "functools.cached_property": _METHOD,
    "functools.lru_cache": _RESULTS,
    "functools.singledispatch": _DISPATCH,
    "functools.singledispatchmethod": _DISPATCH,
    "types.coroutine": "leave out `@{name}`, and write `async def`",
}
"""Decorators of the standard library that do not return the function they are given.

Below `@staticmethod` and `@classmethod` a flow is what it was. What the others put around it cannot
be stored wherever they stand.
"""


def check_decorators(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each such decorator between `@deflow` and the function."""
    decorators = flow.definition.node.decorator_list
    flags = [flow.names.is_deflow(decorator) for decorator in decorators]
    below = decorators[flags.index(True) + 1 :] if any(flags) else []
    for decorator in below:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        instead = _INSTEAD.get(flow.module_origin(called) or "")
        if instead is not None:
            name = ast.unparse(called)
            words = instead.format(name=name)
            yield DECORATOR_ORDER.at(flow.path, Span.of(decorator), name=name, instead=words)
