"""Objects that a module holds under a name, such as `NOT_GIVEN = object()`: stored by that name.

Code tells them by identity (`x is NOT_GIVEN`), so a copy will not do. The name is looked for in the
module of the object's class, in the class itself, and in the modules of the flows on the stack. It
is stored together with what the object looks like, and decoded to the object there only if that
looks the same. So no state of a flow is lost to a module that has another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final

from longterm._codec import trust
from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly, namespace_of
from longterm._codec.types.classes import BARE_BASES, VALUE_BASES, ClassPlan, NoPlan, plan_of
from longterm._codec.types.instances import dump_instance
from longterm._codec.types.kinds import Family, Kind, Parts
from longterm._codec.types.registry import IS_NAN
from longterm.errors import NotAllowed
from longterm.frame import Frame

_SCALARS: Final = frozenset(map(id, (type(None), bool, int, float, str, bytes)))
_HOMES_OF_NAN: Final = ("math", "numpy")
"""Modules besides those of flows under whose name a NaN is stored."""


class Constants:
    """The names under which the objects of one graph may be stored."""

    __slots__ = ("_names", "_root", "_types", "has_nans", "is_trial")

    def __init__(self, root: Any, *, is_trial: bool = False) -> None:
        """Take the root of the graph; if it is a stack, its frames say which modules are theirs."""
        self._root = root
        self.is_trial = is_trial
        """Whether the graph is only looked at, to tell whether it can be stored."""
        self.has_nans = False
        """Whether a NaN with a name was found."""
        self._names: dict[int, dict[int, str]] = {}
        """The names of objects, by their ids, for each class that was asked for."""
        self._types: dict[str, set[int]] = {}
        """The ids of the types of what a module holds, for each module that was asked for."""

    def dump(self, value: Any, plan: ClassPlan) -> Parts | None:
        """Take an instance by its name; return None if it has none or holds more than scalars."""
        cls = plan.cls
        names = self._names.get(id(cls))
        if names is None:
            module_name = plan.name.partition(":")[0]
            names = self._names_for(cls, (module_name,), plan)
        name = names.get(id(value)) if names else None
        if name is None or _state(value, plan) is None:
            return None
        return [CONSTANT.tag, name, dump_instance(value, plan)]

    def may_have_name(self, value: Any, plan: ClassPlan) -> bool:
        """Tell whether a module or the class itself holds an instance, which is soon seen."""
        key, home = id(value), plan.name.partition(":")[0]
        return key in map(id, namespace_of(plan.cls).copy().values()) or any(
            key in map(id, _namespace(module_name).copy().values())
            for module_name in dict.fromkeys((home, *_modules_of(self._root)))
        )

    def dump_bare(self, value: object) -> Parts | None:
        """Take a bare `object()` by its name, or return None if it has none."""
        name = self._names_for(object, ()).get(id(value))
        return None if name is None else [CONSTANT.tag, name]

    def has_nan(self, value: float) -> bool:
        """Tell whether a value is a NaN that has a name; on a stack of flows alone."""
        if value == value or not _modules_of(self._root):
            return False
        is_named = id(value) in self._names_for(float, _HOMES_OF_NAN)
        self.has_nans |= is_named
        return is_named

    def dump_nan(self, value: float) -> Parts:
        """Take a NaN by its name."""
        # What stands for it is another one, which is held here alone.
        return [CONSTANT.tag, self._names_for(float, _HOMES_OF_NAN)[id(value)], float("nan")]

    def _names_for(
        self, cls: type, homes: Iterable[str], plan: ClassPlan | None = None
    ) -> dict[int, str]:
        known = self._names.get(id(cls))
        if known is not None:
            return known
        names: dict[int, str] = {}
        for module_name in dict.fromkeys((*homes, *_modules_of(self._root))):
            if id(cls) in self._types_in(module_name):
                _note(_namespace(module_name), f"{module_name}:", cls, names)
        if plan is not None:
            _note(namespace_of(cls), f"{plan.name}.", cls, names)
        self._names[id(cls)] = names
        return names

    def _types_in(self, module_name: str) -> set[int]:
        found = self._types.get(module_name)
        if found is None:
            values = list(_namespace(module_name).values())
            found = self._types[module_name] = set(map(id, map(type, values)))
        return found


def _modules_of(root: Any) -> list[str]:
    """Return the names of the modules of the flows on a stack; none if a value is no stack."""
    frames = [part for part in root if type(part) is Frame] if type(root) is list else []
    return [frame.flow.partition(":")[0] for frame in frames]


def _namespace(module_name: str) -> dict[str, Any]:
    found = trust.loaded(module_name)
    return trust.namespace_of_module(found) if is_a(found, ModuleType) else {}


def _note(namespace: Any, prefix: str, cls: type, names: dict[int, str]) -> None:
    """Note what is of exactly a class, by the first of its names."""
    for name, value in namespace.copy().items():
        if type(value) is cls and type(name) is str:
            names.setdefault(id(value), prefix + name)


def _state(value: Any, plan: ClassPlan) -> Parts | None:
    """Return the parts of an instance after its class, or None if they are more than flat."""
    if plan.base not in BARE_BASES and plan.base not in VALUE_BASES:
        return None
    state = dump_instance(value, plan)[2:]
    return state if is_flat(state) else None


def is_flat(state: Parts) -> bool:
    """Tell whether an instance holds no more than a constant may, by its parts after the class."""
    for part in state:
        held = part.values() if type(part) is dict else (part,)
        for value in held:
            if id(type(value)) not in _SCALARS and not _is_flat(value):
                return False
    return True


def _held(parts: Parts) -> Iterator[Any]:
    for part in parts:
        yield from part.values() if type(part) is dict else (part,)


def _is_flat(value: Any) -> bool:
    """Tell whether a value holds nothing that could change, or that something else could share."""
    return all(map(_is_single, value)) if type(value) is tuple else _is_single(value)


def _is_single(value: Any) -> bool:
    cls = type(value)
    return (
        id(cls) in _SCALARS
        or cls is FunctionType
        or is_a(value, type)
        or "_member_map_" in namespace_of(cls)
    )


def _size(value: Any) -> int:
    """Return how long it takes to compare a flat value."""
    if type(value) is tuple:
        return 1 + sum(map(_size, value))
    if type(value) is int:
        return 1 + (value.bit_length() >> 3)
    return 1 + (len(value) if is_exactly(value, str, bytes) else 0)


def _are_same(one: Any, other: Any) -> bool:
    """Tell whether two states cannot be told apart."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(_are_same(one[key], other[key]) for key in one)
    if is_exactly(one, list, tuple):
        return len(one) == len(other) and all(map(_are_same, one, other))
    if type(one) is float:
        return repr(one) == repr(other)  # -0.0 is equal to 0.0, and can be told from it
    return id(type(one)) in _SCALARS and bool(one == other)


def _load(parts: Parts, decoding: Decoding) -> Any:
    name, *stored = parts
    if type(name) is not str or len(stored) > 1:
        raise TypeError("a constant has a name, and what it looks like")
    if not stored:
        return _of_a_flow(name, object, decoding)
    (copy,) = stored
    if type(copy) is float and IS_NAN[float](copy):
        return _nan(name, copy, decoding)
    return _instance(name, copy, decoding)


def _instance(name: str, copy: Any, decoding: Decoding) -> Any:
    plan = plan_of(type(copy))
    state = None if isinstance(plan, NoPlan) or plan.is_enum else _state(copy, plan)
    if isinstance(plan, NoPlan) or state is None or is_a(copy, BaseException):
        raise TypeError("a constant is an instance with a flat state")
    decoding.spend(sum(map(_size, _held(state))))
    module_name, _, path = name.partition(":")
    if name.rpartition(".")[0] == plan.name:
        found = namespace_of(plan.cls).get(name.rpartition(".")[2])
    else:
        if module_name != plan.name.partition(":")[0]:
            _expect_flow(module_name, decoding)
        found = _attribute(module_name, path)
    if type(found) is plan.cls and _are_same(_state(found, plan), state):
        return found
    if not state:
        raise _gone(name)
    return copy


def _nan(name: str, copy: float, decoding: Decoding) -> float:
    module_name, _, path = name.partition(":")
    if module_name not in _HOMES_OF_NAN:
        _expect_flow(module_name, decoding)
    elif module_name not in sys.modules:
        return copy
    found = _attribute(module_name, path)
    return found if type(found) is float and IS_NAN[float](found) else copy


def _of_a_flow(name: str, cls: type, decoding: Decoding) -> Any:
    module_name, _, path = name.partition(":")
    _expect_flow(module_name, decoding)
    found = _attribute(module_name, path)
    if not is_exactly(found, cls):
        raise _gone(name)
    return found


def _attribute(module_name: str, name: str) -> Any:
    return trust.namespace_of_module(trust.module(module_name)).get(name)


def _expect_flow(module_name: str, decoding: Decoding) -> None:
    """Have it checked, when all is made, that a flow on the stack is of a module."""

    def check() -> None:
        if module_name not in _modules_of(decoding.root):
            raise NotAllowed(module_name, "is the module of no flow on the stack")

    decoding.checks.append(check)


def _gone(name: str) -> NotAllowed:
    return NotAllowed(
        name,
        "is not what it was stored as, an object without attributes, which only its name tells "
        "from others (was it renamed or moved? let the old name stand for it too)",
    )


CONSTANT: Final = Kind("constant", _load)

FAMILY: Final = Family(kinds=(CONSTANT,))
