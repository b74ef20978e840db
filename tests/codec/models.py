"""The classes whose instances the codec's tests store: one of each way to write a class."""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import attrs
import pydantic


@dataclass
class Order:
    name: str
    lines: list[Any] = field(default_factory=list)
    total: float = field(default=0.0, init=False)


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str


@dataclass(slots=True)
class Parcel:
    weight: float
    contents: Any = None


@dataclass(frozen=True, slots=True)
class Point:
    x: Any
    y: Any


class Node:
    """A plain class with methods and a property that must not be read."""

    def __init__(self, *links: Any) -> None:
        self.links = list(links)

    def visit(self) -> str:
        return "visited"

    @classmethod
    def make(cls) -> Node:
        return cls()

    @property
    def first(self) -> Any:
        raise AssertionError("a property was read")


class Leaf(Node):
    def visit(self) -> str:
        return f"leaf {super().visit()}"


class Slotted:
    __slots__ = ("_private", "left", "right")


class SlottedChild(Slotted):
    __slots__ = ("extra",)


class SlotsAndDict(Slotted):
    pass


class Keyed:
    """Its hash depends on an attribute, so it must be whole before it is hashed."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.peers: Any = None

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and other.key == self.key


class Locked:
    """It forbids what the codec must not do by the front door."""

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "value", value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("locked")


@attrs.define
class AttrsSlots:
    x: int
    y: Any = attrs.field(factory=list)


@attrs.frozen(slots=False)
class AttrsFrozen:
    x: int


class Model(pydantic.BaseModel):
    name: str
    tags: list[str] = []
    parent: Model | None = None


class PrivateModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    _secret: int = pydantic.PrivateAttr(default=0)


T = TypeVar("T")


@dataclass
class Page(Generic[T]):
    items: list[T]


class SlottedPage(Generic[T]):
    __slots__ = ("items",)

    def __init__(self, items: list[T]) -> None:
        self.items = items


class PagedList(list[T], Generic[T]):
    pass


class Named(Protocol):
    name: str


class Shop(Named):
    def __init__(self, name: str) -> None:
        self.name = name


Pair = namedtuple("Pair", ["left", "right"])


class Typed(NamedTuple):
    x: int
    y: Any = None


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # noqa: PIE796 - another name of the same member


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Mode(enum.IntFlag):
    A = 1
    B = 2


class Shade(str, enum.Enum):  # noqa: UP042 - the way that was usual before StrEnum
    DARK = "dark"

    def __str__(self) -> str:
        return self.value


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyStr(str):
    __slots__ = ("note",)


class MyBytes(bytes):
    pass


class MyComplex(complex):
    pass


class MyList(list[Any]):
    pass


class MyDict(dict[Any, Any]):
    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("an overridden method was called")

    def items(self) -> Any:
        raise AssertionError("an overridden method was called")


class MyTuple(tuple[Any, ...]):
    pass


class MySet(set[Any]):
    def __iter__(self) -> Any:
        raise AssertionError("an overridden method was called")


class MyFrozenset(frozenset[Any]):
    pass


class FrozenDict(dict[Any, Any]):
    """A dict that can be a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


@dataclass(frozen=True)
class Label:
    """A key of which a field is compared and not hashed."""

    name: str
    notes: list[Any] = field(hash=False)


class MyBytearray(bytearray):
    pass


class MyOrdered(OrderedDict[Any, Any]):
    pass


class MyDefault(defaultdict[Any, Any]):
    pass


class MyDeque(deque[Any]):
    pass


class MyCounter(Counter[Any]):
    pass


class Overdrawn(Exception):
    """An exception that cannot be made from its args."""

    def __init__(self, *, account: str, missing: int) -> None:
        self.account = account
        self.missing = missing
        super().__init__(f"{account} lacks {missing}")


class SlottedError(Exception):
    __slots__ = ("code",)


class OwnGroup(ExceptionGroup[Exception]):
    def __init__(self, *args: Any, hint: str = "") -> None:
        pass

    def __new__(cls, message: str, errors: list[Exception], *, hint: str = "") -> OwnGroup:
        made = super().__new__(cls, message, errors)
        made.hint = hint
        return made

    hint: str


class OwnOSError(OSError):
    def __init__(self, where: str) -> None:
        super().__init__(5, "broken", where)
        self.where = where


class Row:
    """What can be gone through by its items alone."""

    def __getitem__(self, index: int) -> int:
        return (1, 2, 3)[index]


class Moment(datetime):
    pass


class Day(date):
    pass


NOTHING = object()
UNSET = Slotted()
EURO = Money(1, "EUR")
NAN = float("nan")


def double(number: int) -> int:
    return 2 * number


def is_odd(number: int) -> bool:
    return number % 2 == 1
