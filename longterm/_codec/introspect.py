"""What a class says of itself, without its metaclass: no code of the application's runs.

`cls.__module__`, `isinstance(value, cls)` and `type(value) in (list, tuple)` may all call what a
metaclass or a value defines: `__getattribute__`, a property `__class__`, `__eq__`. These do not.
"""

from __future__ import annotations

from typing import Any, Final

_METACLASS: Final = vars(type)

module_of: Final[Any] = _METACLASS["__module__"].__get__
"""The name of a class's module."""
qualname_of: Final[Any] = _METACLASS["__qualname__"].__get__
"""The qualified name of a class."""
own_name_of: Final[Any] = _METACLASS["__name__"].__get__
"""The name of a class, without what is around it."""
namespace_of: Final[Any] = _METACLASS["__dict__"].__get__
"""The attributes of a class itself."""
mro_of: Final[Any] = _METACLASS["__mro__"].__get__
"""A class and its bases, in the order in which attributes are looked up."""
base_of: Final[Any] = _METACLASS["__base__"].__get__
"""The base that lays out the instances of a class."""
flags_of: Final[Any] = _METACLASS["__flags__"].__get__
"""The flags of a class, as CPython defines them."""

HEAP_TYPE: Final = 1 << 9
"""The flag of classes that were made while the process runs: by `class`, and by some extensions."""


def is_a(value: Any, *types: type) -> bool:
    """Return whether a value is an instance of one of these builtin types, or of a subclass."""
    return issubclass(type(value), types)


def is_exactly(value: Any, *types: type) -> bool:
    """Return whether a value is of exactly one of these types."""
    cls = type(value)
    return any(cls is known for known in types)


def dotted_name_of(cls: type) -> str:
    """Return a class as people write it: `shop.orders.Order`, and `int` without its module."""
    return f"{module_of(cls)}.{qualname_of(cls)}".removeprefix("builtins.")
