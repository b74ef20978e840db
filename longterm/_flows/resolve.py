"""Judge what an imported name stands for, by the modules that are loaded now.

The same question that the command line asks of source files; the answers are the compiler's
verdicts by their values, so that asking does not import the compiler.
"""

from __future__ import annotations

import sys
import types
from functools import partial
from typing import Final

WAITS: Final = "waits"
SUSPENDS: Final = "suspends"
MAY: Final = "may suspend"
UNKNOWN: Final = "unknown"
NEVER: Final = "never suspends"

_NATIVE: Final = (
    type,
    types.ModuleType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
)

flow_codes: dict[int, str] = {}
"""What calling a code object does, by its identity: it waits, or it suspends as flows do. Kept by
`longterm._flows.flow`."""


def judge(module: str, path: tuple[str, ...]) -> str:
    """Return how sure it is that calling `path` in a module suspends."""
    value: object = sys.modules.get(module)
    for name in path:
        if isinstance(value, types.ModuleType):
            value = vars(value).get(name)
        elif isinstance(value, type):
            value = next((vars(base)[name] for base in value.__mro__ if name in vars(base)), None)
        else:
            return MAY if value is None else UNKNOWN
    if value is None:
        return MAY
    function = function_behind(value)
    if function is not None:
        return flow_codes.get(id(function.__code__), NEVER)
    return NEVER if isinstance(value, _NATIVE) else MAY


def is_half_loaded(module: str) -> bool:
    """Tell whether a module is being imported at this moment."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def function_behind(value: object) -> types.FunctionType | None:
    """Return the plain function that calling a value calls first, with nothing in between."""
    while not isinstance(value, types.FunctionType):
        if isinstance(value, types.MethodType | staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, partial):
            value = value.func
        elif isinstance(value, type):
            return None
        else:
            method = _call_method(type(value))
            return method if isinstance(method, types.FunctionType) else None
    return value


def _call_method(kind: type) -> object:
    return next((vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base)), None)
