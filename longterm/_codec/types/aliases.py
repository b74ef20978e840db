"""Classes with type parameters, such as `Page[int]` and `list[int]`.

An alias is its class with the arguments, which are classes or aliases themselves. Python has two
types of them, one of its own and one of `typing`. Neither is made by `__class_getitem__`.
"""

from __future__ import annotations

import typing
from types import GenericAlias
from typing import Any, Final

from longterm._codec import names
from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_GenericAlias: Final[Any] = vars(typing)["_GenericAlias"]
_MOST_PARTS: Final = 200
"""How many classes an alias is of, those of its arguments counted wherever they stand: that many
steps it takes to hash, compare or show it."""


def is_alias(value: Any) -> bool:
    """Return whether a value is a class with type parameters."""
    return is_exactly(value, _GenericAlias, GenericAlias)


def can_be_stored(alias: Any) -> bool:
    """Return whether an alias can be stored, and all that it is made of."""
    return _reason_against(alias) is None


def _reason_against(alias: Any) -> str | None:
    pending = [alias]
    for count, part in enumerate(pending):
        if count == _MOST_PARTS:
            return f"it is made of more than {_MOST_PARTS} classes"
        if is_alias(part):
            if not _is_plain(part):
                return f"{part!r} is not plain"
            pending += (part.__origin__, *part.__args__)
            continue
        name = names.name_of(part) if is_a(part, type) else None
        if name is None or names.why_not_named(name) is not None:
            return f"a part of it, {part!r}, is no class that can be stored"
    return None


def _is_plain(alias: Any) -> bool:
    """Tell whether an alias is a class with arguments and no more, as `List` and `*tuple` are."""
    return alias._name is None if type(alias) is _GenericAlias else not alias.__unpacked__


def _dump(alias: Any) -> Parts:
    reason = _reason_against(alias)
    if reason is not None:
        raise NotEncodable(reason, "make it again where it is needed")
    return [ALIAS.tag, type(alias) is _GenericAlias, alias.__origin__, *alias.__args__]


def _load(parts: Parts, decoding: Decoding) -> Any:
    is_of_typing, origin, *arguments = parts
    if not is_a(origin, type) or not all(
        is_a(argument, type) or is_alias(argument) for argument in arguments
    ):
        raise TypeError("an alias is a class with classes")
    made = (
        _of_typing(origin, tuple(arguments))
        if is_of_typing is True
        else GenericAlias(origin, tuple(arguments))
    )
    decoding.spend(_MOST_PARTS)
    if _count(made) > _MOST_PARTS:
        raise ValueError(f"an alias is made of more than {_MOST_PARTS} classes")
    return made


def _of_typing(origin: Any, arguments: tuple[Any, ...]) -> Any:
    """Return an alias of typing, which looks for type variables in its arguments if it is called.

    It asks them for attributes, and so their metaclasses.
    """
    made = object.__new__(_GenericAlias)
    vars(made).update(vars(_EXAMPLE) | {"__origin__": origin, "__args__": arguments})
    return made


def _count(alias: Any) -> int:
    pending = [alias]
    for count, part in enumerate(pending):
        if count > _MOST_PARTS:
            break
        if is_alias(part):
            pending += (part.__origin__, *part.__args__)
    return len(pending)


_T = typing.TypeVar("_T")


class _Example(typing.Generic[_T]):
    """What an alias of typing is made like."""


_EXAMPLE: Final[Any] = _Example[int]

ALIAS: Final = Kind("alias", _load, is_fragile=True)

FAMILY: Final = Family(
    kinds=(ALIAS,),
    rows=(
        Row(
            _GenericAlias,
            GenericAlias,
            dump=_dump,
            group="callables and modules",
            note="classes with type parameters that are classes, such as `Page[int]`",
        ),
    ),
)
