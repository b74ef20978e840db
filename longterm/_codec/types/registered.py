"""Types that the application registered: taken to plain values and made again by its own functions.

A registered type has a name of its own, which data keeps when the class moves, and a version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias, TypeVar

from longterm._codec.decode.decoding import BYTES_PER_ELEMENT, READS, Decoding
from longterm._codec.introspect import is_a, is_exactly, mro_of
from longterm._codec.types.families import CODE_OF_KIND
from longterm._codec.types.kinds import Family, Kind, Parts
from longterm._codec.types.registry import PLANS
from longterm._main import import_name
from longterm.errors import CorruptData, NotAllowed, UnknownRun

T = TypeVar("T")


@dataclass(slots=True, eq=False, repr=False)
class Registration:
    """How one type is stored."""

    cls: type
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    version: int
    upgrade: Callable[[Any, int], Any] | None
    subclasses: bool
    reads_store: bool = False
    """Whether `decode` asks the store for what the plain value is the id of."""
    only_holds: bool = False
    """Whether `decode` is longterm's own and only holds the plain value, without a look into it."""


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
    called = name or f"{import_name(cls.__module__)}:{cls.__qualname__}"
    known = _by_name.get(called)
    if known is not None and known.cls.__qualname__ != cls.__qualname__:
        raise ValueError(f"the name {called!r} is taken by {known.cls!r} (give another name)")
    registration = Registration(cls, called, encode, decode, version, upgrade, subclasses)
    _register(registration)
    return cls


def _register(registration: Registration) -> None:
    _by_class[registration.cls] = _by_name[registration.name] = registration
    for plan in list(PLANS.values()):
        plan.is_opened = False  # its class may be this one, or below it


def read_from_store(cls: type[T], name: str, decode: Callable[[str], T]) -> None:
    """Store instances of a class by their `id`; decoding asks the store for them."""
    _register(Registration(cls, name, _id_of, decode, 1, None, True, reads_store=True))


def _id_of(value: Any) -> str:
    found: str = value.id
    return found


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


Upgrade: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

_upgrades: dict[int, tuple[type, Upgrade]] = {}
"""The functions that bring fields up to date, by the ids of their classes."""


def register_upgrade(cls: type, upgrade: Upgrade) -> None:
    """Say how instances become today's that were stored when their class had other fields.

    Args:
        cls: the class as it is now, one that is stored by its attributes; exactly this one.
        upgrade: given the fields of an instance as they were stored, by name, return those of
            today. What it leaves out gets its default. It is called only for instances of a class
            that has changed since, and may be given the fields of any age.
    """
    _upgrades[id(cls)] = cls, upgrade


def upgrade_of(cls: type) -> Upgrade | None:
    """Return the function that was registered for a class."""
    found = _upgrades.get(id(cls))
    return None if found is None else found[1]


def dump(value: Any) -> Parts | None:
    """Take apart a value of a registered type, or return None if its type is not registered."""
    if not _by_class:
        return None
    registration = _by_class.get(type(value)) or _inherited(type(value))
    if registration is None:
        return None
    return [REGISTERED.tag, registration.name, registration.version, registration.encode(value)]


def finds(cls: type) -> bool:
    """Tell whether values of a class are of a registered type."""
    return bool(_by_class) and (cls in _by_class or _inherited(cls) is not None)


def _inherited(cls: type) -> Registration | None:
    for base in mro_of(cls):
        found = _by_class.get(base)
        if found is not None and found.subclasses:
            return found
    return None


def _load(parts: Parts, decoding: Decoding) -> Any:
    name, version, plain = parts
    if type(name) is not str or type(version) is not int:
        raise TypeError("a registered type has a name and a version")
    registration = _by_name.get(name)
    if registration is None:
        raise NotAllowed(name, "is no registered type here (import the module that registers it)")
    if decoding.acts and not registration.only_holds and acts(plain, decoding.spend):
        raise NotAllowed(name, "is not made of an iterator that calls a function")
    if registration.reads_store:
        return _read_once(registration, plain, decoding)
    if version != registration.version:
        if registration.upgrade is None or version > registration.version:
            raise NotAllowed(
                name,
                f"was stored in version {version}, which version {registration.version} "
                "cannot read (give register_type an upgrade function)",
            )
        plain = registration.upgrade(plain, version)
    return registration.decode(plain)


_LONGEST_ID: Final = 1_000


def _read_once(registration: Registration, key: Any, decoding: Decoding) -> Any:
    """Return what the store holds for a key, which is read once however often it is named."""
    if type(key) is not str or "\0" in key or len(key) > _LONGEST_ID:
        raise TypeError("what is read from the store is read by its id")
    where = (registration.name, key)
    if where not in decoding.reads:
        if len(decoding.reads) == READS:
            raise CorruptData(f"the stored bytes read more than {READS} runs from the store")
        try:
            decoding.reads[where] = registration.decode(key)
        except UnknownRun as error:
            raise CorruptData(
                f"the stored bytes hold run {key!r}, which is not in the store (was it deleted?)"
            ) from error
    return decoding.reads[where]


def register_holder(
    cls: type[T], *, encode: Callable[[T], Any], decode: Callable[[Any], T], name: str
) -> None:
    """Make a type of longterm's own storable, whose `decode` only holds what it is given.

    So that may hold what the functions of an application must not be given: an iterator that calls
    a function when it is gone through.
    """
    register_type(cls, encode=encode, decode=decode, name=name)
    _by_class[cls].only_holds = True


def only_holds(name: str) -> bool:
    """Return whether a registered type's function only holds what it is given."""
    return _by_name[name].only_holds


def reads_store(name: str) -> bool:
    """Return whether values of a registered type are read from the store."""
    return _by_name[name].reads_store


def acts(plain: Any, spend: Callable[[int], None], seen: dict[int, Any] | None = None) -> bool:
    """Return whether something in plain values calls a function when it is gone through.

    A registered type's own function goes through what it is given, while bytes are decoded.

    Args:
        plain: the values.
        spend: counts the bytes that are looked at.
        seen: what was looked at before and does not act, by id; what is looked at now is added.
    """
    import gc

    from longterm._codec.types.adaptors import ACTIVE
    from longterm._codec.types.iterators import ITEMS_ITERATOR
    from longterm._codec.types.itertool import ACTING
    from longterm._codec.types.library import calls_methods

    seen = {} if seen is None else seen
    pending = [plain]
    for part in pending:
        if id(part) in seen:
            continue
        seen[id(part)] = part
        spend(BYTES_PER_ELEMENT)
        if is_exactly(part, *ACTIVE, *ACTING, ITEMS_ITERATOR) or calls_methods(part):
            return True
        if not is_a(part, type) and not is_exactly(part, FunctionType, ModuleType):
            pending += gc.get_referents(part)
    return False


ACTING_KINDS: Final = tuple(
    CODE_OF_KIND[name]
    for name in (
        *("map", "filter", "iterator of calls", "itertools", "iterator of items"),
        "generator of the standard library",
    )
)
"""The kinds of iterators that may call a function when they are gone through."""

REGISTERED: Final = Kind("registered", _load, whole=True)

FAMILY: Final = Family(kinds=(REGISTERED,))
