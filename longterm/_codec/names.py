"""Functions and classes by importable name: `module:Outer.name`.

A name is looked up in the namespaces of one module and of classes in it: no attribute is computed,
no descriptor, property or module `__getattr__` runs, nothing is called. It must be the name that
the object itself gives: a module is full of what it imported from elsewhere.
"""

from __future__ import annotations

from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

from longterm._abi import mangle
from longterm._codec import trust
from longterm._codec.introspect import (
    is_a,
    is_exactly,
    module_of,
    mro_of,
    namespace_of,
    own_name_of,
    qualname_of,
)
from longterm._main import import_name, is_main
from longterm.errors import NotAllowed

LRU_CACHED: Final = type(trust._origin_of_file)
_DESCRIPTORS: Final = (MethodDescriptorType, WrapperDescriptorType)
_FUNCTIONS: Final = (FunctionType, BuiltinFunctionType, LRU_CACHED)


def find(name: str) -> tuple[Any, str]:
    """Return the function or class of this name, and the name that it gives itself.

    The two differ only for what has moved: the application's own module may still import it from
    where it is now.

    Raises:
        NotAllowed: there is none, or the name leads to something of another name.
    """
    found = look_up(name)
    own = own_name(found)
    if own == name:
        return found, name
    if own is None or not _has_moved(name, own, found):
        raise NotAllowed(name, f"is not the name of what it leads to (that is {own})")
    return found, own


def find_callable(name: str) -> Any:
    """Return the function or class of this name, which may be called by whoever holds it.

    Raises:
        NotAllowed: there is none, or it is not to be named.
    """
    found, own = find(name)
    refusal = why_not_named(own)
    if refusal is not None:
        reason, hint = refusal
        raise NotAllowed(name, f"{reason} ({hint})")
    return found


def name_of(value: Any) -> str | None:
    """Return the name under which `find` finds this function or class, if there is one."""
    name = _name_here(value)
    if name is None:
        return None
    try:
        return _published(name) if look_up(name) is value else None
    except NotAllowed:
        return None


def is_function(value: Any) -> bool:
    """Return whether a value is a function that may have a name, of Python's or of C's."""
    return is_exactly(value, *_FUNCTIONS, *_DESCRIPTORS)


def why_not_named(name: str) -> tuple[str, str] | None:
    """Return why a thing of this name cannot be stored and what to do, or None if it can."""
    if trust.may_be_named(name):
        return None
    module_name = name.partition(":")[0]
    if trust.origin(module_name) == "standard":
        return (
            "is not among what stored bytes may name of the standard library",
            "store what it is called with, or a function of your own that calls it",
        )
    return (
        "is not the application's own",
        f"longterm.allow({module_name!r}) lets stored bytes name what is in it",
    )


def look_up(name: str) -> Any:
    """Return the function or class that a name leads to, whatever name it gives itself.

    Raises:
        NotAllowed: there is none.
    """
    module_name, _, qualname = name.partition(":")
    found: Any = trust.module(module_name)
    for step in qualname.split("."):
        try:
            entry = _entry(found, step)
        except (KeyError, TypeError):
            raise NotAllowed(name, _why_not_found(module_name, qualname, step)) from None
        found = entry.__func__ if is_exactly(entry, staticmethod, classmethod) else entry
        if is_a(found, ModuleType):
            raise NotAllowed(name, f"goes through a module, {step!r}")
    if not (is_function(found) or is_a(found, type)):
        raise NotAllowed(name, "is neither a function nor a class")
    return found


def _why_not_found(module_name: str, qualname: str, step: str) -> str:
    owner, _, name = qualname.rpartition(".")
    if owner:
        hint = f"put it back, or let the old name stand for it: `{name} = NewName` in {owner}"
    else:
        hint = (
            f"if it was moved, write `from its_new_module import {name}` in {module_name}; if it "
            f"was renamed, `{name} = NewName`"
        )
    return f"does not exist: {step!r} was not found ({hint})"


def _entry(owner: Any, step: str) -> Any:
    if is_a(owner, ModuleType):
        return trust.namespace_of_module(owner)[step]
    if not is_a(owner, type):
        raise TypeError
    for base in mro_of(owner):
        namespace = namespace_of(base)
        # A qualified name has a private name as the author wrote it; its class has it mangled.
        for spelling in (step, mangle(step, own_name_of(base))):
            if spelling in namespace:
                return namespace[spelling]
    raise KeyError(step)


def own_name(value: Any) -> str | None:
    """Return the name that a function or class gives itself, as other processes know it."""
    name = _name_here(value)
    return None if name is None else _published(name)


def _published(name: str) -> str:
    module_name, _, qualname = name.partition(":")
    return f"{import_name(module_name)}:{qualname}" if is_main(module_name) else name


def _name_here(value: Any) -> str | None:
    """Return the name that a function or class gives itself in this process."""
    if is_a(value, type):
        # Past the metaclass, which may compute what it is asked for.
        module_name, qualname = module_of(value), qualname_of(value)
    elif is_exactly(value, *_DESCRIPTORS):
        owner = value.__objclass__
        module_name, qualname = module_of(owner), f"{qualname_of(owner)}.{value.__name__}"
    elif is_exactly(value, *_FUNCTIONS):
        module_name, qualname = value.__module__, getattr(value, "__qualname__", None)
    else:
        return None
    is_named = type(module_name) is str and type(qualname) is str
    return f"{module_name}:{qualname}" if is_named else None


def _has_moved(name: str, own: str, found: Any) -> bool:
    """Tell whether the first name is where a thing of one owner was, or is in another Python.

    So a class may move, if its old module imports it from the new one. Bytes gain nothing by the
    old name: what they may name, they may name by its own.
    """
    old, _, qualname = name.partition(":")
    new, _, own_qualname = own.partition(":")
    whose = trust.origin(old)
    if whose != trust.origin(new):
        return False
    if whose != "application" and (
        qualname != own_qualname or old.partition(".")[0] != new.partition(".")[0]
    ):
        return False
    if whose == "standard" and not (trust.may_be_named(name) and trust.may_be_named(own)):
        return False
    try:
        return look_up(own) is found
    except NotAllowed:
        return False
