"""How instances of a class are stored: its base, its `__dict__`, its slots. One plan per class.

A plan is made only for a class of which all is known: written in Python, over a base that the codec
can make by itself. An instance is made by that base's own `__new__` and gets its attributes through
the base's own descriptors, so that no code of the class runs.
"""

from __future__ import annotations

import sys
from collections import ChainMap, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from sys import intern
from types import (
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any, Final, Generic

from msgpack import ExtType

from longterm._codec import names, trust, wire
from longterm._codec.decode.decoding import Decoding
from longterm._codec.hints import why_never_plain
from longterm._codec.introspect import (
    HEAP_TYPE,
    flags_of,
    is_a,
    is_exactly,
    mro_of,
    namespace_of,
    own_name_of,
)
from longterm._codec.introspect import base_of as base_class_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.trust import namespace_of_module
from longterm._codec.types.declared import CACHED_HASH, names_of
from longterm._codec.types.kinds import Family
from longterm._codec.types.registry import PLANS
from longterm.errors import CannotLoad, NotAllowed

if TYPE_CHECKING:
    from longterm._codec.types.changes import Change

_C_DESCRIPTORS: Final = (
    MethodDescriptorType,
    WrapperDescriptorType,
    ClassMethodDescriptorType,
)
_METHODS: Final = (FunctionType, staticmethod, classmethod, *_C_DESCRIPTORS)
_STRING: Final = frozenset({id(str)})

CONTENT_BASES: Final = (list, dict, set, OrderedDict, defaultdict, deque, bytearray)
"""Bases that hold content of their own, which can be populated later."""
VALUE_BASES: Final = (
    int, float, complex, str, bytes, tuple, frozenset, datetime, date, time, timedelta,
)  # fmt: skip
"""Bases that are their content, which must be there when the instance is made."""
BARE_BASES: Final = (object, tzinfo, Generic)
"""Bases that hold nothing; `Generic` is written in C from Python 3.12 on (PEP 695)."""


class ClassPlan:
    """What is known of a class whose instances can be stored."""

    __slots__ = (
        "_attributes_of",
        "_plain_ids",
        "_plain_names",
        "_slots_of",
        "base",
        "cls",
        "declared",
        "form",
        "is_enum",
        "is_fragile",
        "is_made_empty",
        "is_opened",
        "marker",
        "methods",
        "name",
        "namespace",
        "slots",
    )

    def __init__(self, cls: type, name: str) -> None:
        """Read the class; see `plan_of` for what is refused."""
        self.cls = cls
        self.name = name
        self.base: Any = base_of(cls)
        self.is_enum = "_member_map_" in namespace_of(cls)
        is_value = self.base in VALUE_BASES or issubclass(cls, BaseException)
        self.is_made_empty = not (is_value or self.is_enum)
        """Whether an instance is made first, and gets all that it holds afterwards."""
        self.is_fragile = not _is_written_in_python(cls)
        """Whether each level of such instances takes native stack when it is freed."""
        self.methods = _methods_of(cls)
        """The names of its methods, which an attribute could hide."""
        self.namespace = _namespace_of(cls)
        self.slots = _slots_of(cls)
        self.marker = _marker(cls, self.base)
        """The builtin that its instances are made of, as it stands in bytes."""
        self.declared = self._declared()
        """The marker, if there is one, and the names that it says its instances have."""
        texts = [name, *self.declared]
        code = wire.CLASS if self.declared else wire.TYPE
        self.form = ExtType(code, "\0".join(texts).encode())
        """What stands for it as the class of an instance."""
        self.is_opened = False
        """Whether its instances are known to be taken apart in trees: see `encode.opened`.
        Forgotten when a type is registered, which may be this one."""
        self._attributes_of = self.namespace.__get__ if self.namespace else None
        self._slots_of = [(name, slot.__get__) for name, slot in self.slots.items()]
        self._plain_names = self._names_without_check()
        self._plain_ids = frozenset(map(id, self._plain_names))

    def _names_without_check(self) -> tuple[str, ...]:
        """Return the names that attributes may have whatever their values are.

        They are compared by identity, since a string of the author's may have an `__eq__`. Names of
        attributes are interned.
        """
        if self.name in _HELD_BY:
            return ()
        named = (intern(name) for name in self.declared if type(name) is str)
        return tuple(name for name in named if name not in self.methods | _NOTES)

    def _declared(self) -> tuple[str, ...]:
        if self.is_enum:
            return ()
        declared = names_of(self.cls, self.slots, has_namespace=self.namespace is not None)
        return (self.marker, *declared) if self.marker else declared

    def attributes(self, instance: object) -> dict[str, Any] | None:
        """Return the instance's own `__dict__`, or None if it has none or an empty one.

        Raises:
            Refused: an attribute has a name that is no string, or may not have its value.
        """
        attributes = self._attributes_of(instance) if self._attributes_of else None
        if not attributes:
            return None
        if not self._are_plain(attributes):
            self.check_attributes(attributes)
            if not _NOTES.isdisjoint(attributes):
                return _without_notes(attributes)
        return attributes  # type: ignore[no-any-return]

    def _are_plain(self, attributes: dict[str, Any]) -> bool:
        """Tell whether attributes are some that the class declares, and need no further check."""
        return bool(attributes) and self._plain_ids.issuperset(map(id, attributes))

    def state(self, instance: object) -> list[dict[str, Any] | None]:
        """Return its attributes and the values of its slots, as far as it has them."""
        attributes, slots = self.attributes(instance), self.slot_values(instance)
        if slots is not None:
            return [attributes, slots]
        return [] if attributes is None else [attributes]

    def slot_values(self, instance: object) -> dict[str, Any] | None:
        """Return the values of the slots that are set."""
        if not self._slots_of:
            return None
        values = {}
        for name, get in self._slots_of:
            try:
                values[name] = get(instance)
            except AttributeError:
                continue
        if not _NOTES.isdisjoint(values):
            return _without_notes(values)
        return values or None

    def set_attributes(
        self, instance: object, attributes: Any, slot_values: Any, decoding: Decoding
    ) -> None:
        """Give an instance its `__dict__` and slots, past any `__setattr__` and property."""
        if decoding.changes and id(self) in decoding.changes:
            decoding.changes[id(self)].settle(instance, attributes, slot_values, decoding)
            return
        if attributes is not None:
            if type(attributes) is not dict:
                raise TypeError(f"the attributes of {self.name} have names")
            if self.namespace is None:
                self.change(self.declared, decoding).settle(
                    instance, attributes, slot_values, decoding
                )
                return
            decoding.spend(len(attributes))
            if decoding.placeholders:  # they may be populated later
                decoding.checks.append(partial(self.check_attributes, attributes))
            elif not self._are_plain(attributes):
                self.check_attributes(attributes)
            self.namespace.__set__(instance, attributes)
        if slot_values is not None:
            if type(slot_values) is not dict:
                raise TypeError(f"the slots of {self.name} have names")
            for name, value in slot_values.items():
                slot = self.slots.get(name) if type(name) is str else None
                if slot is None:
                    self.change(self.declared, decoding).settle(
                        instance, attributes, slot_values, decoding
                    )
                    return
                slot.__set__(instance, value)

    def change(self, declared: tuple[str, ...] | None, decoding: Decoding) -> Change:
        """Note that the class has changed since it was stored with these names, if it said any."""
        from longterm._codec.types.changes import Change

        made = decoding.changes[id(self)] = Change(self, declared)
        return made

    def check_attributes(self, attributes: dict[str, Any]) -> None:
        """Raise `Refused` if what an instance holds would make its methods other than they are."""
        if not _STRING.issuperset(map(id, map(type, attributes))):
            raise NotEncodable(
                "an attribute of it has a name that is no string", "give it names that are strings"
            )
        if not self.methods.isdisjoint(attributes):
            self._refuse_hidden_methods(attributes)
        if self.name in _HELD_BY:
            self._check_held(attributes)

    def _refuse_hidden_methods(self, attributes: dict[str, Any]) -> None:
        # Called as a method, it would be called without a word: so bytes could choose what runs.
        for name in self.methods.intersection(attributes):
            if callable(attributes[name]) and not _is_declared(self.cls, name):
                raise NotEncodable(
                    f"its attribute {name!r} hides the method of that name",
                    "give the attribute another name, or declare it in the class with a type",
                )

    def _check_held(self, attributes: dict[str, Any]) -> None:
        for name, types in _HELD_BY[self.name].items():
            if not is_a(attributes.get(name), *types):
                raise NotEncodable(f"its {name} is no {types[0].__name__}", "make it the usual way")
        for mapping in attributes["maps"] if self.cls is ChainMap else ():
            if not any("keys" in namespace_of(base) for base in mro_of(type(mapping))):
                raise NotEncodable("it chains what is no mapping", "make it of dicts")


_HELD_BY: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    "collections:ChainMap": {"maps": (list,)},
    "collections:UserDict": {"data": (dict,)},
    "collections:UserList": {"data": (list,)},
    "collections:UserString": {"data": (str,)},
    "contextlib:suppress": {"_exceptions": (tuple,)},
    "string:Template": {"template": (str,)},
}
"""What classes of the standard library go through or compare, when they are shown or compared."""


@dataclass(slots=True, eq=False, repr=False)
class NoPlan:
    """Why instances of a class cannot be stored, and what to do; both empty if it is not known."""

    reason: str = ""
    hint: str = ""


def plan_of(cls: type) -> ClassPlan | NoPlan:
    """Return the plan of a class, or why there is none."""
    plan = PLANS.get(id(cls))
    if plan is not None:
        return plan
    if base_of(cls) is None:
        return NoPlan()
    name = names.name_of(cls)
    if name is None:
        return NoPlan(
            "its class cannot be imported by name", "define the class at the top of a module"
        )
    if not trust.may_have_instances(cls, name):
        return _why_no_instances(cls, name)
    why = why_never_plain(cls)
    if why is not None and not trust.is_allowed_by_name(name.partition(":")[0]):
        return NoPlan(*why)
    plan = PLANS[id(cls)] = ClassPlan(cls, name)
    return plan


def plan_named(name: str) -> ClassPlan:
    """Return the plan of the class that stored bytes name.

    Raises:
        NotAllowed: there is no such class, or its instances cannot be stored.
    """
    cls, _ = names.find(name)
    if not is_a(cls, type):
        raise NotAllowed(name, f"is not a class (if it was one: {KEEP})")
    plan = plan_of(cls)
    if isinstance(plan, NoPlan):
        reason = plan.reason or "its class is not plain"
        hint = KEEP
        if has_finalizer(cls):
            hint = f"if it is to run, longterm.allow({name.partition(':')[0]!r})"
        raise NotAllowed(name, f"cannot have stored instances: {reason} ({hint})")
    return plan


KEEP: Final = (
    "keep the class under its name as it was, until no run holds an instance, and give the new one "
    "another name"
)


def _read_class(payload: bytes, decoding: Decoding) -> ClassPlan:
    plan: ClassPlan | None = decoding.classes.get(payload)
    if plan is None:
        plan = _as_before(payload) or _plan_of_form(payload, decoding)
        decoding.classes[payload] = plan
    return plan


_read: dict[bytes, tuple[ClassPlan, str, str]] = {}
"""The plans of the classes that have not changed since they were stored, by their forms, each with
the module and the name in it."""


def _as_before(payload: bytes) -> ClassPlan | None:
    """Return the plan of a form that was read before, if its module has the class still."""
    known = _read.get(payload)
    if known is None:
        return None
    plan, module_name, name = known
    module: Any = sys.modules.get(module_name)
    is_there = type(module) is ModuleType and namespace_of_module(module).get(name) is plan.cls
    return plan if is_there else None


def _plan_of_form(payload: bytes, decoding: Decoding) -> ClassPlan:
    text, _, declared = payload.partition(b"\0")
    name = text.decode()
    plan = plan_named(name)
    if payload == plan.form.data:
        module_name, _, own_name = name.partition(":")
        _read[payload] = plan, module_name, own_name
    elif not plan.is_enum:
        then = tuple(declared.decode().split("\0")) if declared else None
        if then != plan.declared:
            plan.change(then, decoding).check_base()
    return plan


def became_another(plan: ClassPlan, then: str) -> CannotLoad:
    """Return the refusal of what was stored when the class was of another kind."""
    return CannotLoad(plan.name, f"it was {then} when it was stored, and is another now", KEEP)


def base_of(cls: type) -> type | None:
    """Return the builtin that lays out the instances of a class, or None if it is not known."""
    known = (*CONTENT_BASES, *VALUE_BASES, *BARE_BASES)
    while True:
        is_static = not flags_of(cls) & HEAP_TYPE
        if any(cls is base for base in known) or (is_static and issubclass(cls, BaseException)):
            return cls
        if not _is_written_in_python(cls) or base_class_of(cls) is None:
            return None
        cls = base_class_of(cls)


def _marker(cls: type, base: Any) -> str:
    """Return what stands for the builtin that a class is made of; nothing if it is `object`."""
    is_told = base not in BARE_BASES and base is not cls and not issubclass(base, BaseException)
    return f"<{own_name_of(base)}>" if is_told else ""


def _is_written_in_python(cls: type) -> bool:
    if not flags_of(cls) & HEAP_TYPE:
        return False
    return not any(
        is_exactly(value, *_C_DESCRIPTORS) and value.__objclass__ is cls
        for value in namespace_of(cls).values()
    )


_ALIAS: Final = "__orig_class__"
"""Where an instance that was made as `Page[int]()` notes its alias."""
_NOTES: Final = frozenset({_ALIAS, CACHED_HASH})


def _without_notes(attributes: dict[str, Any]) -> dict[str, Any] | None:
    """Return attributes without what is of this process, or cannot be stored.

    Like an annotation, the alias is left out if it names what cannot be stored.
    """
    from longterm._codec.types import aliases

    kept = attributes
    alias = attributes.get(_ALIAS)
    if aliases.is_alias(alias) and not aliases.can_be_stored(alias):
        kept = {name: value for name, value in kept.items() if name != _ALIAS}
    if kept.get(CACHED_HASH) is not None:
        kept = {**kept, CACHED_HASH: None}  # made anew when it is asked for
    return kept or None


def _namespace_of(cls: type) -> Any:
    for base in mro_of(cls):
        found = namespace_of(base).get("__dict__")
        if type(found) is GetSetDescriptorType:
            return found
    return None


def _slots_of(cls: type) -> dict[str, MemberDescriptorType]:
    slots: dict[str, MemberDescriptorType] = {}
    for base in mro_of(cls):
        if not _is_written_in_python(base):
            continue
        for value in namespace_of(base).values():
            if type(value) is MemberDescriptorType and value.__objclass__ is base:
                name = value.__name__
                slots[f"{own_name_of(base)}.{name}" if name in slots else name] = value
    return slots


def _methods_of(cls: type) -> frozenset[str]:
    """Return the names of the methods that an attribute of an instance comes before."""
    return frozenset(
        name
        for base in mro_of(cls)
        for name, value in namespace_of(base).items()
        if is_exactly(value, *_METHODS) and not name.startswith("__")
    )


def _is_declared(cls: type, name: str) -> bool:
    """Tell whether a class says that instances have an attribute, such as a field of a dataclass.

    What looks like a method is its default then.
    """
    for base in mro_of(cls):
        namespace = namespace_of(base)
        fields = namespace.get("__dataclass_fields__"), namespace.get("__annotations__")
        if any(type(names) is dict and name in names for names in fields):
            return True
    return False


def has_finalizer(cls: type) -> bool:
    """Return whether code of a class runs when an instance is freed."""
    return any("__del__" in namespace_of(base) for base in mro_of(cls))


def _why_no_instances(cls: type, name: str) -> NoPlan:
    if has_finalizer(cls):
        module_name = name.partition(":")[0]
        return NoPlan(
            "its class has a __del__, which forged bytes could make run",
            f"register the type, or longterm.allow({module_name!r})",
        )
    # Not `allow`: what is not known to be plain data may be part of its process.
    return NoPlan(
        "its class is not plain data as far as is known",
        "keep what it is made of and make it again after the suspend, or register its type",
    )


FAMILY: Final = Family(careful_readers={wire.TYPE: _read_class, wire.CLASS: _read_class})
