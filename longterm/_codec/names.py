"""Functions, classes and modules by importable name: `module:Outer.name`.

A name is looked up in the namespaces of modules and classes alone: no attribute is computed, no
descriptor, property or module `__getattr__` runs, nothing is called.
"""

from __future__ import annotations

import sys
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

from longterm._abi import mangle
from longterm._codec import trust as allowed
from longterm.errors import NotAllowed

LRU_CACHED: Final = type(allowed._origin_of_file)
CALLABLE_TYPES: Final = (
    FunctionType,
    BuiltinFunctionType,
    MethodDescriptorType,
    WrapperDescriptorType,
    LRU_CACHED,
    type,
)
_module_namespace: Final[Any] = vars(ModuleType)["__dict__"].__get__
_class_module: Final[Any] = vars(type)["__module__"].__get__
_class_qualname: Final[Any] = vars(type)["__qualname__"].__get__
_class_name: Final[Any] = vars(type)["__name__"].__get__
_class_namespace: Final[Any] = vars(type)["__dict__"].__get__


def find(name: str) -> tuple[Any, ModuleType]:
    """Return the function or class of this name, and its module.

    Raises:
        NotAllowed: there is none, or its module is not to be named.
    """
    module_name, _, qualname = name.partition(":")
    owner = allowed.module(module_name)
    found: Any = owner
    for step in qualname.split("."):
        try:
            found = _unwrapped(_entry(found, step))
        except (KeyError, TypeError):
            raise NotAllowed(
                name, f"does not exist: {step!r} was not found (was it renamed or moved?)"
            ) from None
    if not isinstance(found, CALLABLE_TYPES):
        raise NotAllowed(name, "is neither a function nor a class")
    return found, owner


def find_callable(name: str) -> Any:
    """Return the function or class of this name, which may be called by whoever holds it."""
    found, owner = find(name)
    if not allowed.may_be_called(name, owner):
        reason, remedy = _refusal(name)
        raise NotAllowed(name, f"{reason} ({remedy})")
    return found


def name_of(value: Any) -> str | None:
    """Return the name under which `find` finds this very function or class, if there is one."""
    if issubclass(type(value), type):
        # Past the metaclass, which may compute what it is asked for.
        module_name, qualname = _class_module(value), _class_qualname(value)
    else:
        owner = getattr(value, "__objclass__", value)
        module_name = getattr(owner, "__module__", None)
        qualname = getattr(value, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(qualname, str):
        return None
    name = f"{module_name}:{qualname}"
    try:
        return name if find(name)[0] is value else None
    except NotAllowed:
        return None


def why_not_callable(name: str) -> tuple[str, str] | None:
    """Return why a thing of this name cannot be stored and what to do, or None if it can."""
    owner = sys.modules[name.partition(":")[0]]
    return None if allowed.may_be_called(name, owner) else _refusal(name)


def _refusal(name: str) -> tuple[str, str]:
    module_name = name.partition(":")[0]
    if name in allowed.HARMFUL or module_name == "builtins":
        return (
            "can be made to do anything, so that stored bytes must not name it",
            "store what it is called with, or a function of your own that calls it",
        )
    return (
        "is not the application's own",
        f"longterm.allow({module_name!r}) lets stored bytes name what is in it",
    )


def _entry(owner: Any, step: str) -> Any:
    if isinstance(owner, ModuleType):
        return _module_namespace(owner)[step]
    if not isinstance(owner, type):
        raise TypeError
    namespace = _class_namespace(owner)
    # A qualified name has a private name as the author wrote it; its class has it mangled.
    return namespace[step if step in namespace else mangle(step, _class_name(owner))]


def _unwrapped(found: Any) -> Any:
    return found.__func__ if type(found) in (staticmethod, classmethod) else found
