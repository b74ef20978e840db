"""Types that strangers held over a wait: each is stored, or refused with a way out."""

from __future__ import annotations

import contextlib
import enum
import functools
import heapq
import importlib
import io
import logging
import math
import operator
import random
import re
import subprocess
import sys
import threading
import typing
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import pytest

import longterm
from longterm import deflow, process_event, start_flow, suspend
from longterm._codec import CorruptData, NotStorable, decode, encode
from tests.codec import models
from tests.codec.blobs import items, tagged, type_of


class Moment(datetime):
    def __new__(cls, *args: Any, **kwargs: Any) -> Moment:
        made = super().__new__(cls, *args, **kwargs)
        made.calls = getattr(made, "calls", 0) + 1
        return made

    calls: int

    def replace(self, **changes: Any) -> Any:  # type: ignore[override]
        raise AssertionError("an overridden method was called")

    @property
    def year(self) -> int:  # type: ignore[override]
        raise AssertionError("a property was read")


class Day(date):
    pass


class Length(timedelta):
    pass


class Clock(time):
    pass


class Zone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise AssertionError("a time zone was asked")


class Step(enum.Enum):
    ASK = 1
    WAIT = 2
    TELL = 3


class Rows:
    """What can be gone through by its items alone."""

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


def back(value: Any) -> Any:
    return decode(encode([value]))[0]


def test_subclasses_of_dates_and_times_stay_what_they_are() -> None:
    moment = Moment(2026, 3, 29, 2, 30, 1, 5, tzinfo=Zone(), fold=1)
    held = back(moment)
    assert type(held) is Moment
    assert (held.calls, type(held.tzinfo)) == (1, Zone)
    assert datetime.year.__get__(held) == 2026  # type: ignore[attr-defined]
    assert (held.minute, held.microsecond, held.fold) == (30, 5, 1)
    for value in (Day(2026, 1, 2), Length(-1, 5, 7), Clock(1, 2, 3, 4, UTC, fold=1)):
        assert type(back(value)) is type(value)
        assert back(value) == value
    assert encode({Day(2026, 1, 2), Day(2025, 1, 2)}) == encode({Day(2025, 1, 2), Day(2026, 1, 2)})


@pytest.mark.parametrize(
    "content", [tagged("range", 1, 2, 3), 5, "2026-01-01", None, []], ids=range(5)
)
def test_bytes_make_no_such_value_of_anything_else(content: Any) -> None:
    for name in ("Moment", "Day", "Length", "Clock"):
        with pytest.raises(CorruptData):
            decode(items(tagged("value object", type_of(f"{__name__}:{name}"), content)))


def test_files_in_memory_go_on_where_they_stand() -> None:
    text, data = io.StringIO("one\r\ntwo\n", newline=""), io.BytesIO(b"abc")
    text.readline()
    data.read(2)
    held, more = back(text), back(data)
    assert (held.readline(), held.write("x"), held.getvalue()) == ("two\n", 1, "one\r\ntwo\nx")
    assert (more.read(), more.getvalue()) == (b"c", b"abc")
    text.close()
    with pytest.raises(NotStorable, match="closed"):
        encode([text])
    for parts in ((4, "abc", "\n"), (0, "abc", "x"), (0, b"a", "\n"), (-1, b"a"), (0, 5), (0, [])):
        with pytest.raises(CorruptData):
            decode(items(tagged("buffer", *parts)))


def test_random_numbers_go_on() -> None:
    dice = random.Random(7)
    dice.gauss(0, 1)
    held = back(dice)
    assert [held.gauss(0, 1), held.random(), held.choice("abc")] == [
        dice.gauss(0, 1), dice.random(), dice.choice("abc"),
    ]  # fmt: skip
    for state in ([1] * 3, ["x"] * 625, [-1] * 625, [2**40] * 625, [0] * 624 + [625]):
        with pytest.raises(CorruptData):
            decode(items(tagged("random", None, *state)))


def test_loggers_are_those_of_their_names() -> None:
    known = logging.getLogger("shop.orders")
    held = back([known, logging.root, {"again": known}])
    assert held[0] is held[2]["again"] is known
    assert held[1] is logging.getLogger()
    with pytest.raises(NotStorable, match="getLogger"):
        encode([logging.Logger("loose")])
    for name in (5, "x" * 501):
        with pytest.raises(CorruptData):
            decode(items(tagged("logger", name)))
    with pytest.raises(CorruptData, match="more work"):
        decode(items(*[tagged("logger", f"{number}{'.x' * 240}") for number in range(50)]))


def test_item_getters_and_nameless_classes() -> None:
    assert back(operator.itemgetter("a", 1))({"a": 2, 1: 3}) == (2, 3)
    assert back(slice) is slice
    held = [type(None), type(...), type(NotImplemented), typing.Any]
    assert back(held) == held


def test_iterators_go_on_where_they_stand() -> None:
    for make, most in (
        (lambda: iter(deque([1, 2, 3])), 4),
        (lambda: reversed(deque([1, 2, 3], maxlen=3)), 4),
        (lambda: iter(Rows(1, 2, 3)), 4),
        (lambda: iter(Step), 3),
    ):
        for passed in range(most + 1):
            one: Any = make()
            for _ in range(passed):
                next(one, None)
            assert list(back(one)) == list(one)


def test_a_deque_is_shared_with_what_goes_through_it() -> None:
    queue = deque([1, 2, 3])
    iterator, held = back([iter(queue), queue])
    next(iterator)
    held.append(4)
    with pytest.raises(RuntimeError, match="mutated"):
        next(iterator)
    shrunk = iter(queue)
    next(shrunk)
    queue.clear()
    with pytest.raises(RuntimeError, match="mutated"):
        next(back(shrunk))


def test_views_of_ordered_dicts_show_them() -> None:
    ordered = OrderedDict(b=1, a=2)
    held, keys, values, pairs = back([ordered, ordered.keys(), ordered.values(), ordered.items()])
    held["c"] = 3
    assert [list(keys), list(values), list(pairs)] == [["b", "a", "c"], [1, 2, 3], [*held.items()]]
    with pytest.raises(CorruptData):
        decode(items(tagged("dict view", "ordered keys", {"a": 1})))


@deflow
def asking() -> Any:
    told = [(step.name, suspend(step.name)) for step in Step]
    queue = deque([1, 2])
    for number in queue:
        told.append((number, suspend("deque")))
    for row in Rows("x", "y"):
        told.append((row, suspend("rows")))
    return told


def test_loops_over_them_wait() -> None:
    longterm.set_runstore("memory://")
    run = start_flow(asking)
    while run.waiting_for:
        run = process_event(run.id, run.waiting_for, 1)
    assert [each for each, _ in run.result] == ["ASK", "WAIT", "TELL", 1, 2, "x", "y"]


@pytest.mark.parametrize(
    "parts",
    [("Step", -1), ("Step", "x"), ("Rows", 0), ("Sentinel", 0)],
)  # fmt: skip
def test_bytes_go_through_the_members_of_enums_alone(parts: Any) -> None:
    name, passed = parts
    with pytest.raises(CorruptData):
        decode(items(tagged("members of an enum", type_of(f"{__name__}:{name}"), passed)))


def test_bytes_go_through_items_of_what_has_no_way_of_its_own() -> None:
    for value in ([1], {"a": 1}, 5, tagged("object", type_of("tests.codec.models:Node"))):
        with pytest.raises(CorruptData):
            decode(items(tagged("iterator of items", value, 0)))


def _missing(owner: Any) -> AttributeError:
    try:
        owner.missing  # noqa: B018
    except AttributeError as error:
        return error
    raise AssertionError


def test_what_had_no_attribute_is_left_out_if_it_cannot_be_stored() -> None:
    holder = models.Node(threading.Lock())
    for owner in (math, threading.Lock(), holder, [threading.Lock()]):
        held = back(_missing(owner))
        assert (held.name, held.obj) == ("missing", None)
    node = models.Node()
    held, again = back([_missing(node), node])
    assert held.obj is again
    node.links.append(_missing(node))
    assert back(node).links[0].name == "missing"


@deflow
def handling() -> Any:
    try:
        return math.missing  # type: ignore[attr-defined]
    except AttributeError as error:
        return suspend("a"), error.name


def test_a_handler_of_an_attribute_error_waits() -> None:
    longterm.set_runstore("memory://")
    assert process_event(start_flow(handling).id, "a", 1).result == (1, "missing")


@contextlib.contextmanager
def managed() -> Any:
    yield


REFUSED: list[tuple[Any, str]] = [
    (lambda: re.match("a", "a"), "groups"),
    (lambda: next(re.finditer("a", "a")), "groups"),
    (lambda: operator.attrgetter("a"), "a lambda in the flow"),
    (lambda: operator.methodcaller("a"), "a lambda in the flow"),
    (lambda: int | None, "write it again"),
    (lambda: typing.Optional[int], "write it again"),  # noqa: UP045
    (lambda: reversed(Rows(1)), "a list of it"),
    (lambda: heapq.merge([1], [2]), "a list of it"),
    (managed, "__suspend__ and __resume__"),
    (contextlib.ExitStack, "__suspend__ and __resume__"),
    (lambda: contextlib.closing(io.StringIO()), "__suspend__ and __resume__"),
    (lambda: contextlib.chdir("."), "__suspend__ and __resume__"),
    (lambda: contextlib.redirect_stdout(io.StringIO()), "__suspend__ and __resume__"),
    (lambda: logging.LoggerAdapter(logging.root), "the logger, which is stored by name"),
    (functools.partialmethod, "make it again"),
]


@pytest.mark.parametrize(("make", "remedy"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_has_a_way_out(make: Any, remedy: str) -> None:
    with pytest.raises(NotStorable) as caught:
        encode([make(len) if make is functools.partialmethod else make()])
    assert remedy in caught.value.hint
    assert "allow(" not in caught.value.hint


STORED = [
    "decimal.Decimal('1.50')", "pathlib.Path('/a')", "ipaddress.ip_network('10.0.0.0/8')",
    "fractions.Fraction(1, 3)", "re.compile('a', re.I)", "zoneinfo.ZoneInfo('Europe/Paris')",
    "array.array('i', [1])", "bytearray(b'a')", "memoryview(b'abc')",
    "types.MappingProxyType({'a': 1})", "collections.OrderedDict(b=1, a=2)",
    "collections.Counter('aab')", "collections.ChainMap({'a': 1}, {'b': 2})",
    "collections.UserDict(a=1)", "types.SimpleNamespace(a=1)", "types.GenericAlias(list, int)",
    "logging.getLogger('shop')", "uuid.UUID(int=1)", "urllib.parse.urlparse('http://a/b?c')",
    "datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)", "http.HTTPStatus.OK",
    "subprocess.run(['true'], capture_output=True)", "collections.deque([1], maxlen=3)",
    "range(3)", "slice(1, 2)", "frozenset({1})", "1 + 2j", "typing.Any", "dict[str, int]",
]  # fmt: skip


@pytest.mark.parametrize("expression", STORED)
def test_values_of_the_standard_library_come_back(expression: str) -> None:
    named = sys.stdlib_module_names.intersection(re.findall(r"\b([a-z]+)\.", expression))
    modules = {name: importlib.import_module(name) for name in named}
    importlib.import_module("urllib.parse")
    value = eval(expression, modules)
    back = decode(encode([value]))[0]
    assert type(back) is type(value)
    if isinstance(value, subprocess.CompletedProcess):
        assert vars(back) == vars(value)
    else:
        assert back == value
