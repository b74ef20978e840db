"""A few values of every type that can be stored, by the type."""

from __future__ import annotations

import array
import io
import itertools
import logging
import math
import random
import re
import types
import uuid
from collections import ChainMap, OrderedDict, UserDict, UserList, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from ipaddress import ip_address, ip_interface, ip_network
from operator import itemgetter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

from longterm._matches import matches_of
from longterm.frame import Frame
from tests.codec import models
from tests.codec.models import Leaf, Node, double, is_odd

PARIS = ZoneInfo("Europe/Paris")


@lru_cache
def cached(number: int) -> int:
    return number


def _raised() -> BaseException:
    try:
        raise ValueError("wrong")
    except ValueError as error:
        return error


SCALARS: list[Any] = [
    None, True, False, 0, -1, 127, 128, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63),
    -(2**63) - 1, 10**100, -(10**100), 0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324,
    "", "text", "été", "\U0001f600", "\ud800", "half \udfff pair", "x" * 300, b"", b"\x00\xff",
    b"x" * 70_000,
]  # fmt: skip

VALUES: list[Any] = [
    1j, complex(-0.0, math.inf), Decimal("1.50"), Decimal("-0"), Decimal("NaN"), Decimal("sNaN12"),
    Decimal("Infinity"), Decimal("1E+999"), Fraction(1, 3), Fraction(-(10**40), 7), ...,
    NotImplemented,
    date(2026, 11, 24), date.max, timedelta(-1, 5, 7), timedelta.max, timedelta.min,
    datetime(2026, 11, 24, 8, 14), datetime(2026, 11, 24, 8, 14, 0, 1, UTC), datetime.max,
    datetime(2026, 10, 25, 2, 30, tzinfo=PARIS),
    datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1),
    datetime(2026, 1, 1, fold=1),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, seconds=1))),
    time(8, 14), time(8, 14, 1, 2, UTC), time(2, 30, fold=1, tzinfo=timezone(timedelta(0), "Z")),
    UTC, timezone(timedelta(hours=-3)), timezone(timedelta(hours=1), "CET"), PARIS,
    uuid.UUID(int=7), uuid.UUID(int=8, is_safe=uuid.SafeUUID.safe),
    uuid.UUID(int=9, is_safe=uuid.SafeUUID.unsafe), Path("a/b.txt"), Path(), PurePosixPath("/x"),
    PureWindowsPath("c:\\x"), ip_address("10.0.0.1"), ip_address("::1"), ip_network("10.0.0.0/8"),
    ip_network("fe80::/10"), ip_interface("10.0.0.1/8"), ip_interface("::1/64"),
    re.compile("a(?P<x>b)", re.IGNORECASE), re.compile(b"[\x00-\xff]"), re.compile("été"),
    range(3), range(10, 0, -2), range(10**30),
]  # fmt: skip

CONTAINERS: list[Any] = [
    [], [1, [2, [3]]], {}, {"a": 1, 2: "b", None: 3, 1.5: 4, True: 5, b"k": 6, (1, ("t",)): 7},
    {"\ud800": "\udfff"}, {frozenset({1}): {2}}, {10**30: 1}, (), (1,), ((1, 2), []), set(),
    {1, "a", None, (2, 3), b"x", 2.5}, frozenset(), frozenset({frozenset({1}), 2}), deque(),
    deque([1, [2]], maxlen=4), slice(None), slice(1, [2], "x"), bytearray(b"abc"), bytearray(),
    array.array("i", [1, -2]), array.array("d", [0.5]), array.array("B"),
    types.SimpleNamespace(a=1, b=[2]), types.MappingProxyType({"a": [1]}), {3: date(2026, 1, 1)},
    {date(2026, 1, 1): 3, Path("x"): 4},
]  # fmt: skip

VIEWS: list[Any] = [
    {"a": 1}.keys(), {"a": [1]}.values(), {"a": 1}.items(), UserDict(a=1).keys(),
    ChainMap({"a": [1]}).values(), UserDict(a=1).items(),
]  # fmt: skip

MEMORYVIEWS: list[Any] = [
    memoryview(b"abc"), memoryview(b"abcdef")[2:4], memoryview(bytearray(b"abc")),
    memoryview(bytearray(b"abc")).toreadonly(), memoryview(array.array("i", [1, 2])),
    memoryview(b"\x01\x00\x00\x00").cast("I"),
]  # fmt: skip

CALLABLES: list[Any] = [
    len, math.sqrt, str.upper, int.__add__, dict.fromkeys, double, Node, int, cached, Node.visit,
    Node.make, datetime.fromisoformat, ValueError,
]  # fmt: skip


def methods() -> list[Any]:
    """Return bound methods and partials."""
    return [
        [1, 2].append, {"a": 1}.get, "x".upper, Leaf().visit, partial(double, 4),
        partial(max, key=len),
        [3].__len__, {1: 2}.__getitem__,
    ]  # fmt: skip


def frames() -> list[Any]:
    """Return frames and cells."""
    full, empty = types.CellType([1]), types.CellType()
    return [
        Frame("shop.orders:greet", "f3a9", 2, 41, {"rows": [1], "x": full}, {"total": full}),
        Frame("shop.orders:greet", "f3a9", 0, 1),
        full,
        empty,
    ]


def iterators() -> list[Any]:
    """Return fresh iterators, each of at least three items."""
    return [
        iter([1, 2, 3]), reversed([1, 2, 3]), iter((1, 2, 3)), reversed((1, 2, 3)), iter("abc"),
        iter("abĀ"), iter(b"abc"), iter(bytearray(b"abc")), iter(range(3)), iter(range(9, 0, -3)),
        iter(range(2**80, 2**80 + 3)), enumerate([5, 6, 7], 3),
        zip([1, 2, 3], "abcd", strict=False),
        zip([1, 2, 3], "abc", strict=True), map(double, [1, 2, 3]), map(max, [1, 5, 2], [4, 3, 6]),
        filter(is_odd, range(9)), filter(None, [0, 1, 2, 0, 3]), iter({1: "a", 2: "b", 3: "c"}),
        iter({1: "a", 2: "b", 3: "c"}.values()), iter({1: "a", 2: "b", 3: "c"}.items()),
        reversed({1: "a", 2: "b", 3: "c"}), reversed({1: "a", 2: "b", 3: "c"}.values()),
        reversed({1: "a", 2: "b", 3: "c"}.items()), iter({1, 2, 3}), iter(frozenset({1, 2, 3})),
        iter(iter([1, 2, 3]).__next__, 9),
    ]  # fmt: skip


def library_iterators() -> list[Any]:
    """Return iterators of containers of the standard library, most of which have passed one."""
    ordered: Any = OrderedDict(a=1, b=2, c=3)
    held: Any = UserDict(a=1, b=2, c=3)
    begun = [
        iter(ordered), iter(ordered.values()), iter(ordered.items()), reversed(ordered),
        reversed(ordered.items()), iter(held.keys()), iter(held.values()), iter(held.items()),
        iter(UserList([1, 2, 3])), reversed(UserList([1, 2, 3])), iter(array.array("i", [1, 2])),
        reversed(models.Color), iter(models.Access.READ | models.Access.WRITE),
        iter(ip_network("10.0.0.0/30")), ip_network("10.0.0.0/29").hosts(),
        ip_network("fe80::/125").hosts(),
    ]  # fmt: skip
    for iterator in begun:
        next(iterator)
    return [*begun, iter(held.items()), iter(ordered)]


def matches() -> list[Any]:
    """Return what loops over `re.finditer` go through."""
    found = matches_of(re.finditer("a*", "xaax"))
    next(found)
    return [found]


def itertools_iterators() -> list[Any]:
    """Return fresh iterators of itertools, each of at least three items."""
    return [
        itertools.count(5), itertools.count(0.5, 0.25), itertools.count(2**70),
        itertools.cycle("abcd"),
        itertools.repeat("x", 5), itertools.repeat([1]), itertools.accumulate([1, 2, 3, 4]),
        itertools.accumulate([1, 2, 3, 4], max, initial=2), itertools.chain([1], [2, 3], [4]),
        itertools.chain.from_iterable([[1, 2], (3, 4)]),
        itertools.compress("abcde", [1, 0, 1, 1, 1]),
        itertools.dropwhile(is_odd, [1, 3, 4, 5, 6]), itertools.filterfalse(is_odd, range(9)),
        itertools.pairwise([1, 2, 3, 4]), itertools.pairwise([(None, None), 1, 2, 3]),
        itertools.islice(range(99), 3, 30, 4), itertools.starmap(max, [(1, 2), (4, 3), (5, 6)]),
        itertools.takewhile(is_odd, [1, 3, 5, 7, 8, 9]),
        itertools.zip_longest([1], [2, 3, 4], fillvalue=0),
        itertools.product("ab", [1, 2]), itertools.permutations([1, 2, 3], 2),
        itertools.combinations([1, 2, 3, 4], 2),
        itertools.combinations_with_replacement([1, 2, 3], 2),
    ]  # fmt: skip


def instances() -> list[Any]:
    """Return an instance of each model."""
    slotted, child, both = models.Slotted(), models.SlottedChild(), models.SlotsAndDict()
    slotted.left = [1]
    child.right, child.extra = 2, 3
    both.left, both.name = 4, "both"  # type: ignore[attr-defined]
    order = models.Order("o", [1])
    order.total = 2.5
    noted = models.MyStr("s")
    noted.note = "n"
    private = models.PrivateModel(name="p", more=[1])
    private._secret = 5
    numbered = models.MyInt(7)
    numbered.note = "seven"  # type: ignore[attr-defined]
    ordered = models.MyOrdered(b=1, a=2)
    ordered.move_to_end("b")
    return [
        order, models.Money(1, "EUR"), models.Parcel(1.5, {"a": 1}), models.Point(1, [2]), Node(1),
        slotted, child, both, models.Locked([1]), models.AttrsSlots(1), models.AttrsFrozen(2),
        models.Model(name="m", parent=models.Model(name="n")), private, models.Pair(1, [2]),
        models.Typed(1), numbered, models.MyInt(2**90), models.MyFloat(-0.0), noted,
        models.MyBytes(b"b"), models.MyComplex(1, 2), models.MyList([1, None]),
        models.MyDict(a=None),
        models.MyTuple([1, None]), models.MySet([1, "a"]), models.MyFrozenset([1]),
        models.MyBytearray(b"x"), ordered, models.MyDefault(list, {"a": [1]}),
        models.MyDeque([1, None], 5), models.MyCounter("aab"), models.Color.RED, models.Size.LARGE,
        models.Access.READ | models.Access.WRITE, models.Access(0), models.Mode.A | models.Mode.B,
        models.Shade.DARK,
    ]  # fmt: skip


def generics() -> list[Any]:
    """Return instances of generic classes and of a protocol, and aliases."""
    return [
        models.Page([1]), models.Page[int]([2]), models.Page[list[models.Page[str]]]([]),
        models.SlottedPage[int]([3]), models.PagedList[int]([4]), models.Shop("x"),
        models.Page[int], list[int], dict[str, models.Page[int]], tuple[()],
    ]  # fmt: skip


def stateful() -> list[Any]:
    """Return what stands somewhere, goes on from there, or is one of its name."""
    text, numbers = io.StringIO("one\ntwo\n"), random.Random(1)
    text.readline()
    numbers.gauss(0, 1)
    ordered, queue, colors = OrderedDict(b=1, a=[2]), deque([1, 2, 3]), iter(models.Color)
    next(colors)
    return [
        text, io.BytesIO(b"abc"), numbers, logging.getLogger("shop.orders"), logging.root,
        itemgetter("a", 1), type(None), ordered.keys(), ordered.values(), ordered.items(),
        iter(queue), reversed(queue), iter(models.Row()), colors, models.Moment(2026, 11, 28, 8),
        models.Day(2026, 11, 28),
    ]  # fmt: skip


def tracebacks() -> list[Any]:
    """Return a traceback."""
    return [_raised().__traceback__]
