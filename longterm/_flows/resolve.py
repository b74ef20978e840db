"""Resolve an imported name to what it stands for, by the modules that are loaded now.

`longterm_compiler.analysis.resolve` says it by source files. Also what a path stands for in a
frame. No code of the author's runs for it.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from longterm._abi.verdict import Verdict

_NATIVE: Final = (
    type,
    types.ModuleType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
)

flow_codes: dict[int, Verdict] = {}
"""What calling a code object does, by its identity: it waits, it suspends as
flows do, or it makes flows. Kept by `longterm._flows.flow` and `deflow`."""

generator_verdicts: Final[WeakKeyDictionary[types.FunctionType, Callable[[], Verdict]]] = (
    WeakKeyDictionary()
)
"""The functions that make generators of flows, each with what tells the verdict of calling it."""


def resolve(module: str, path: tuple[str, ...]) -> Verdict:
    """Return what `path` in a module stands for: how sure it is that calling it suspends."""
    return _resolve_from(sys.modules.get(module), path)


def resolve_in(namespace: dict[str, Any], path: tuple[str, ...]) -> Verdict:
    """Return what `path` stands for whose first name is one of a module that holds these."""
    return _resolve_from(namespace.get(path[0]), path[1:])


def _resolve_from(value: object, path: tuple[str, ...]) -> Verdict:
    for name in path:
        if isinstance(value, types.ModuleType):
            value = _in_module(value, name)
        elif isinstance(value, type):
            value = _in_class(value, name)
        elif value is not None and name == path[-1]:
            return _of_object(value, name)
        else:
            return Verdict.MAY if value is None else Verdict.UNKNOWN
    if value is None:
        return Verdict.MAY
    function = function_behind(value)
    if function is not None:
        return _of_function(function)
    return Verdict.NEVER if isinstance(value, _NATIVE) else Verdict.MAY


def _of_object(value: object, method: str) -> Verdict:
    """Return what the class of an object has: the object itself may have it otherwise."""
    function = function_behind(_in_class(type(value), method))
    verdict = Verdict.NEVER if function is None else _of_function(function)
    if verdict is Verdict.GENERATES:
        return verdict
    return Verdict.LIKELY if verdict.is_sure else Verdict.UNKNOWN


def _of_function(function: types.FunctionType) -> Verdict:
    made = generator_verdicts.get(function)
    return flow_codes.get(id(function.__code__), Verdict.NEVER) if made is None else made()


def _in_class(cls: type, name: str) -> object:
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


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


def runs(value: object, code: types.CodeType) -> bool:
    """Tell whether calling a value runs this code, with nothing in between."""
    function = function_behind(value)
    return function is not None and function.__code__ is code


def value_at(
    path: tuple[str, ...], frame: types.FrameType, values: dict[str, Any] | None = None
) -> object:
    """Return what a dotted path stands for in a frame, or None if only running code can tell.

    Args:
        path: the names.
        frame: where they are read.
        values: the local variables of the frame, if they are at hand.
    """
    value: object
    if values is None:
        values = frame.f_locals
    if path[0] in values:
        value = values[path[0]]
    elif path[0] in frame.f_globals:
        value = frame.f_globals[path[0]]
    else:
        value = vars(builtins).get(path[0])
    for name in path[1:]:
        value = _attribute(value, name)
    return value


def computed_part(path: tuple[str, ...], frame: types.FrameType) -> str | None:
    """Return the beginning of a path that a property or the like computes; None if there is none.

    What a path leads to as a whole is a method, or what its class keeps, and not computed.
    """
    for length in range(2, len(path) + 1):
        value = value_at(path[:length], frame)
        if value is None or isinstance(value, property) or hasattr(type(value), "__get__"):
            is_method = length == len(path) and function_behind(value) is not None
            if not is_method:
                return ".".join(path[:length])
    return None


def _attribute(value: object, name: str) -> object:
    if isinstance(value, types.ModuleType):
        return vars(value).get(name)
    # Only methods come here; to import it takes longer than the rest of a turn.
    from inspect import getattr_static

    found = getattr_static(value, name, None)
    if isinstance(found, types.MemberDescriptorType) and not isinstance(value, type):
        # A slot: reading it runs no code but CPython's own.
        try:
            return found.__get__(value, type(value))
        except AttributeError:
            return None
    return found
