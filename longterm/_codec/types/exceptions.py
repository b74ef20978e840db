"""Exceptions of every shape: arguments, attributes, notes, cause and context, groups.

Made by the builtin base's `__new__` alone, so constructors with any signature are no matter. What a
builtin exception keeps outside `args` (an errno, a name, a value) is stored by its name.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final

from longterm._codec.decode.budget import Budget
from longterm._codec.types.classes import ClassPlan
from longterm._codec.types.kinds import Kind, Parts, is_a

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


def take_exception(value: BaseException, plan: ClassPlan) -> Parts:
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
    ends = (plan.attributes(value), plan.slot_values(value))
    if isinstance(value, BaseExceptionGroup):
        message = BaseExceptionGroup.message.__get__(value)
        held = BaseExceptionGroup.exceptions.__get__(value)
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
    return [(base, _MEMBERS[base]) for base in cls.__mro__ if base in _MEMBERS]


def _make_exception(parts: Parts, budget: Budget) -> BaseException:
    (plan,) = parts
    cls = _exception_class(plan)
    if issubclass(cls, BaseExceptionGroup):
        raise TypeError(f"{plan.name} is a group")
    return plan.base.__new__(cls)  # type: ignore[no-any-return]


def _make_group(parts: Parts, budget: Budget) -> BaseException:
    plan, message, held = parts
    cls = _exception_class(plan)
    if not issubclass(cls, BaseExceptionGroup) or type(held) is not tuple:
        raise TypeError(f"{plan.name} is no group")
    budget.spend(len(held))
    return BaseExceptionGroup.__new__(cls, message, held)


def _fill_exception(value: BaseException, parts: Parts, budget: Budget) -> None:
    state, attributes, slots = parts
    if type(state) is not dict or type(state.get("args")) is not tuple:
        raise TypeError("an exception has arguments")
    allowed = {name: owner for owner, members in _members_of(type(value)) for name in members}
    for name, each in state.items():
        if name == "__traceback__" and not is_a(each, TracebackType, type(None)):
            raise TypeError("an exception has a traceback or none")
        if name in _NUMBERS and type(each) is not int:
            raise TypeError(f"{name} of an exception is a number")
        owner = BaseException if name in _COMMON else allowed[name]
        if name in vars(owner):
            vars(owner)[name].__set__(value, each)
    from longterm._codec.types.instances import plan_of_instance

    plan_of_instance(value).set_attributes(value, attributes, slots, budget)


_NUMBERS: Final = ("characters_written", "start", "end")
_COMMON: Final = ("args", "__cause__", "__context__", "__suppress_context__", "__traceback__")


def _exception_class(plan: Any) -> type[BaseException]:
    if type(plan) is not ClassPlan or not issubclass(plan.cls, BaseException):
        raise TypeError("an exception has a class")
    return plan.cls


EXCEPTION: Final = Kind(24, "exception", _make_exception, _fill_exception, needs=1)
GROUP: Final = Kind(25, "exception group", _make_group, _fill_exception, needs=3)
