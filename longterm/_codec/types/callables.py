"""Functions, classes and modules by name; bound methods; partials.

What is decoded is a reference: nothing here calls it. A method is looked up in classes alone, never
through its instance.
"""

from __future__ import annotations

import functools
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import names, wire
from longterm._codec import trust as allowed
from longterm._codec.decode.budget import Budget
from longterm._codec.refusal import Refused
from longterm._codec.types import functions
from longterm._codec.types.kinds import READERS, Form, Kind, Parts, is_a, store
from longterm.errors import NotAllowed

_FAMILY: Final = "callables and modules"


def take_named(value: Any) -> Form:
    """Take a function or class by its importable name."""
    name = names.name_of(value)
    if name is None:
        raise Refused(
            f"{value!r} cannot be imported by its name",
            "define it at the top of a module"
            if is_a(value, type)
            else "define it at the top of a module, or call it where it is needed",
        )
    refusal = names.why_not_callable(name)
    if refusal is not None:
        reason, remedy = refusal
        raise Refused(f"{name} {reason}", remedy)
    return ExtType(wire.NAME, name.encode())


def _take_function(function: FunctionType) -> Form:
    parts = functions.take_inner(function)
    return take_named(function) if parts is None else parts


def _take_module(module: ModuleType) -> ExtType:
    try:
        found: ModuleType | None = allowed.module(module.__name__)
    except NotAllowed:
        found = None
    if found is not module:
        raise Refused(f"{module!r} is not the imported module of its name", "import it again")
    return ExtType(wire.MODULE, module.__name__.encode())


def _take_method(method: MethodType) -> Parts:
    return [METHOD.tag, method.__func__, method.__self__]


def _make_method(parts: Parts, budget: Budget) -> MethodType:
    function, owner = parts
    if not callable(function) or owner is None:
        raise TypeError("a method has a function and an owner")
    return MethodType(function, owner)


def _take_builtin(value: Any) -> Form:
    owner = value.__self__
    if owner is None or isinstance(owner, ModuleType):
        return take_named(value)
    name = value.__name__
    try:
        _descriptor(owner, name)
    except (TypeError, KeyError):
        raise Refused(
            f"the builtin method {name} of a {type(owner).__qualname__} is not known",
            "call it where it is needed",
        ) from None
    return [BUILTIN_METHOD.tag, name, owner]


def _make_builtin_method(parts: Parts, budget: Budget) -> Any:
    name, owner = parts
    return _descriptor(owner, name).__get__(owner, type(owner))


def _descriptor(owner: Any, name: str) -> Any:
    if type(name) is not str or (name.startswith("_") and name not in allowed.HARMLESS_UNDERSCORES):
        raise KeyError(name)
    if is_a(owner, type):
        for base in owner.__mro__:
            found = vars(base).get(name)
            if type(found) is ClassMethodDescriptorType and _is_harmless(base):
                return _OfClass(found, owner)
        raise KeyError(name)
    for base in type(owner).__mro__:
        found = vars(base).get(name)
        if type(found) in (MethodDescriptorType, WrapperDescriptorType) and _is_harmless(base):
            return found
    raise KeyError(name)


class _OfClass:
    """A class method's descriptor with the class it is bound to."""

    def __init__(self, descriptor: Any, owner: type) -> None:
        self.descriptor, self.owner = descriptor, owner

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.descriptor.__get__(None, self.owner)


def _is_harmless(cls: type) -> bool:
    return cls.__module__ == "builtins" or cls.__module__ in allowed.HARMLESS_MODULES


def _take_partial(value: functools.partial[Any]) -> Parts:
    if vars(value):
        raise Refused("a partial with attributes of its own is not known", "use a function")
    return [PARTIAL.tag, value.func, value.args, value.keywords]


def _make_partial(parts: Parts, budget: Budget) -> Any:
    return functools.partial(_not_yet)


def _fill_partial(value: Any, parts: Parts, budget: Budget) -> None:
    function, arguments, keywords = parts
    if type(keywords) is not dict:
        raise TypeError("the keywords of a partial are a dict")
    budget.spend(len(keywords))
    if not all(type(name) is str for name in keywords):
        raise TypeError("the keywords of a partial are a dict")
    functools.partial.__setstate__(value, (function, arguments, keywords, None))  # type: ignore[attr-defined]


def _not_yet() -> None:
    raise RuntimeError("this partial was not completed")


METHOD: Final = Kind(32, "method", _make_method)
BUILTIN_METHOD: Final = Kind(33, "builtin method", _make_builtin_method)
PARTIAL: Final = Kind(34, "partial", _make_partial, _fill_partial)

READERS[wire.NAME] = lambda payload: names.find_callable(payload.decode())
READERS[wire.MODULE] = lambda payload: allowed.module(payload.decode())

store(FunctionType, take=_take_function, family=_FAMILY,
      note="by importable name; an inner function of a flow with what it captured")  # fmt: skip
store(type, take=take_named, family=_FAMILY, note="classes, by importable name")
store(names.LRU_CACHED, MethodDescriptorType, WrapperDescriptorType,
      take=take_named, family=_FAMILY, note="by importable name")  # fmt: skip
store(ModuleType, take=_take_module, family=_FAMILY)
store(MethodType, take=_take_method, family=_FAMILY, note="as its function and its `self`")
store(BuiltinFunctionType, type([].__len__), take=_take_builtin, family=_FAMILY)
store(functools.partial, take=_take_partial, family=_FAMILY)
