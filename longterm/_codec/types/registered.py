"""Types that the application registered: taken to plain values and made again by its own functions.

A registered type has a name of its own, which data keeps when the class moves, and a version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from longterm._codec.decode.budget import Budget
from longterm._codec.types.kinds import Kind, Parts
from longterm.errors import NotAllowed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registration:
    """How one type is stored."""

    cls: type
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    version: int
    upgrade: Callable[[Any, int], Any] | None
    subclasses: bool


_by_class: dict[type, Registration] = {}
_by_name: dict[str, Registration] = {}


def register_type(
    cls: type[T],
    *,
    encode: Callable[[T], Any],
    decode: Callable[[Any], T],
    name: str | None = None,
    version: int = 1,
    upgrade: Callable[[Any, int], Any] | None = None,
    subclasses: bool = False,
) -> type[T]:
    """Make a type storable by its own pair of functions.

    Args:
        cls: the type; exactly this one, unless `subclasses`.
        encode: turn a value into plain values (anything that can be stored will do).
        decode: turn those back; called only for data that names this type.
        name: what the data calls the type; `module:qualname` unless given. Data keeps it for ever.
        version: the version of what `encode` returns.
        upgrade: given plain values of an older version and that version, return those of today.
        subclasses: store instances of subclasses the same way.
    """
    called = name or f"{cls.__module__}:{cls.__qualname__}"
    known = _by_name.get(called)
    if known is not None and known.cls.__qualname__ != cls.__qualname__:
        raise ValueError(f"the name {called!r} is taken by {known.cls!r} (give another name)")
    registration = Registration(cls, called, encode, decode, version, upgrade, subclasses)
    _by_class[cls] = _by_name[called] = registration
    return cls


def storable(
    *,
    encode: Callable[[Any], Any],
    decode: Callable[[Any], Any],
    name: str | None = None,
    version: int = 1,
    upgrade: Callable[[Any, int], Any] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Make the decorated class storable; see `register_type`."""

    def register(cls: type[T]) -> type[T]:
        return register_type(
            cls, encode=encode, decode=decode, name=name, version=version, upgrade=upgrade
        )

    return register


def take(value: Any) -> Parts | None:
    """Take apart a value of a registered type, or return None if its type is not registered."""
    if not _by_class:
        return None
    registration = _by_class.get(type(value)) or _inherited(type(value))
    if registration is None:
        return None
    return [REGISTERED.tag, registration.name, registration.version, registration.encode(value)]


def _inherited(cls: type) -> Registration | None:
    for base in cls.__mro__:
        found = _by_class.get(base)
        if found is not None and found.subclasses:
            return found
    return None


def _make(parts: Parts, budget: Budget) -> Any:
    name, version, plain = parts
    registration = _by_name.get(name)
    if registration is None:
        raise NotAllowed(
            str(name), "is no registered type here (import the module that registers it)"
        )
    if version != registration.version:
        if (
            registration.upgrade is None
            or not isinstance(version, int)
            or version > registration.version
        ):
            raise NotAllowed(
                name,
                f"was stored in version {version}, which version {registration.version} "
                "cannot read (give register_type an upgrade function)",
            )
        plain = registration.upgrade(plain, version)
    return registration.decode(plain)


REGISTERED: Final = Kind(100, "registered", _make, whole=True)
