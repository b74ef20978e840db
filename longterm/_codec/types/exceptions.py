"""Exceptions of every shape: arguments, attributes, notes, cause and context, groups.

Made by the builtin base's `__new__` alone, so constructors with any signature are no matter. What a
builtin exception keeps outside `args` (an errno, a name, a value) is stored by its name.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import HEAP_TYPE, flags_of, is_a, mro_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.classes import ClassPlan, became_another
from longterm._codec.types.kinds import Family, Kind, Parts
from longterm._codec.types.registry import PLANS

_MEMBERS: Final[dict[type[BaseException], tuple[str, ...]]] = {
    StopIteration: ("value",),
    SystemExit: ("code",),
    ImportError: ("msg", "name", "path", "name_from"),
    NameError: ("name",),
    AttributeError: ("name", "obj"),
    OSError: ("errno", "strerror", "filename", "filename2", "characters_written"),
    SyntaxError: (
        "msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset",
        "print_file_and_line",
    ),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
}  # fmt: skip


def dump_exception(value: BaseException, plan: ClassPlan) -> Parts:
    """Take apart an exception of the plan's class."""
    state: dict[str, Any] = {"args": _get(value, BaseException, "args")}
    for name in ("__cause__", "__context__", "__traceback__"):
        linked = _get(value, BaseException, name)
        if linked is not None:
            state[name] = linked
    if _get(value, BaseException, "__suppress_context__"):
        state["__suppress_context__"] = True
    for owner, members in _members_of(type(value)):
        for name in members:
            if name in vars(owner):
                member = _member(value, owner, name)
                if member is not None:
                    state[name] = member
    _check_members(type(value), state)
    ends = (plan.attributes(value), plan.slot_values(value))
    if is_a(value, BaseExceptionGroup):
        message = _get(value, BaseExceptionGroup, "message")
        held = _get(value, BaseExceptionGroup, "exceptions")
        return [GROUP.tag, plan, message, held, state, *ends]
    return [EXCEPTION.tag, plan, state, *ends]


def _member(value: BaseException, owner: type, name: str) -> Any:
    try:
        return _get(value, owner, name)
    except AttributeError:
        # What only some of a family have, such as how much was written before it blocked.
        return None


def _get(value: BaseException, owner: type, name: str) -> Any:
    return vars(owner)[name].__get__(value)


def _members_of(cls: type) -> list[tuple[type[BaseException], tuple[str, ...]]]:
    static = (base for base in mro_of(cls) if not flags_of(base) & HEAP_TYPE)
    return [(base, _MEMBERS[base]) for base in static if base in _MEMBERS]


_TEXT, _NUMBER = (str, type(None)), (int, type(None))
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "name_from": _TEXT, "path": _TEXT,
    "lineno": _NUMBER, "offset": _NUMBER, "end_lineno": _NUMBER, "end_offset": _NUMBER,
    "text": _TEXT, "encoding": (str,), "start": (int,), "end": (int,), "reason": (str,),
    "characters_written": (int,), "__traceback__": (TracebackType, type(None)),
}  # fmt: skip
"""What members are, where showing the exception relies on it."""


def _check_members(cls: type, state: dict[str, Any]) -> None:
    """Raise `Refused` if showing an exception with these members could read what is not there.

    The code in C that shows exceptions of Unicode takes their members for what they should be.
    """
    for name, types in _TYPES.items():
        if name in state and not is_a(state[name], *types):
            raise NotEncodable(f"its {name} is no {types[0].__name__}", "make it the usual way")
    kind = bytes if issubclass(cls, UnicodeDecodeError) else str
    if "object" in state:
        if not is_a(state["object"], kind):
            raise NotEncodable(f"its object is no {kind.__name__}", "make it the usual way")
        if not 0 <= state.get("start", 0) <= kind.__len__(state["object"]):
            raise NotEncodable("its start is outside of its object", "make it the usual way")


def _load_exception(parts: Parts, decoding: Decoding) -> BaseException:
    (plan,) = parts
    cls = _exception_class(plan)
    if issubclass(cls, BaseExceptionGroup):
        raise became_another(plan, "an exception, and no group of them,")
    made: BaseException = plan.base.__new__(cls)
    if plan.is_fragile:
        decoding.fragile.append(made)
    return made


def _load_group(parts: Parts, decoding: Decoding) -> BaseException:
    plan, message, held = parts
    cls = _exception_class(plan)
    if not issubclass(cls, BaseExceptionGroup):
        raise became_another(plan, "a group of exceptions")
    if type(held) is not tuple or type(message) is not str:
        raise TypeError("a group is made of a message and exceptions")
    decoding.spend(len(held))
    made = BaseExceptionGroup.__new__(cls, message, held)
    if plan.is_fragile:
        decoding.fragile.append(made)
    return made


def _populate_exception(value: BaseException, parts: Parts, decoding: Decoding) -> None:
    state, attributes, slots = parts
    if type(state) is not dict or type(state.get("args")) is not tuple:
        raise TypeError("an exception has arguments")
    if not all(type(name) is str for name in state):
        raise TypeError("the members of an exception have names")
    _check_members(type(value), state)
    known = {name: owner for owner, members in _members_of(type(value)) for name in members}
    for name, member in state.items():
        if name == "name_from" and state.get("name") not in sys.modules:
            continue  # from 3.12 on, showing it would import the module of that name (gh-98305)
        owner = BaseException if name in _COMMON else known.get(name)
        if owner is None:
            raise became_another(PLANS[id(type(value))], f"an exception with {name!r}")
        if name in vars(owner):
            vars(owner)[name].__set__(value, member)
    PLANS[id(type(value))].set_attributes(value, attributes, slots, decoding)


_COMMON: Final = ("args", "__cause__", "__context__", "__suppress_context__", "__traceback__")


def _exception_class(plan: Any) -> type[BaseException]:
    if type(plan) is not ClassPlan:
        raise TypeError("an exception has a class")
    if not issubclass(plan.cls, BaseException):
        raise became_another(plan, "an exception")
    return plan.cls


EXCEPTION: Final = Kind("exception", _load_exception, _populate_exception, needs=1)
GROUP: Final = Kind("exception group", _load_group, _populate_exception, needs=3)

FAMILY: Final = Family(kinds=(EXCEPTION, GROUP))
