"""What cannot be stored is refused with the path to it, its type, and what to do instead."""

from __future__ import annotations

import math
import socket
import sqlite3
import sys
import threading
import weakref
from collections import UserDict, defaultdict
from functools import partial
from pathlib import Path
from types import CellType
from typing import Any

import pytest

from longterm._codec import NotStorable, encode
from longterm._codec.encode.paths import Attribute, Item
from longterm.frame import Frame
from tests.codec.models import Node, Order, Page, Pair, Slotted, T, double


def refused(value: Any) -> NotStorable:
    with pytest.raises(NotStorable) as caught:
        encode(value)
    return caught.value


def test_the_path_leads_from_the_root_to_the_value() -> None:
    order = Order("o")
    connection = sqlite3.connect(":memory:")
    order.cursor = connection.cursor()  # type: ignore[attr-defined]
    frames = [
        Frame("shop:a", "v", 1, 2),
        Frame("shop:b", "v", 1, 2),
        Frame("shop.orders:greet", "v", 1, 41, {"ok": 1, "rows": [1, 2, 3, order]}),
    ]
    error = refused(frames)
    connection.close()
    assert "".join(map(str, error.path)) == "[2].slots['rows'][3].cursor"
    assert error.path == (Item(2), Attribute("slots"), Item("rows"), Item(3), Attribute("cursor"))
    assert (error.frame, error.slot, error.path_in_slot) == (2, "rows", "[3].cursor")
    assert error.value_type == "sqlite3.Cursor"
    assert str(error) == (
        "cannot store [2].slots['rows'][3].cursor, which is of type sqlite3.Cursor: a connection "
        "belongs to a process (open it again after the suspend, and del it before, or register its "
        "type)"
    )


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda bad: bad, ""),
        (lambda bad: [bad], "[0]"),
        (lambda bad: {"a": {2: bad}}, "['a'][2]"),
        (lambda bad: (1, (2, bad)), "[1][1]"),
        (lambda bad: Node(bad), ".links[0]"),
        (lambda bad: [Node([bad])], "[0].links[0][0]"),
        (lambda bad: [Pair(1, bad)], "[0].right"),
        (lambda bad: {bad: 1}, ""),
        (lambda bad: CellType(bad), ".cell_contents"),
        (
            lambda bad: [Frame("f", "v", 1, 2, {}, {"c": CellType([bad])})],
            "[0].cells['c'].cell_contents[0]",
        ),
        (lambda bad: iter([1, bad]), ""),
        (lambda bad: [[1], {"x": [bad]}], "[1]['x'][0]"),
    ],
)
def test_the_path_goes_through_every_container(make: Any, path: str) -> None:
    error = refused(make(threading.Lock()))
    text = "".join(map(str, error.path))
    assert text.startswith(path)
    assert error.value_type == "_thread.lock"
    assert (path or "cannot store") in str(error)


def test_slots_and_exception_members_are_named() -> None:
    slotted = Slotted()
    slotted.left = threading.Lock()
    assert "".join(map(str, refused(slotted).path)) == ".left"
    failed = StopIteration(1)
    failed.value = threading.Lock()
    assert "".join(map(str, refused([failed]).path)) == "[0].value"


def _generator() -> Any:
    yield 1


async def _coroutine() -> None:
    pass


def _with_odd_attribute() -> Any:
    node = Node()
    vars(node)[3] = 4  # type: ignore[index]
    return node


def _hiding() -> Any:
    node = Node()
    node.visit = partial(double, 2)  # type: ignore[method-assign,assignment]
    return node


def _odd_user_dict() -> Any:
    made: UserDict[str, int] = UserDict()
    made.data = iter([1])  # type: ignore[assignment]
    return made


def _local_function() -> Any:
    return lambda: None


def _local_class() -> Any:
    class Local:
        pass

    return Local


REFUSED: list[tuple[Any, str]] = [
    (_generator, "go through a list"),
    (lambda: sys.__stderr__, "open it again"),
    (lambda: socket.socket, "function of your own"),
    (lambda: weakref.ref(Node()), "keep the value itself"),
    (lambda: weakref.WeakValueDictionary(), "use a dict"),
    (lambda: threading.Lock(), "take it again after it"),
    (lambda: threading.local(), "keep what you need"),
    (_local_function, "at the top of a module"),
    (_local_class, "at the top of a module"),
    (lambda: Page[T], "make it again"),
    (lambda: _local_class()(), "at the top of a module"),
    (lambda: object.__init_subclass__, "after the suspend"),
    (lambda: memoryview(bytearray(b"abc"))[1:], "make it again"),
    (lambda: compile("1", "f", "eval"), "keep the function"),
    (lambda: open, "function of your own"),
    (lambda: math, "at the top of a module, or again after the suspend"),
    (lambda: Path("x").write_text, "call write_text after the suspend"),
    (lambda: "{0.name}".format, "f-string"),
    (lambda: "{:{0[x]}}".format, "f-string"),
    (lambda: print, "function of your own"),
    (lambda: defaultdict(partial(double, 2)), "a class or a function"),
    (lambda: _hiding(), "another name"),
    (lambda: _odd_user_dict(), "usual way"),
    (lambda: object(), "member of an Enum"),
    (lambda: _with_odd_attribute(), "names that are strings"),
    (lambda: type("Made", (), {})(), "at the top of a module"),
]


@pytest.mark.parametrize(("make", "hint"), REFUSED, ids=range(len(REFUSED)))
def test_each_refusal_says_what_to_do(make: Any, hint: str) -> None:
    error = refused([make()])
    assert hint in error.hint
    assert error.path == (Item(0),)


def test_a_class_is_not_to_be_called_where_it_is_needed() -> None:
    assert refused(_local_class()).hint == "define it at the top of a module"


def test_coroutines_are_refused() -> None:
    made = _coroutine()
    assert "await it" in refused(made).hint
    made.close()


def test_an_instance_that_has_become_cyclic_through_its_registration_is_refused() -> None:
    from longterm._codec import register_type
    from longterm._codec.types.registered import _by_class, _by_name

    register_type(
        Slotted, encode=lambda value: value.left, decode=lambda plain: plain, name="cyclic"
    )
    try:
        slotted = Slotted()
        slotted.left = [slotted]
        assert "break the cycle" in str(refused(slotted))
    finally:
        del _by_class[Slotted], _by_name["cyclic"]
