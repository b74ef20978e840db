"""The generators that go through the members of an enum: `for each in Color`, and backwards.

What one has passed is the position of a list iterator.
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
from longterm._codec.types.kinds import Family, Kind, Parts

_forwards: Final[Any] = vars(enum.EnumType)["__iter__"]
_backwards: Final[Any] = vars(enum.EnumType)["__reversed__"]


def _inner_code(function: Any) -> CodeType:
    """Return the code of the generator expression that a function returns."""
    return next(part for part in function.__code__.co_consts if type(part) is CodeType)


FORWARDS: Final = _inner_code(_forwards)
BACKWARDS: Final = _inner_code(_backwards)
"""The codes of these generators."""


def dump_members(generator: GeneratorType[Any, Any, Any]) -> Parts:
    """Take apart a generator of one of these codes that has not ended."""
    frame: Any = generator.gi_frame
    cls = frame.f_locals["cls"]
    plan = plan_of(cls)
    if type(plan) is not ClassPlan:
        assert isinstance(plan, NoPlan)
        raise NotEncodable(plan.reason or "its enum cannot be stored", "go through a list of it")
    left = frame.f_locals[".0"].__length_hint__()
    passed = len(namespace_of(cls)["_member_names_"]) - left
    return [MEMBERS.tag, plan, passed, *([True] if generator.gi_code is BACKWARDS else [])]


def _load(parts: Parts, decoding: Decoding) -> Any:
    plan, passed, *backwards = parts
    if type(plan) is not ClassPlan or not plan.is_enum or type(passed) is not int or passed < 0:
        raise TypeError("the members of an enum are gone through")
    if not is_a(plan.cls, enum.EnumType):
        raise TypeError(f"{plan.name} is no enum")
    names = namespace_of(plan.cls)["_member_names_"]
    decoding.spend(len(names))
    made = (_backwards if backwards == [True] else _forwards)(plan.cls)
    deque(islice(made, min(passed, len(names))), maxlen=0)
    return made


MEMBERS: Final = Kind("members of an enum", _load)

FAMILY: Final = Family(kinds=(MEMBERS,))
