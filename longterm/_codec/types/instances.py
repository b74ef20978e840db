"""Instances of plain classes, of subclasses of builtins, and members of enums.

An instance is its class by name, its `__dict__`, its slots by name, and the content of its builtin
base. No `__init__`, `__new__`, `__setattr__`, `__reduce__` or `__setstate__` of its class runs.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from enum import Enum, Flag
from typing import Any, Final

from msgpack import ExtType

from longterm._codec import wire
from longterm._codec.decode.budget import BYTES_PER_ELEMENT, Budget
from longterm._codec.encode.order import in_order
from longterm._codec.refusal import Refused
from longterm._codec.types.classes import BARE_BASES, VALUE_BASES, ClassPlan, plan_of
from longterm._codec.types.kinds import Kind, Parts


def take_instance(value: Any, plan: ClassPlan) -> Parts:
    """Take apart an instance of the plan's class."""
    ends = _without_end(plan.attributes(value), plan.slot_values(value))
    base = plan.base
    if base in VALUE_BASES:
        return [VALUE_OBJECT.tag, plan, _CONTENT[base](value), *ends]
    if base in BARE_BASES:
        return [OBJECT.tag, plan, *ends]
    content = _CONTENT[base](value)
    return [OBJECT.tag, plan, plan.attributes(value), plan.slot_values(value), *content]


def _without_end(attributes: Any, slots: Any) -> Parts:
    if slots is not None:
        return [attributes, slots]
    return [] if attributes is None else [attributes]


def take_enum(value: Any, plan: ClassPlan) -> Parts:
    """Take a member of an enum by its name, a combination of flags by its value."""
    name = value._name_
    if type(value)._member_map_.get(name) is value:
        return [MEMBER.tag, plan, name]
    if not _is_combination(type(value), value._value_):
        raise Refused(
            "it is no member of its enum by name or by value", "keep what it was made from"
        )
    return [FLAGS.tag, plan, int.__pos__(value._value_)]


def _is_combination(cls: type, number: Any) -> bool:
    """Tell whether a number is a combination of flags that can be made without code of the class.

    The stock `_missing_` of Flag makes it, past one that the class defines.
    """
    return issubclass(cls, Flag) and type(number) is int and "__new_member__" not in vars(cls)


_FACTORY: Final[Any] = vars(defaultdict)["default_factory"]
_MAXLEN: Final[Any] = vars(deque)["maxlen"]
_CONTENT: Final[dict[type, Any]] = {
    int: int.__pos__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    frozenset: lambda value: tuple(in_order([*frozenset.__iter__(value)])),
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


def _make_object(parts: Parts, budget: Budget) -> Any:
    plan = _plan(parts[0])
    if plan.base in VALUE_BASES:
        raise TypeError(f"{plan.name} is not made without its content")
    if not issubclass(plan.cls, BaseException):
        return plan.base.__new__(plan.cls)
    raise TypeError(f"{plan.name} is an exception")


def _fill_object(value: Any, parts: Parts, budget: Budget) -> None:
    plan = plan_of_instance(value)
    attributes, slots = (*parts[:2], None, None)[:2]
    plan.set_attributes(value, attributes, slots, budget)
    if len(parts) > 2:
        _FILL[plan.base](value, parts[2], parts[3:], budget)


def plan_of_instance(value: Any) -> ClassPlan:
    """Return the plan that an instance was made by."""
    return _plan(plan_of(type(value)))


def _fill_ordered(value: Any, extra: Any, content: Parts, budget: Budget) -> None:
    keys = iter(content)
    for key, each in zip(keys, keys, strict=True):
        OrderedDict.__setitem__(value, key, each)


def _fill_dict(value: Any, extra: Any, content: Parts, budget: Budget) -> None:
    keys = iter(content)
    dict.update(value, zip(keys, keys, strict=True))


def _fill_default(value: Any, extra: Any, content: Parts, budget: Budget) -> None:
    _FACTORY.__set__(value, extra)
    _fill_dict(value, None, content, budget)


def _fill_bytearray(value: Any, extra: Any, content: Parts, budget: Budget) -> None:
    if type(extra) is not bytes:
        raise TypeError("a bytearray holds bytes")
    budget.spend(len(extra))
    bytearray.extend(value, extra)


_FILL: Final[dict[type, Any]] = {
    list: lambda value, extra, content, budget: list.extend(value, content),
    set: lambda value, extra, content, budget: set.update(value, content),
    deque: lambda value, extra, content, budget: deque.__init__(value, content, extra),
    dict: _fill_dict,
    OrderedDict: _fill_ordered,
    defaultdict: _fill_default,
    bytearray: _fill_bytearray,
}


def _make_value_object(parts: Parts, budget: Budget) -> Any:
    plan = _plan(parts[0])
    content: Any = parts[1]
    base = plan.base
    held, expected = type(content), tuple if base in (tuple, frozenset) else base
    if base not in VALUE_BASES or held is not expected:
        raise TypeError(f"{plan.name} does not hold a {held.__name__}")
    if base is int:
        budget.spend(content.bit_length() >> 3)
    elif expected in (str, bytes):
        budget.spend(len(content))
    elif expected is tuple:
        budget.spend(len(content) * BYTES_PER_ELEMENT)
    return base.__new__(plan.cls, content)


def _fill_value_object(value: Any, parts: Parts, budget: Budget) -> None:
    attributes, slots = (*parts, None, None)[:2]
    plan_of_instance(value).set_attributes(value, attributes, slots, budget)


def _make_member(parts: Parts, budget: Budget) -> Any:
    plan, name = parts
    member = vars(_enum(plan))["_member_map_"][name]
    if not isinstance(member, plan.cls):
        raise TypeError(f"{name} is no member of {plan.name}")
    return member


def _make_flags(parts: Parts, budget: Budget) -> Any:
    plan, number = parts
    cls = _enum(plan)
    known = vars(cls)["_value2member_map_"].get(number)
    if known is not None:
        return known
    if not _is_combination(cls, number):
        raise ValueError(f"{number!r} is no member of {plan.name}")
    return Flag.__dict__["_missing_"].__func__(cls, number)


def _enum(plan: Any) -> type:
    cls = _plan(plan).cls
    if not issubclass(cls, Enum):
        raise TypeError(f"{plan.name} is no enum")
    return cls


def _plan(plan: Any) -> ClassPlan:
    if type(plan) is not ClassPlan:
        raise TypeError("an instance has a class")
    return plan


def take_plan(plan: ClassPlan) -> ExtType:
    """Name the class that instances are made of; this is no class as a value."""
    return ExtType(wire.TYPE, plan.name.encode())


OBJECT: Final = Kind(20, "object", _make_object, _fill_object, needs=1)
VALUE_OBJECT: Final = Kind(21, "value object", _make_value_object, _fill_value_object, needs=2)
MEMBER: Final = Kind(22, "enum member", _make_member)
FLAGS: Final = Kind(23, "flags", _make_flags)
