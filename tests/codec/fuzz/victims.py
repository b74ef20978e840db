"""What hostile bytes would like to reach: functions and classes that report whatever is called.

They stand in a module of their own, which is the application's as far as the codec can tell.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Generic, NamedTuple, TypeVar

from longterm._codec import storable

REPORTS: list[str] = []
"""What was called since the list was cleared, `function …` or `class …`."""

T = TypeVar("T")


def act(*args: Any, **kwargs: Any) -> int:
    """A function of the application's own; nobody may call it but a flow."""
    REPORTS.append("function act")
    return 1


async def act_later() -> None:
    REPORTS.append("function act_later")


def _report(name: str) -> Any:
    def method(*args: Any, **kwargs: Any) -> Any:
        REPORTS.append(f"class {name}")
        return _ANSWERS.get(name)

    method.__name__ = name
    method.__qualname__ = f"victim.{name}"
    return method


_ANSWERS: dict[str, Any] = {
    "__len__": 0, "__bool__": True, "__index__": 1, "__length_hint__": 0, "__repr__": "victim",
    "__str__": "victim", "__format__": "victim", "__hash__": 7, "__eq__": False, "__ne__": True,
    "__iter__": iter(()), "__contains__": False, "__int__": 1, "__float__": 1.0, "__dir__": [],
    "__fspath__": "victim", "__bytes__": b"victim", "__sizeof__": 1, "__reduce__": "victim",
    "__reduce_ex__": "victim", "utcoffset": None, "tzname": None, "dst": None,
}  # fmt: skip

METHODS = """
abs add aiter and anext await bool buffer bytes call ceil class_getitem complex contains copy
deepcopy delattr delete delitem dir divmod enter eq exit float floor floordiv format fspath ge get
getattr getitem getnewargs getnewargs_ex getstate gt hash iadd iand ifloordiv ilshift imatmul imod
imul index init int invert ior ipow irshift isub iter itruediv ixor le len length_hint lshift lt
matmul missing mod mul ne neg new next or pos post_init pow radd rand rdivmod reduce reduce_ex
release repr reversed rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub
rtruediv rxor set set_name setattr setitem setstate sizeof str sub truediv trunc xor
"""
NAMES = [f"__{name}__" for name in METHODS.split()]
PLAIN_NAMES = [
    "append", "extend", "update", "keys", "items", "values", "get", "pop", "clear", "add", "remove",
    "encode", "decode", "read", "write", "format", "close", "total",
]  # fmt: skip


class _Metaclass(type):
    """Reports what is asked of the classes themselves."""


for _name in ("__call__", "__getattr__", "__instancecheck__", "__subclasscheck__", "__eq__",
              "__hash__", "__iter__", "__len__", "__contains__", "__getitem__"):  # fmt: skip
    setattr(_Metaclass, _name, _report(f"metaclass {_name}"))
_ANSWERS |= {"metaclass __hash__": 11, "metaclass __eq__": False, "metaclass __len__": 0}


def _methods(owner: str, *without: str) -> dict[str, Any]:
    names = [*NAMES, *PLAIN_NAMES]
    made = {name: _report(name) for name in names if name not in without}
    for name, method in made.items():
        method.__qualname__ = f"{owner}.{name}"
    return {**made, "__module__": __name__, "computed": property(_report("property"))}


def _class_property(self: Any) -> Any:
    REPORTS.append("class __class__")
    return int


Victim: Any = type.__call__(
    _Metaclass, "Victim", (), {**_methods("Victim"), "__class__": property(_class_property)}
)
Watchful: Any = type("Watchful", (), {
    **_methods("Watchful"), "__getattribute__": _report("__getattribute__"),
})  # fmt: skip
Plain: Any = type("Plain", (), {"__module__": __name__, "total": _report("total")})


class Page(Generic[T]):
    """A generic class, for aliases."""

    def __class_getitem__(cls, arguments: Any) -> Any:
        REPORTS.append("class __class_getitem__")
        return super().__class_getitem__(arguments)  # type: ignore[misc]


@dataclass(frozen=True)
class Point:
    """A key whose hash goes through what it holds."""

    x: Any
    y: Any


@dataclass(slots=True)
class Filled:
    """A class with defaults, which it has gained since, as far as the bytes say."""

    x: Any = 1
    y: list[Any] = field(default_factory=list)
    z: Any = field(default_factory=act)


class Pair(NamedTuple):
    """A named tuple that has gained an element."""

    x: Any
    y: Any = 2


class Color(enum.Enum):
    """An enum."""

    RED = "red"


class Mode(enum.IntFlag):
    """Flags of which any number is one."""

    A = 1
    B = 2


class Access(enum.Flag):
    """Flags of which only combinations are ones."""

    READ = 1
    WRITE = 2


def _subclass(name: str, base: type, *without: str) -> Any:
    return type(name, (base,), _methods(name, "__class_getitem__", *without))


VictimList = _subclass("VictimList", list)
VictimDict = _subclass("VictimDict", dict)
VictimTuple = _subclass("VictimTuple", tuple)
VictimSet = _subclass("VictimSet", set)
VictimFrozenset = _subclass("VictimFrozenset", frozenset)
VictimStr = _subclass("VictimStr", str)
VictimBytes = _subclass("VictimBytes", bytes)
VictimInt = _subclass("VictimInt", int)
VictimDeque = _subclass("VictimDeque", deque)
VictimOrdered = _subclass("VictimOrdered", OrderedDict)
VictimDefault = _subclass("VictimDefault", defaultdict)
VictimError = _subclass("VictimError", Exception)
VictimGroup = _subclass("VictimGroup", ExceptionGroup)
VictimZone = type("VictimZone", (tzinfo,), {
    "__module__": __name__, **{name: _report(name) for name in ("utcoffset", "tzname", "dst")},
})  # fmt: skip

NOTHING = object()
SETTINGS = Point("a secret", 1)
"""What only bytes that know what it looks like may have."""

CLASSES = [
    "Victim", "Watchful", "Plain", "Page", "Point", "Filled", "Pair", "Color", "Mode", "Access",
    "VictimList",
    "VictimDict", "VictimTuple", "VictimSet", "VictimFrozenset", "VictimStr", "VictimBytes",
    "VictimInt", "VictimDeque", "VictimOrdered", "VictimDefault", "VictimError", "VictimGroup",
    "VictimZone",
]  # fmt: skip


class _Made:
    """What the registered victim is decoded to; it unpacks and keeps what it is given."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


storable(
    name="fuzz:Made", encode=lambda value: list(value.parts), decode=lambda plain: _Made(*plain)
)(_Made)
