"""What a few values of a stack share is written by references, the rest as it is in a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from longterm import Event
from longterm._codec import decode, encode, wire
from longterm._codec.encode.encoder import encode_graph
from longterm._codec.encode.plain import pack_frames
from longterm.frame import Frame
from tests.codec.graphs import graphs
from tests.codec.models import Color, Model, Money, Node, Order, Point
from tests.codec.shapes import assert_same

SAID: Event[str] = Event("said", str)


def stack(*slots: dict[str, Any]) -> list[Frame]:
    return [Frame("tests.codec.models:flow", "v", 1, 2, each) for each in slots]


@given(graphs())
def test_any_graph_that_is_held_twice_keeps_its_shape(graph: Any) -> None:
    before = stack({"one": graph, "other": [graph, 1]}, {"third": {"a": graph}})
    assert_same(before, decode(encode(before)))


@given(graphs(), graphs())
def test_graphs_that_hold_each_other_s_parts_keep_their_shape(one: Any, other: Any) -> None:
    both = [one, other]
    before = stack({"one": one, "both": both}, {"both": (both, other)})
    assert_same(before, decode(encode(before)))


def by_two_variables() -> list[dict[str, Any]]:
    order = {"total": 1, "lines": [1]}
    return [{"order": order, "same": order}]


def by_a_list_and_a_variable() -> list[dict[str, Any]]:
    order = Order("Ada", [1])
    return [{"order": order, "orders": [1, [order]]}]


def by_two_frames() -> list[dict[str, Any]]:
    lines: list[Any] = []
    return [{"order": {"lines": lines}, "n": 1}, {"lines": lines}]


def one_in_another() -> list[dict[str, Any]]:
    inner: list[Any] = [1, []]
    outer = {"inner": inner}
    return [{"outer": outer, "again": (outer,), "inner": inner}]


def with_its_iterator() -> list[dict[str, Any]]:
    rows = [{"n": 1}, {"n": 2}]
    return [{"rows": rows, "left": iter(rows), "row": rows[0]}]


def with_tuples_and_members() -> list[dict[str, Any]]:
    pair = (Color.RED, [2**70])
    return [{"pair": pair, "pairs": [pair, Color.RED, {1, 2}, (), frozenset(), frozenset()]}]


def with_its_attributes() -> list[dict[str, Any]]:
    order = Order("Ada")
    return [{"order": order, "attributes": vars(order)}]


def with_its_methods() -> list[dict[str, Any]]:
    rows: list[Any] = [{"n": 1}]
    add = rows.append
    return [{"rows": rows, "add": add, "again": (add, rows.pop), "get": rows[0].get}]


def with_what_waits_are_for() -> list[dict[str, Any]]:
    rows: list[Any] = [SAID, Model]
    return [{"rows": rows, "same": rows, "event": SAID, "type": bool, "types": [bool, Model, len]}]


QUICK: list[Callable[[], list[dict[str, Any]]]] = [
    by_two_variables,
    by_a_list_and_a_variable,
    by_two_frames,
    one_in_another,
    with_its_iterator,
    with_tuples_and_members,
    with_its_attributes,
    with_its_methods,
    with_what_waits_are_for,
]


@pytest.mark.parametrize("make", QUICK)
def test_it_is_written_the_quick_way(make: Callable[[], list[dict[str, Any]]]) -> None:
    before = stack(*make())
    packed = pack_frames(before)
    assert packed is not None
    assert packed[0] == wire.ITEMS
    assert encode(before) == wire.HEADERS[wire.ITEMS] + packed[1]
    # Not by `==` of the whole: the test's own names are held nowhere in what comes back.
    assert_same(before, decode(encode(before)))


@pytest.mark.parametrize("make", [by_two_variables, by_two_frames])
def test_one_shared_value_has_the_bytes_of_the_whole_encoder(
    make: Callable[[], list[dict[str, Any]]],
) -> None:
    before = stack(*make())
    assert encode(before)[2:] == encode_graph(before)


def test_a_list_of_frames_and_else_is_a_value() -> None:
    (frame,) = stack({"order": Order("Ada")})
    decoded = decode(encode([frame, 1]))
    assert decoded[0].slots["order"] == Order("Ada")
    assert decoded[1:] == [1]


def in_a_cycle() -> list[dict[str, Any]]:
    node = Node()
    node.links.append(node)
    return [{"node": node}]


def in_a_cycle_of_lists() -> list[dict[str, Any]]:
    one: list[Any] = []
    other = [one]
    one.append(other)
    return [{"one": one, "other": other}]


def nested_deep() -> list[dict[str, Any]]:
    rows: list[Any] = []
    deep = rows
    for _ in range(250):
        deep = [deep]
    return [{"rows": rows, "deep": deep}]


def hashed() -> list[dict[str, Any]]:
    pair = (1, 2)
    return [{"pair": pair, "pairs": {pair, (3, 4)}}]


def hashed_in_frozen_slots() -> list[dict[str, Any]]:
    point = Point(1, 2)
    return [{"point": point, "points": {point}}]


def slots_of_a_frame() -> list[dict[str, Any]]:
    slots: dict[str, Any] = {"a": [1]}
    return [slots, {"slots": slots}]


WHOLE: list[Callable[[], list[dict[str, Any]]]] = [
    in_a_cycle,
    in_a_cycle_of_lists,
    nested_deep,
    hashed,
    hashed_in_frozen_slots,
    slots_of_a_frame,
]


@pytest.mark.parametrize("make", WHOLE)
def test_the_rest_is_left_to_the_whole_encoder(make: Callable[[], list[dict[str, Any]]]) -> None:
    before = stack(*make())
    assert pack_frames(before) is None
    assert_same(before, decode(encode(before)))


def test_half_a_surrogate_pair_is_kept_beside_what_is_shared() -> None:
    rows = ["\ud800"]
    before = stack({"rows": rows, "same": rows})
    assert_same(before, decode(encode(before)))


def test_what_is_changed_by_one_name_is_changed_by_the_other() -> None:
    money = Money(1, "EUR")
    (frame,) = decode(encode(stack({"rows": [money], "money": money, "none": {}})))
    assert frame.slots["rows"][0] is frame.slots["money"]
