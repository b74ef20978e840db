"""What is taken apart in a tree of frames comes back as the whole encoder would have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from longterm import Event
from longterm._codec import decode, encode, wire
from longterm.errors import NotStorable
from longterm.frame import Frame
from tests.codec.graphs import graphs
from tests.codec.models import (
    EURO,
    UNSET,
    AttrsSlots,
    Color,
    Model,
    Money,
    MyList,
    Node,
    Order,
    Page,
    Parcel,
    Point,
    Size,
)
from tests.codec.shapes import assert_same

SAID: Event[str] = Event("said", str)
TREE, GRAPH = wire.FRAMES | wire.TAGGED, wire.ITEMS


def frames(**slots: Any) -> list[Frame]:
    return [Frame("tests.codec.models:flow", "v", 1, 2, slots)]


def stored(**slots: Any) -> tuple[int, dict[str, Any]]:
    """Return the layout of the bytes of frames with these slots, and the slots that come back."""
    data = encode(frames(**slots))
    (frame,) = decode(data)
    return data[1], frame.slots


@given(graphs())
def test_any_graph_in_a_slot_keeps_its_shape(graph: Any) -> None:
    before = frames(one=graph, other=1)
    assert_same(before, decode(encode(before)))


def part_way(iterator: Any) -> Any:
    next(iterator)
    return iterator


ITERATORS: dict[str, Callable[[], Any]] = {
    "range": lambda: iter(range(9)),
    "list": lambda: iter([1, [2], 3]),
    "reversed list": lambda: reversed([1, 2, 3]),
    "tuple": lambda: iter((1, 2, 3)),
    "str": lambda: iter("abc"),
    "keys": lambda: iter({"a": 1, "b": 2}),
    "items": lambda: iter({"a": [1], "b": 2}.items()),
    "set": lambda: iter({3}),
    "enumerate": lambda: enumerate(["a", "b", "c"]),
    "zip": lambda: zip([1, 2], "ab", strict=True),
}


@pytest.mark.parametrize("name", ITERATORS)
@pytest.mark.parametrize("begun", [False, True])
def test_an_iterator_stands_in_the_tree(name: str, begun: bool) -> None:
    make = ITERATORS[name]
    change = part_way if begun else lambda iterator: iterator
    layout, slots = stored(it=change(make()))
    assert layout == TREE
    assert list(slots["it"]) == list(change(make()))


IN_TREES: dict[str, Callable[[], Any]] = {
    "dataclass": lambda: Order("Ada", [1, [2]]),
    "frozen dataclass": lambda: Money(3, "USD"),
    "slots": lambda: Point([1], {"a": 2}),
    "a class within a class": lambda: Parcel(1.5, Order("Ada")),
    "plain class": lambda: Node(1, 2),
    "attrs": lambda: AttrsSlots(1, [2]),
    "pydantic": lambda: Model(name="Ada", tags=["a"]),
    "generic": lambda: Page([1]),
    "member of an enum, again and again": lambda: [Color.RED, Color.RED, Size.SMALL],
    "dates": lambda: [datetime(2026, 1, 2, tzinfo=UTC), UUID(int=3), Order("Ada")],
    "in a tuple": lambda: (1, Order("Ada")),
    "a few of a class": lambda: [Money(1, "USD"), Money(2, "USD")],
}


@pytest.mark.parametrize("name", IN_TREES)
def test_an_instance_stands_in_the_tree(name: str) -> None:
    make = IN_TREES[name]
    layout, slots = stored(one=make())
    assert layout == TREE
    assert_same(slots, {"one": make()})


WAITED_FOR: dict[str, Callable[[], Any]] = {
    "the method of a list": lambda: [1, [2]].append,
    "the method of an iterator": lambda: iter([1, 2]).__next__,
    "a method of a text": lambda: ", ".join,
    "a function": lambda: len,
    "a class": lambda: bool,
    "a class of another metaclass": lambda: Model,
    "an event": lambda: SAID,
}


@pytest.mark.parametrize("name", WAITED_FOR)
def test_what_is_held_in_the_middle_of_an_expression_stands_in_the_tree(name: str) -> None:
    make = WAITED_FOR[name]
    layout, slots = stored(one=make())
    assert layout == TREE
    assert_same(slots, {"one": make()})


def test_an_event_that_is_declared_is_the_one_there() -> None:
    _, slots = stored(one=SAID)
    assert slots["one"] is SAID


def many_of_a_class() -> list[Any]:
    return [Money(number, "USD") for number in range(9)]


def held_twice() -> list[Any]:
    order = Order("Ada")
    return [order, order]


def beside_its_attributes() -> list[Any]:
    order = Order("Ada")
    return [order, vars(order)]


def in_a_cycle() -> Any:
    node = Node()
    node.links.append(node)
    return node


def gone_through_and_held() -> list[Any]:
    rows = [1, 2]
    return [rows, iter(rows)]


IN_GRAPHS: dict[str, Callable[[], Any]] = {
    "many of a class": many_of_a_class,
    "held twice": held_twice,
    "beside its attributes": beside_its_attributes,
    "in a cycle": in_a_cycle,
    "a list that is gone through and held": gone_through_and_held,
    "a constant": lambda: EURO,
    "a constant beside others": lambda: [Order("Ada"), UNSET],
    "in a set": lambda: {Point(1, 2)},
    "in a tuple in a set": lambda: {(1, Point(1, 2))},
    "as a key": lambda: {Point(1, 2): 1},
    "a member as a key": lambda: {Color.RED: 1},
    "an exception": lambda: ValueError(1),
    "a subclass of a builtin": lambda: MyList([1]),
}


@pytest.mark.parametrize("name", IN_GRAPHS)
def test_what_a_tree_cannot_say_is_left_to_the_whole_encoder(name: str) -> None:
    make = IN_GRAPHS[name]
    layout, slots = stored(one=make())
    assert layout == GRAPH
    assert_same(slots, {"one": make()})


def test_a_constant_stays_the_object_that_its_module_holds() -> None:
    _, slots = stored(euro=EURO, other=Money(1, "EUR"))
    assert slots["euro"] is EURO
    assert slots["other"] is not EURO


def test_what_cannot_be_stored_is_refused_with_its_path() -> None:
    with pytest.raises(NotStorable, match=r"lines\[0\]"):
        encode(frames(order=Order("Ada", [(number for number in [1])])))


def test_a_value_alone_has_the_same_bytes_however_often_it_is_held() -> None:
    order = Order("Ada")
    kept = [order]
    assert encode([order]) == encode(kept) == encode([Order("Ada")])
