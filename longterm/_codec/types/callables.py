"""Functions and classes by name; bound methods; partials.

What is decoded is a reference: nothing here calls it. A method is looked up in classes alone, never
through its instance.
"""

from __future__ import annotations

import functools
import operator
from contextlib import suppress
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

from longterm._codec import names, standard, trust, wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.hints import recipe_for
from longterm._codec.introspect import (
    is_a,
    is_exactly,
    module_of,
    mro_of,
    namespace_of,
    qualname_of,
)
from longterm._codec.refusal import NotEncodable
from longterm._codec.types import functions
from longterm._codec.types.atoms import SINGLETONS
from longterm._codec.types.kinds import Family, Form, Kind, Parts, Row
from longterm.errors import CorruptData

_GROUP: Final = "callables and modules"


def dump_named(value: Any) -> Form:
    """Take a function or class by its importable name."""
    name = names.name_of(value)
    if name is None:
        nameless = next((text for text, known in SINGLETONS.items() if known is value), None)
        if nameless is not None:
            return ExtType(wire.SINGLETON, nameless)
        raise NotEncodable(
            f"{value!r} cannot be imported by its name",
            "define it at the top of a module"
            if is_a(value, type)
            else "define it at the top of a module, or call it where it is needed",
        )
    refusal = names.why_not_named(name)
    if refusal is not None:
        reason, hint = refusal
        raise NotEncodable(f"{name} {reason}", hint)
    return ExtType(wire.NAME, name.encode())


def _dump_function(function: FunctionType) -> Form:
    parts = functions.dump_inner(function)
    return dump_named(function) if parts is None else parts


def _dump_method(method: MethodType) -> Parts:
    function = method.__func__
    name = names.name_of(function)
    refusal = None if name is None else names.why_not_named(name)
    if refusal is not None:
        known = recipe_for(type(method.__self__))
        if known is not None:
            raise NotEncodable(*known)
        raise NotEncodable(
            f"its function {name} {refusal[0]}",
            f"keep what it is a method of, and call {function.__name__} after the suspend",
        )
    if not _may_be_method(function):
        raise NotEncodable(
            "its function is of a type that is not known", "call it where it is needed"
        )
    return [METHOD.tag, function, method.__self__]


def _load_method(parts: Parts, decoding: Decoding) -> MethodType:
    function, owner = parts
    if not _may_be_method(function) or owner is None:
        raise TypeError("a method has a function and an owner")
    return MethodType(function, owner)


def _may_be_method(function: Any) -> bool:
    return is_a(function, type) or is_exactly(function, *_CALLABLES)


def _dump_builtin(value: Any) -> Form:
    owner = value.__self__
    if owner is None or is_a(owner, ModuleType):
        return dump_named(value)
    name = value.__name__
    try:
        _bound(owner, name)
    except (TypeError, KeyError):
        raise NotEncodable(
            f"the builtin method {name} of a {qualname_of(type(owner))} is not known",
            f"keep what it is a method of, and call {name} after the suspend",
        ) from None
    return [BUILTIN_METHOD.tag, name, owner]


def _load_builtin_method(parts: Parts, decoding: Decoding) -> Any:
    name, owner = parts
    return _bound(owner, name)


def _bound(owner: Any, name: Any) -> Any:
    """Return a method of a type written in C, bound to its owner, without a look at the owner."""
    if type(name) is not str:
        raise KeyError(name)
    is_class = is_a(owner, type)
    for base in mro_of(owner if is_class else type(owner)):
        found = namespace_of(base).get(name)
        is_found = (
            type(found) is ClassMethodDescriptorType
            if is_class
            else is_exactly(found, MethodDescriptorType, WrapperDescriptorType)
        )
        if is_found and _may_be_bound(base, name):
            if name in standard.TEMPLATES:
                _check_template(owner)
            return found.__get__(None, owner) if is_class else found.__get__(owner)
    raise KeyError(name)


def _may_be_bound(cls: type, method: str) -> bool:
    module_name = module_of(cls)
    return standard.may_be_bound(module_name, qualname_of(cls), method) or (
        trust.is_allowed_by_name(module_name) and not method.startswith("_")
    )


def _check_template(template: Any) -> None:
    """Raise `Refused` if formatting with a template would read attributes of what it is given."""
    from string import Formatter

    pending: list[str | None] = [str.__str__(template)]
    for text in pending:
        with suppress(ValueError):  # it formats nothing then
            for _, field, specification, _ in Formatter().parse(text or ""):
                if field is not None and ("." in field or "[" in field):
                    raise NotEncodable(
                        f"its text reads {field!r} of what it is given",
                        "write it as an f-string, or give it the value itself",
                    )
                pending.append(specification)


def _dump_item_getter(value: Any) -> Parts:
    return [ITEM_GETTER.tag, *value.__reduce__()[1]]


def _load_item_getter(parts: Parts, decoding: Decoding) -> Any:
    return operator.itemgetter(*parts)


def _dump_partial(value: functools.partial[Any]) -> Parts:
    if value.__dict__:
        raise NotEncodable("a partial with attributes of its own is not known", "use a function")
    return [PARTIAL.tag, value.func, value.args, value.keywords]


def _load_partial(parts: Parts, decoding: Decoding) -> Any:
    made = functools.partial(_not_yet)
    decoding.checks.append(lambda: _check_populated(made))
    return made


def _check_populated(value: functools.partial[Any]) -> None:
    if value.func is _not_yet:
        raise CorruptData("the stored bytes are damaged: a partial was begun and not completed")


def _populate_partial(value: Any, parts: Parts, decoding: Decoding) -> None:
    function, arguments, keywords = parts
    if type(arguments) is not tuple or type(keywords) is not dict:
        raise TypeError("a partial has a tuple of arguments, and keywords")
    decoding.spend(len(keywords))
    if not all(type(name) is str for name in keywords):
        raise TypeError("the keywords of a partial have names")
    functools.partial.__setstate__(value, (function, arguments, keywords, None))  # type: ignore[attr-defined]


def _not_yet() -> None:
    raise RuntimeError("this partial was not completed")


_CALLABLES: Final = (
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    MethodDescriptorType,
    WrapperDescriptorType,
    type([].__len__),
    functools.partial,
    names.LRU_CACHED,
)

METHOD: Final = Kind("method", _load_method, is_fragile=True)
BUILTIN_METHOD: Final = Kind("builtin method", _load_builtin_method, is_fragile=True)
ITEM_GETTER: Final = Kind("item getter", _load_item_getter)
PARTIAL: Final = Kind("partial", _load_partial, _populate_partial, is_fragile=True)

FAMILY: Final = Family(
    kinds=(METHOD, BUILTIN_METHOD, ITEM_GETTER, PARTIAL),
    readers={
        wire.NAME: lambda payload: names.find_callable(payload.decode()),
    },
    rows=(
        Row(
            FunctionType,
            dump=_dump_function,
            group=_GROUP,
            note="by importable name; an inner function of a flow with what it captured",
        ),
        Row(
            type,
            dump=dump_named,
            group=_GROUP,
            note="classes, by importable name",
            is_opened=True,
        ),
        Row(
            names.LRU_CACHED,
            MethodDescriptorType,
            WrapperDescriptorType,
            dump=dump_named,
            group=_GROUP,
            note="by importable name",
        ),
        Row(MethodType, dump=_dump_method, group=_GROUP, note="as its function and its `self`"),
        Row(
            *(BuiltinFunctionType, type([].__len__)),
            dump=_dump_builtin,
            group=_GROUP,
            is_opened=True,
        ),
        Row(operator.itemgetter, dump=_dump_item_getter, group=_GROUP),
        Row(functools.partial, dump=_dump_partial, group=_GROUP),
    ),
)
