"""How instances of a class are stored: its base, its `__dict__`, its slots. One plan per class.

A plan is made only for a class of which all is known: written in Python, over a base that the codec
can fill by itself. An instance is made by that base's own `__new__` and gets its attributes through
the base's own descriptors, so that no code of the class runs.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import tzinfo
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import Any, Final, Generic

from longterm._codec import names, wire
from longterm._codec import trust as allowed
from longterm._codec.decode.budget import Budget
from longterm._codec.refusal import Refused
from longterm._codec.types.kinds import CAREFUL_READERS
from longterm.errors import NotAllowed

_C_DESCRIPTORS: Final = (
    MethodDescriptorType,
    WrapperDescriptorType,
    ClassMethodDescriptorType,
    BuiltinFunctionType,
)
_HEAP_TYPE: Final = 1 << 9

_STRING: Final = frozenset({str})

CONTENT_BASES: Final = (list, dict, set, OrderedDict, defaultdict, deque, bytearray)
"""Bases that hold content of their own, which can be filled later."""
VALUE_BASES: Final = (int, float, complex, str, bytes, tuple, frozenset)
"""Bases that are their content, which must be there when the instance is made."""
BARE_BASES: Final = (object, tzinfo, Generic)
"""Bases that hold nothing; `Generic` is written in C from Python 3.12 on."""


class ClassPlan:
    """What is known of a class whose instances can be stored."""

    __slots__ = ("base", "cls", "name", "namespace", "slots")

    def __init__(self, cls: type, name: str) -> None:
        """Read the class; see `plan_of` for what is refused."""
        self.cls = cls
        self.name = name
        self.base: Any = base_of(cls)
        self.namespace = _namespace_of(cls)
        self.slots = _slots_of(cls)

    def attributes(self, instance: object) -> dict[str, Any] | None:
        """Return the instance's own `__dict__`, or None if it has none or an empty one.

        Raises:
            Refused: an attribute has a name that is no string.
        """
        attributes = self.namespace.__get__(instance) if self.namespace else None
        if not attributes:
            return None
        if not _STRING.issuperset(map(type, attributes)):
            raise Refused(
                "an attribute of it has a name that is no string", "give it names that are strings"
            )
        if "__orig_class__" in attributes:
            return _with_parameters_that_can_be_stored(attributes)
        return attributes  # type: ignore[no-any-return]

    def slot_values(self, instance: object) -> dict[str, Any] | None:
        """Return the values of the slots that are set."""
        values = {}
        for name, slot in self.slots.items():
            try:
                values[name] = slot.__get__(instance)
            except AttributeError:
                continue
        if "__orig_class__" in values:
            return _with_parameters_that_can_be_stored(values)
        return values or None

    def set_attributes(
        self, instance: object, attributes: Any, slot_values: Any, budget: Budget
    ) -> None:
        """Give an instance its `__dict__` and slots, past any `__setattr__` and property."""
        if attributes is not None:
            if type(attributes) is not dict or self.namespace is None:
                raise TypeError(f"{self.name} has no attributes")
            budget.spend(len(attributes))
            if not all(type(name) is str for name in attributes):
                raise TypeError(f"an attribute of {self.name} has no name")
            self.namespace.__set__(instance, attributes)
        if slot_values is not None:
            if type(slot_values) is not dict:
                raise TypeError(f"the slots of {self.name} have names")
            for name, value in slot_values.items():
                self.slots[name].__set__(instance, value)


PLANS: dict[type, ClassPlan] = {}
"""The plans made so far."""


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why instances of a class cannot be stored, and what to do; both empty if it is not known."""

    reason: str = ""
    remedy: str = ""


def plan_of(cls: type) -> ClassPlan | NoPlan:
    """Return the plan of a class, or why there is none."""
    plan = PLANS.get(cls)
    if plan is not None:
        return plan
    if base_of(cls) is None:
        return NoPlan()
    name = names.name_of(cls)
    if name is None:
        return NoPlan(
            "its class cannot be imported by name", "define the class at the top of a module"
        )
    if not allowed.may_have_instances(cls, name, allowed.module(name.partition(":")[0])):
        return _why_no_instances(cls, name)
    plan = PLANS[cls] = ClassPlan(cls, name)
    return plan


def plan_named(name: str) -> ClassPlan:
    """Return the plan of the class that stored bytes name.

    Raises:
        NotAllowed: there is no such class, or its instances cannot be stored.
    """
    cls, _ = names.find(name)
    if not isinstance(cls, type):
        raise NotAllowed(name, "is not a class")
    plan = plan_of(cls)
    if isinstance(plan, NoPlan):
        reason = plan.reason or "its class is not plain"
        raise NotAllowed(name, f"cannot have stored instances: {reason}")
    return plan


CAREFUL_READERS[wire.TYPE] = lambda payload, budget: plan_named(payload.decode())


def base_of(cls: type) -> type | None:
    """Return the builtin that lays out the instances of a class, or None if it is not known."""
    known = (*CONTENT_BASES, *VALUE_BASES, *BARE_BASES)
    while True:
        if cls in known or (not cls.__flags__ & _HEAP_TYPE and issubclass(cls, BaseException)):
            return cls
        if not _is_written_in_python(cls) or cls.__base__ is None:
            return None
        cls = cls.__base__


def _is_written_in_python(cls: type) -> bool:
    if not cls.__flags__ & _HEAP_TYPE:
        return False
    return not any(
        isinstance(value, _C_DESCRIPTORS) and getattr(value, "__objclass__", None) is cls
        for value in vars(cls).values()
    )


def _with_parameters_that_can_be_stored(attributes: dict[str, Any]) -> dict[str, Any] | None:
    """Return attributes of an instance that was made as `Page[int]()`, which notes its alias.

    Like an annotation, the alias is left out if it names what cannot be stored.
    """
    from longterm._codec.types import aliases

    alias = attributes["__orig_class__"]
    if not aliases.is_alias(alias) or aliases.can_be_stored(alias):
        return attributes
    kept = {name: each for name, each in attributes.items() if name != "__orig_class__"}
    return kept or None


def _namespace_of(cls: type) -> Any:
    for base in cls.__mro__:
        found = vars(base).get("__dict__")
        if type(found) is GetSetDescriptorType:
            return found
    return None


def _slots_of(cls: type) -> dict[str, MemberDescriptorType]:
    slots: dict[str, MemberDescriptorType] = {}
    for base in cls.__mro__:
        if not _is_written_in_python(base):
            continue
        for value in vars(base).values():
            if type(value) is MemberDescriptorType and value.__objclass__ is base:
                name = value.__name__
                slots[f"{base.__name__}.{name}" if name in slots else name] = value
    return slots


def _why_no_instances(cls: type, name: str) -> NoPlan:
    if any("__del__" in vars(base) for base in cls.__mro__):
        reason = "its class has a __del__, which forged bytes could make run"
    else:
        reason = "its class is not plain data as far as is known"
    module_name = name.partition(":")[0]
    return NoPlan(reason, f"register the type, or longterm.allow({module_name!r})")
