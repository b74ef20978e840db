"""Instances of plain classes, of subclasses of builtins, and members of enums.

An instance is its class by name, its `__dict__`, its slots by name, and the content of its builtin
base. No `__init__`, `__new__`, `__setattr__`, `__reduce__` or `__setstate__` of its class runs.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import Enum, Flag
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final

from msgpack import ExtType

from longterm._codec.decode import hashing
from longterm._codec.decode.decoding import BYTES_PER_ELEMENT, Decoding
from longterm._codec.encode.order import in_order
from longterm._codec.introspect import is_a, is_exactly, mro_of, namespace_of, own_name_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.classes import (
    BARE_BASES,
    VALUE_BASES,
    ClassPlan,
    became_another,
    plan_of,
)
from longterm._codec.types.containers import put_pairs
from longterm._codec.types.kinds import Family, Kind, Parts
from longterm.errors import CannotLoad


def dump_instance(value: Any, plan: ClassPlan) -> Parts:
    """Take apart an instance of the plan's class."""
    base = plan.base
    if base is defaultdict:
        check_factory(_FACTORY.__get__(value))
    if base in VALUE_BASES:
        return [VALUE_OBJECT.tag, plan, _CONTENT[base](value), *plan.state(value)]
    if base in BARE_BASES:
        return [OBJECT.tag, plan, *plan.state(value)]
    content = _CONTENT[base](value)
    return [OBJECT.tag, plan, plan.attributes(value), plan.slot_values(value), *content]


def dump_enum(value: Any, plan: ClassPlan) -> Parts:
    """Take a member of an enum by its name, a combination of flags by its value."""
    held = object.__getattribute__(value, "__dict__")
    name = held["_name_"]
    if namespace_of(plan.cls)["_member_map_"].get(name) is value:
        return [MEMBER.tag, plan, name]
    if not _is_combination(plan.cls, held["_value_"]):
        raise NotEncodable(
            "it is no member of its enum by name or by value", "keep what it was made from"
        )
    number = int.__pos__(held["_value_"])
    return [FLAGS.tag, plan, number, *_flags_in(plan.cls, number)]


def _flags_in(cls: type, number: int) -> list[str]:
    """Return the names of the flags that a number is made of; none if they are not all of it."""
    members, names, left = namespace_of(cls)["_member_map_"], [], number
    for name in namespace_of(cls)["_member_names_"]:
        value = members[name]._value_
        if value & left:
            names.append(name)
            left &= ~value
    return [] if left else names


def _is_combination(cls: type, number: Any) -> bool:
    """Tell whether a number is a combination of flags that can be made without code of the class.

    The stock `_missing_` of Flag makes it, past one that the class defines. It looks at each bit.
    """
    return (
        type(number) is int
        and number.bit_length() <= _MOST_FLAGS
        and issubclass(cls, Flag)
        and "__new_member__" not in namespace_of(cls)
    )


_MOST_FLAGS: Final = 1_024


def check_factory(factory: Any) -> None:
    """Raise `Refused` unless a defaultdict may have this factory.

    Whatever it is gets called when a key is missing: a class, a function of its own, or a class
    with arguments, but no function with arguments that bytes could choose.
    """
    if factory is None or is_exactly(factory, FunctionType, BuiltinFunctionType, _METHOD_WRAPPER):
        return
    if is_exactly(factory, partial):
        factory = factory.func
    if not is_a(factory, type):
        raise NotEncodable(
            f"its default factory is a {type(factory).__name__}",
            "make it of a class or a function",
        )


_METHOD_WRAPPER: Final = type([].__len__)


_FACTORY: Final[Any] = vars(defaultdict)["default_factory"]
_MAXLEN: Final[Any] = vars(deque)["maxlen"]
_DATE: Final = ("year", "month", "day")
_TIME: Final = ("hour", "minute", "second", "microsecond", "tzinfo")
_LENGTH: Final = ("days", "seconds", "microseconds")
_FOLD_OF_DATETIME: Final[Any] = vars(datetime)["fold"]
_FOLD_OF_TIME: Final[Any] = vars(time)["fold"]


def _read(value: Any, owner: type, names: tuple[str, ...]) -> list[Any]:
    """Return attributes of a value past what its class makes of them."""
    return [vars(owner)[name].__get__(value) for name in names]


_CONTENT: Final[dict[type, Any]] = {
    int: int.__pos__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    frozenset: lambda value: tuple(in_order([*frozenset.__iter__(value)])),
    datetime: lambda value: datetime(
        *_read(value, date, _DATE),
        *_read(value, datetime, _TIME),
        fold=_FOLD_OF_DATETIME.__get__(value),
    ),
    date: lambda value: date(*_read(value, date, _DATE)),
    time: lambda value: time(*_read(value, time, _TIME), fold=_FOLD_OF_TIME.__get__(value)),
    timedelta: lambda value: timedelta(*_read(value, timedelta, _LENGTH)),
    list: lambda value: [None, *list.__iter__(value)],
    set: lambda value: [None, *in_order([*set.__iter__(value)])],
    dict: lambda value: [None, *(part for pair in dict.items(value) for part in pair)],
    OrderedDict: lambda value: [
        None,
        *(part for pair in OrderedDict.items(value) for part in pair),
    ],
    defaultdict: lambda value: [
        _FACTORY.__get__(value),
        *(part for pair in dict.items(value) for part in pair),
    ],
    deque: lambda value: [_MAXLEN.__get__(value), *deque.__iter__(value)],
    bytearray: lambda value: [bytes(memoryview(value))],
}


def _load_object(parts: Parts, decoding: Decoding) -> Any:
    plan = _plan(parts[0])
    if not plan.is_made_empty:
        raise became_another(plan, "an instance with attributes")
    made = plan.base.__new__(plan.cls)
    if plan.is_fragile:
        decoding.fragile.append(made)
    return made


def _build_object(parts: Parts, decoding: Decoding) -> Any:
    made = _load_object(parts, decoding)
    _put(made, parts[0], parts[1:], decoding)
    return made


def _populate_object(value: Any, parts: Parts, decoding: Decoding) -> None:
    _put(value, plan_of_instance(value), parts, decoding)


def _put(value: Any, plan: ClassPlan, parts: Parts, decoding: Decoding) -> None:
    count = len(parts)
    attributes, slots = parts[0] if count else None, parts[1] if count > 1 else None
    plan.set_attributes(value, attributes, slots, decoding)
    if count > 2:
        if plan.base not in _POPULATE:
            raise became_another(plan, "made of a builtin container")
        _POPULATE[plan.base](value, parts[2], parts[3:], decoding)


def plan_of_instance(value: Any) -> ClassPlan:
    """Return the plan that an instance was made by."""
    return _plan(plan_of(type(value)))


def _populate_ordered(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    put_pairs(value, content, decoding, _update_ordered)


def _update_ordered(value: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    for key, item in pairs:
        OrderedDict.__setitem__(value, key, item)


def _populate_dict(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    put_pairs(value, content, decoding, dict.update)


def _populate_default(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    # A partial may be populated later.
    decoding.checks.append(lambda: check_factory(extra))
    _FACTORY.__set__(value, extra)
    _populate_dict(value, None, content, decoding)


def _populate_set(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    hashing.put(content, lambda some: set.update(value, content[some]), value, decoding)


def _populate_deque(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    if extra is not None and type(extra) is not int:
        raise TypeError("a deque has a greatest length or none")
    deque.__init__(value, content, extra)


def _populate_bytearray(value: Any, extra: Any, content: Parts, decoding: Decoding) -> None:
    if type(extra) is not bytes:
        raise TypeError("a bytearray holds bytes")
    decoding.spend(len(extra))
    bytearray.extend(value, extra)


_POPULATE: Final[dict[type, Any]] = {
    list: lambda value, extra, content, decoding: list.extend(value, content),
    set: _populate_set,
    deque: _populate_deque,
    dict: _populate_dict,
    OrderedDict: _populate_ordered,
    defaultdict: _populate_default,
    bytearray: _populate_bytearray,
}


def _load_value_object(parts: Parts, decoding: Decoding) -> Any:
    plan = _plan(parts[0])
    content: Any = parts[1]
    base: Any = plan.base
    held, expected = type(content), tuple if base in (tuple, frozenset) else base
    if base not in VALUE_BASES or held is not expected or plan.is_enum:
        raise became_another(plan, f"made of {own_name_of(held)}")
    if expected is tuple and decoding.changes and id(plan) in decoding.changes:
        content = decoding.changes[id(plan)].content(content, decoding)
    if base is int:
        decoding.spend(content.bit_length() >> 3)
    elif expected in (str, bytes):
        decoding.spend(len(content))
    elif expected is tuple:
        decoding.spend(len(content) * BYTES_PER_ELEMENT)
        if base is frozenset:
            elements: set[Any] = set()
            _populate_set(elements, None, list(content), decoding)
            content = elements
    elif base in _OF_PARTS:
        return _OF_PARTS[base](plan.cls, content)
    return plan.base.__new__(plan.cls, content)


_OF_PARTS: Final[dict[type, Any]] = {
    datetime: lambda cls, value: datetime.__new__(
        cls, *_read(value, date, _DATE), *_read(value, datetime, _TIME), fold=value.fold
    ),
    date: lambda cls, value: date.__new__(cls, *_read(value, date, _DATE)),
    time: lambda cls, value: time.__new__(cls, *_read(value, time, _TIME), fold=value.fold),
    timedelta: lambda cls, value: timedelta.__new__(cls, *_read(value, timedelta, _LENGTH)),
}


def _populate_value_object(value: Any, parts: Parts, decoding: Decoding) -> None:
    attributes, slots = (*parts, None, None)[:2]
    plan_of_instance(value).set_attributes(value, attributes, slots, decoding)


def _load_member(parts: Parts, decoding: Decoding) -> Any:
    plan, name = parts
    cls = _enum(plan)
    if type(name) is not str:
        raise TypeError("a member of an enum has a name")
    member = namespace_of(cls)["_member_map_"].get(name)
    if not any(base is cls for base in mro_of(type(member))):
        raise CannotLoad(
            plan.name,
            f"it has no member {name}",
            f"put it back, or let it stand for another: `{name} = ANOTHER` in the class",
            field=name,
        )
    return member


def _load_flags(parts: Parts, decoding: Decoding) -> Any:
    plan, number, *flags = parts
    cls = _enum(plan)
    if flags:
        number = 0
        for name in flags:
            number |= _load_member([plan, name], decoding)._value_
    if not _is_combination(cls, number):
        raise ValueError(f"a combination of {plan.name} is a number")
    known = namespace_of(cls)["_value2member_map_"].get(number)
    if known is not None:
        return known
    return Flag.__dict__["_missing_"].__func__(cls, number)


def _enum(plan: Any) -> type:
    cls = _plan(plan).cls
    if not issubclass(cls, Enum):
        raise became_another(plan, "a member of an enum")
    return cls


def _plan(plan: Any) -> ClassPlan:
    if type(plan) is not ClassPlan:
        raise TypeError("an instance has a class")
    return plan


def dump_plan(plan: ClassPlan) -> ExtType:
    """Name the class that instances are made of; this is no class as a value."""
    return plan.form


OBJECT: Final = Kind("object", _load_object, _populate_object, build=_build_object, needs=1)
VALUE_OBJECT: Final = Kind("value object", _load_value_object, _populate_value_object, needs=2)
MEMBER: Final = Kind("enum member", _load_member)
FLAGS: Final = Kind("flags", _load_flags)

FAMILY: Final = Family(kinds=(OBJECT, VALUE_OBJECT, MEMBER, FLAGS))
