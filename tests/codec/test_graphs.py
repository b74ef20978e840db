"""A decoded graph has the shape of the encoded one: what was one value is one, cycles included."""

from __future__ import annotations

from types import CellType
from typing import Any

import pytest
from hypothesis import given

from longterm._codec import decode, encode
from longterm._codec.encode.encoder import encode_graph
from longterm._codec.encode.plain import pack_tree
from longterm.frame import Frame
from tests.codec.graphs import graphs
from tests.codec.models import Keyed, Leaf, Node, Pair, Point
from tests.codec.shapes import assert_same


@given(graphs())
def test_any_graph_keeps_its_shape(graph: Any) -> None:
    assert_same(graph, decode(encode(graph)))


@given(graphs())
def test_what_was_decoded_is_encoded_to_the_same_bytes(graph: Any) -> None:
    data = encode(graph)
    assert encode(decode(data)) == data


@given(graphs())
def test_encoding_changes_nothing(graph: Any) -> None:
    before = encode(graph)
    assert encode(graph) == before


def test_two_names_for_one_list_are_one_list_after() -> None:
    rows = [1]
    frames = [
        Frame("m:f", "v", 1, 2, {"a": rows}),
        Frame("m:g", "v", 1, 2, {"b": rows, "c": (rows,)}),
    ]
    outer, inner = decode(encode(frames))
    outer.slots["a"].append(2)
    assert inner.slots["b"] == [1, 2]
    assert inner.slots["c"][0] is inner.slots["b"]


def test_a_cell_is_shared_by_frames_and_may_be_empty() -> None:
    full, empty = CellType(1), CellType()
    frames = [
        Frame("m:f", "v", 1, 2, {}, {"count": full, "later": empty}),
        Frame("m:g", "v", 1, 2, {"held": full}, {"count": full}),
    ]
    outer, inner = decode(encode(frames))
    assert outer.cells["count"] is inner.cells["count"] is inner.slots["held"]
    with pytest.raises(ValueError, match="empty"):
        _ = outer.cells["later"].cell_contents


def test_a_dict_that_holds_itself_comes_back_so() -> None:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    back = decode(encode(value))
    assert back["self"] is back
    assert list(back) == ["a", "self"]


def test_a_tuple_in_a_cycle_comes_back_as_one() -> None:
    value: tuple[Any, ...] = ([], 1)
    value[0].append(value)
    back = decode(encode(value))
    assert type(back) is tuple
    assert back[0][0] is back


def test_named_tuples_and_frozen_dataclasses_go_around_in_cycles() -> None:
    cycle: list[Any] = []
    pair = Pair(cycle, Point(cycle, 2))
    cycle.append(pair)
    back = decode(encode(pair))
    assert back.left[0] is back
    assert back.right.x is back.left
    itself = Point(1, 2)
    object.__setattr__(itself, "x", itself)
    back = decode(encode(itself))
    assert back.x is back


def test_instances_that_hold_each_other_in_sets_are_hashed_when_they_are_whole() -> None:
    one, two = Keyed(1), Keyed(2)
    one.peers, two.peers = {one, two}, frozenset({one})
    back = decode(encode(one))
    assert back in back.peers
    other = next(each for each in back.peers if each is not back)
    assert back in other.peers
    assert other.key == 2
    assert list(vars(back)) == ["key", "peers"]


def test_an_instance_as_a_key_of_its_own_dict_is_found_again() -> None:
    keyed = Keyed(7)
    keyed.peers = {keyed: "me"}
    back = decode(encode(keyed))
    assert back.peers[back] == "me"


def test_the_attributes_of_an_instance_stay_the_very_dict() -> None:
    node = Node(1)
    names = vars(node)
    back, back_names = decode(encode([node, names]))
    assert vars(back) is back_names
    back_names["more"] = 3
    assert back.more == 3


def test_bound_methods_keep_function_and_owner() -> None:
    leaf = Leaf()
    leaf.call = leaf.visit  # type: ignore[attr-defined]
    parent_method = super(Leaf, leaf).visit
    back, parent, append, rows = decode(encode([leaf, parent_method, (rows := []).append, rows]))
    assert back.call.__self__ is back
    assert back.call() == "leaf visited"
    assert parent.__self__ is back
    assert parent() == "visited"
    append(3)
    assert rows == [3]


@pytest.mark.parametrize("depth", [199, 200, 201, 1023, 1024, 1025, 100_000])
def test_depth_is_limited_only_by_memory(depth: int) -> None:
    nested: Any = "core"
    for level in range(depth):
        nested = [nested] if level % 2 else {"in": nested}
    back = decode(encode(nested))
    seen = 0
    while type(back) is not str:
        back = back[0] if type(back) is list else back["in"]
        seen += 1
    assert seen == depth
    while type(nested) is not str:
        nested = nested.popitem()[1] if type(nested) is dict else nested.pop()


def test_deep_tuples_and_instances_are_stored_too() -> None:
    nested: Any = ()
    chain: Any = None
    for _ in range(5_000):
        nested = (nested,)
        chain = Node(chain)
    back_nested, back_chain = decode(encode([nested, chain]))
    seen = 0
    while back_nested:
        (back_nested,) = back_nested
        back_chain = back_chain.links[0]
        seen += 1
    assert seen == 5_000
    assert back_chain is None


def test_deep_and_shared_and_cyclic_at_once() -> None:
    shared: list[Any] = []
    nested: Any = shared
    for _ in range(1_000):
        nested = [nested, shared]
    shared.append(nested)
    back = decode(encode(nested))
    end = back
    while len(end) == 2:
        assert end[1] is back[1]
        end = end[0]
    assert end[0] is back


def _plain(graph: Any) -> bool:
    return pack_tree(graph) is not None


@given(graphs())
def test_the_quick_way_and_the_whole_encoder_agree(graph: Any) -> None:
    if _plain(graph):
        from longterm._codec.decode.decoder import decode_body

        assert_same(decode(encode(graph)), decode_body(4, memoryview(encode_graph(graph))))


def test_the_quick_way_is_taken_for_trees_and_only_for_them() -> None:
    shared = [1]
    assert _plain([[1], {"a": [2, {"b": (3, {4})}]}])
    assert _plain([shared, [2]])
    assert not _plain([shared, shared])
    assert not _plain([shared, {"a": (shared,)}])
    assert not _plain((pair := (1,), [pair]))
    assert not _plain({"a": {"b": [shared]}, "c": shared})
    assert not _plain([Node()])


def test_a_tuple_that_is_also_a_key_stays_one_tuple() -> None:
    key = (1, 2)
    back = decode(encode([{key: 1}, key]))
    assert next(iter(back[0])) is back[1]
