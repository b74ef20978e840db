"""Classes with type parameters, such as `Page[int]` and `list[int]`.

An alias is its class with the arguments, which are classes or aliases themselves. Python has two
types of them, one of its own and one of `typing`. Neither is made by `__class_getitem__`.
"""

from __future__ import annotations

import typing
from types import GenericAlias
from typing import Any, Final

from longterm._codec import names
from longterm._codec.decode.budget import Budget
from longterm._codec.refusal import Refused
from longterm._codec.types.kinds import Kind, Parts, is_a, store

_GenericAlias: Final[Any] = vars(typing)["_GenericAlias"]


def is_alias(value: Any) -> bool:
    """Return whether a value is a class with type parameters."""
    return type(value) in (_GenericAlias, GenericAlias)


def can_be_stored(value: Any) -> bool:
    """Return whether a class or an alias can be stored, and all that it is made of."""
    if is_alias(value):
        return _is_plain(value) and all(map(can_be_stored, (value.__origin__, *value.__args__)))
    name = names.name_of(value) if is_a(value, type) else None
    return name is not None and names.why_not_callable(name) is None


def _is_plain(alias: Any) -> bool:
    """Tell whether an alias is a class with arguments and no more, as `List` and `*tuple` are."""
    return alias._name is None if type(alias) is _GenericAlias else not alias.__unpacked__


def _take(alias: Any) -> Parts:
    if not can_be_stored(alias):
        raise Refused(
            f"a part of {alias!r} is no class that can be stored",
            "make it again where it is needed",
        )
    return [ALIAS.tag, type(alias) is _GenericAlias, alias.__origin__, *alias.__args__]


def _make(parts: Parts, budget: Budget) -> Any:
    is_of_typing, origin, *arguments = parts
    if not is_a(origin, type) or not all(is_a(each, type) or is_alias(each) for each in arguments):
        raise TypeError("an alias is a class with classes")
    make = _GenericAlias if is_of_typing is True else GenericAlias
    return make(origin, tuple(arguments))


ALIAS: Final = Kind(36, "alias", _make)

store(_GenericAlias, GenericAlias, take=_take, family="callables and modules",
      note="classes with type parameters that are classes, such as `Page[int]`")  # fmt: skip
