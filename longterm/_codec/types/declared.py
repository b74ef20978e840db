"""Which names a class says that its instances have.

They stand in stored bytes beside the class, so that a class which has changed is told from an
instance that never had them. They are read from what dataclasses, attrs, pydantic and named tuples
note of themselves, from `__slots__`, and from the code of `__init__`. No code of the class runs.
"""

from __future__ import annotations

import dataclasses
import opcode
from types import CodeType, FunctionType
from typing import Any, Final

from longterm._codec import trust
from longterm._codec.introspect import is_a, is_exactly, module_of, mro_of, namespace_of

MISSING: Final = object()
"""What stands for something that is not there."""

CACHED_HASH: Final = "_attrs_cached_hash"
"""Where attrs keeps the hash of an instance, which is another one in another process."""
_EXTRA: Final = "__pydantic_extra__"
_MAKERS: Final = ("__init__", "__post_init__", "__attrs_post_init__", "model_post_init")
"""The methods that set what an instance has from the beginning."""
_REAL: Final[Any] = vars(dataclasses)["_FIELD"]
"""How dataclasses mark a field that is neither a ClassVar nor an InitVar."""


def names_of(cls: type, slots: Any, *, has_namespace: bool) -> tuple[str, ...]:
    """Return the names that a class declares, in its order.

    Slots beside a `__dict__` have a dot before their names, since a name may go from the one to the
    other. Pydantic's slot for what a model does not name is there only if it takes that.
    """
    slots = [name for name in slots if name != _EXTRA or _takes_extra(cls)]
    if has_namespace:
        slots = [f".{name}" for name in slots]
    return tuple(dict.fromkeys((*elements_of(cls), *listed_by(cls), *slots, *set_names(cls))))


def _takes_extra(cls: type) -> bool:
    return model_config_of(cls).get("extra") == "allow"


def elements_of(cls: type) -> tuple[str, ...]:
    """Return the names of the elements of a named tuple; nothing for another class."""
    found = entry_of(cls, "_fields") if issubclass(cls, tuple) else ()
    is_named = type(found) is tuple and all(type(name) is str for name in found)
    return found if is_named else ()


def listed_by(cls: type) -> dict[str, Any]:
    """Return the fields that a dataclass, attrs or pydantic class lists, as it describes them."""
    return _of_pydantic(cls) or _of_dataclass(cls) or _of_attrs(cls)


def model_config_of(cls: type) -> dict[str, Any]:
    """Return the settings of a pydantic model; nothing for another class."""
    config = entry_of(cls, "model_config")
    return config if type(config) is dict else {}


def entry_of(cls: type, name: str) -> Any:
    """Return what a class itself, or a base, has under a name; `MISSING` if it has nothing."""
    for base in mro_of(cls):
        found = namespace_of(base).get(name, MISSING)
        if found is not MISSING:
            return found
    return MISSING


def _of_dataclass(cls: type) -> dict[str, Any]:
    found = entry_of(cls, "__dataclass_fields__")
    if type(found) is not dict:
        return {}
    return {
        name: field
        for name, field in found.items()
        if is_exactly(field, dataclasses.Field)
        and vars(dataclasses.Field)["_field_type"].__get__(field) is _REAL
    }


def _of_attrs(cls: type) -> dict[str, Any]:
    found = entry_of(cls, "__attrs_attrs__")
    if not is_a(found, tuple):
        return {}
    return {field.name: field for field in found if module_of(type(field)) == "attr._make"}


def _of_pydantic(cls: type) -> dict[str, Any]:
    found = entry_of(cls, "__pydantic_fields__")
    if found is MISSING:
        found = entry_of(cls, "model_fields")  # before pydantic 2.10
    if type(found) is not dict or entry_of(cls, "__pydantic_validator__") is MISSING:
        return {}
    private = entry_of(cls, "__private_attributes__")
    return {**found, **private} if type(private) is dict else found


def set_names(cls: type) -> list[str]:
    """Return the attributes that the methods which make an instance set on it."""
    names: list[str] = []
    for base in reversed(mro_of(cls)):
        if trust.origin(str(module_of(base))) == "standard":
            continue  # each Python has its own
        for maker in _MAKERS:
            function = namespace_of(base).get(maker)
            if type(function) is FunctionType:
                names += _set_by(function.__code__)
    return [name for name in names if not _is_computed(entry_of(cls, name))]


def _is_computed(entry: Any) -> bool:
    """Tell whether what a class has under a name takes what is set, as a property does."""
    return any("__set__" in namespace_of(base) for base in mro_of(type(entry)))


def _loads(*names: str) -> frozenset[int]:
    return frozenset(opcode.opmap[name] for name in names if name in opcode.opmap)


_STORES: Final = opcode.opmap["STORE_ATTR"]
_EXTENDED: Final = opcode.EXTENDED_ARG
_LOADS: Final = _loads("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF")
"""What loads one variable. A parameter that inner functions share has the same number."""
_LOADS_LAST: Final = _loads(
    "LOAD_FAST_LOAD_FAST", "STORE_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW"
)
"""What loads one as the last of two, from Python 3.13 on: its number is in the lower four bits."""


def _set_by(code: CodeType) -> list[str]:
    """Return the attributes that code sets on its first parameter, wherever it does."""
    if not code.co_argcount:
        return []
    names: list[str] = []
    extended, is_self = 0, False
    content = code.co_code
    for at in range(0, len(content), 2):
        operation, argument = content[at], content[at + 1] | extended
        if operation == _EXTENDED:
            extended = argument << 8
            continue
        extended = 0
        if operation == _STORES and is_self:
            names.append(code.co_names[argument])
        if operation:  # not a cache, which has no meaning here
            is_last = operation in _LOADS_LAST and not argument & 15
            is_self = is_last or (operation in _LOADS and not argument)
    return names
