"""Resolve an imported name to what it stands for, by the modules that are loaded now.

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
DEFLOW: Final = "deflow"

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
"""What calling a code object does, by its identity: it waits, it suspends as
flows do, or it makes flows. Kept by `longterm._flows.flow`."""


def resolve(module: str, path: tuple[str, ...]) -> str:
    """Return what `path` in a module stands for: how sure it is that calling it suspends."""
    value: object = sys.modules.get(module)
    for name in path:
        if isinstance(value, types.ModuleType):
            value = _in_module(value, name)
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


def _in_module(module: types.ModuleType, name: str) -> object:
    """Return what a module has under a name; a package does not have a module half loaded yet."""
    found = vars(module).get(name)
    return sys.modules.get(f"{module.__name__}.{name}") if found is None else found


def is_half_loaded(module: str, path: tuple[str, ...]) -> bool:
    """Tell whether a module that a path leads through is being imported at this moment."""
    value: object = sys.modules.get(module)
    for name in (*path, ""):
        if not isinstance(value, types.ModuleType):
            return False
        # As `import` does itself, to tell of a name that is missing.
        if getattr(getattr(value, "__spec__", None), "_initializing", False):
            return True
        value = _in_module(value, name)
    return False


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
