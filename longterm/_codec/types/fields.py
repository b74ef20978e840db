"""What each field of a class is worth where an instance lacks it, as the class describes it.

Loaded only for classes that have changed since they were stored.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from longterm._codec.introspect import is_a, module_of, own_name_of
from longterm._codec.types.declared import (
    CACHED_HASH,
    MISSING,
    elements_of,
    entry_of,
    listed_by,
    model_config_of,
    set_names,
)

BOOKKEEPING: Final = (
    "__pydantic_fields_set__",
    "__pydantic_extra__",
    "__pydantic_private__",
)
"""The slots in which pydantic's models keep what is no field."""


@dataclass(frozen=True, slots=True)
class Field:
    """A name that a class says its instances have."""

    name: str
    default: Any = MISSING
    factory: Any = MISSING
    """What makes the default; None if that needs the instance."""
    converter: Any = None
    """What the default passes when an instance is made; None if nothing."""
    is_validated: bool = False
    """Whether the default passes validators when an instance is made."""
    is_copied: bool = False
    """Whether each instance has a copy of the default, as with pydantic."""
    is_content: bool = False
    """Whether it is an element of a named tuple."""
    is_private: bool = False
    """Whether it is a private attribute of a pydantic model, which may be unset."""
    is_on_class: bool = False
    """Whether the class has a value for instances that lack it."""
    is_set_later: bool = False
    """Whether it is no parameter of the class, so that an instance may lack it for a while."""
    is_plain: bool = False
    """Whether it is known from a slot or from code alone."""

    @property
    def has_default(self) -> bool:
        """Whether it is worth something where an instance lacks it."""
        return self.default is not MISSING or self.factory is not MISSING


def fields_of(cls: type, slots: Any) -> dict[str, Field]:
    """Return the fields of a class by name, and its slots, but for pydantic's bookkeeping."""
    fields = {name: Field(name, is_plain=True) for name in slots if name not in BOOKKEEPING}
    for name in set_names(cls):
        has_value = entry_of(cls, name) is not MISSING and name not in slots
        fields[name] = Field(name, is_plain=True, is_on_class=has_value)
    if CACHED_HASH in fields:
        fields[CACHED_HASH] = Field(CACHED_HASH, None)
    validates = model_config_of(cls).get("validate_default", False)
    for name, described in listed_by(cls).items():
        fields[name] = _field(name, described, bool(validates))
    defaults = entry_of(cls, "_field_defaults")
    for name in elements_of(cls):
        default = defaults.get(name, MISSING) if type(defaults) is dict else MISSING
        fields[name] = Field(name, default, is_content=True)
    return fields


def _field(name: str, described: Any, validates: bool) -> Field:
    if is_a(described, dataclasses.Field):
        return _dataclass_field(name, described)
    if module_of(type(described)) == "attr._make":
        return _attrs_field(name, described)
    return _pydantic_field(name, described, validates)


def _dataclass_field(name: str, described: Any) -> Field:
    default, factory = (
        MISSING if value is dataclasses.MISSING else value
        for value in (described.default, described.default_factory)
    )
    return Field(name, default, factory, is_set_later=not described.init)


def _attrs_field(name: str, described: Any) -> Field:
    default: Any = described.default
    factory: Any = MISSING
    if module_of(type(default)) == "attr._make":  # a factory, or the mark for no default
        if hasattr(default, "factory"):
            factory = None if default.takes_self else default.factory
        default = MISSING
    return Field(name, default, factory, described.converter, is_set_later=not described.init)


def _pydantic_field(name: str, described: Any, validates: bool) -> Field:
    is_undefined = own_name_of(type(described.default)) == "PydanticUndefinedType"
    # Asked of the class: a private attribute has a `__getattr__`.
    is_private = entry_of(type(described), "annotation") is MISSING
    if not is_private and described.validate_default is not None:
        validates = described.validate_default
    return Field(
        name,
        MISSING if is_undefined else described.default,
        MISSING if described.default_factory is None else described.default_factory,
        is_validated=validates and not is_private,
        is_copied=True,
        is_private=is_private,
    )
