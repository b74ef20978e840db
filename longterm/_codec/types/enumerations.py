"""The generator that goes through the members of an enum, as in `for each in Color`.

It is the one generator of which all is known: the code is Python's own, and what it has passed is
the position of a list iterator.
"""

from __future__ import annotations

import enum
from collections import deque
from itertools import islice
from types import CodeType, GeneratorType
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, namespace_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.classes import ClassPlan, NoPlan, plan_of
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_iterate: Final[Any] = vars(enum.EnumType)["__iter__"]
_CODES: Final = [constant for constant in _iterate.__code__.co_consts if type(constant) is CodeType]


def _dump(generator: GeneratorType[Any, Any, Any]) -> Parts:
    cls = _enum_of(generator)
    plan = None if cls is None else plan_of(cls)
    if type(plan) is not ClassPlan:
        reason = plan.reason if isinstance(plan, NoPlan) and plan.reason else ""
        raise NotEncodable(
            reason or "a generator's own frame cannot be stored",
            "go through a list of it, which can be stored",
        )
    frame: Any = generator.gi_frame
    left = frame.f_locals[".0"].__length_hint__()
    return [MEMBERS.tag, plan, len(namespace_of(cls)["_member_names_"]) - left]


def _enum_of(generator: GeneratorType[Any, Any, Any]) -> Any:
    if generator.gi_frame is None or not any(generator.gi_code is code for code in _CODES):
        return None
    return generator.gi_frame.f_locals["cls"]


def _load(parts: Parts, decoding: Decoding) -> Any:
    plan, passed = parts
    if type(plan) is not ClassPlan or not plan.is_enum or type(passed) is not int or passed < 0:
        raise TypeError("the members of an enum are gone through")
    if not is_a(plan.cls, enum.EnumType):
        raise TypeError(f"{plan.name} is no enum")
    names = namespace_of(plan.cls)["_member_names_"]
    decoding.spend(len(names))
    made = _iterate(plan.cls)
    deque(islice(made, min(passed, len(names))), maxlen=0)
    return made


MEMBERS: Final = Kind("members of an enum", _load)

FAMILY: Final = Family(
    kinds=(MEMBERS,),
    rows=(Row(GeneratorType, dump=_dump, group="iterators", note="over an enum: `iter(Color)`"),),
)
