"""An iterator goes on from where it stood, through the very container that it went through."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest

from longterm._codec import NotStorable, decode, encode
from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.itertool_state import go_on
from tests.codec.blobs import items, tagged
from tests.codec.blobs import name as name_of
from tests.codec.samples import iterators, itertools_iterators

TELLS_STATE = sys.version_info < (3, 14)
READ_ANYWAY = {
    "accumulate", "chain", "compress", "count", "cycle", "filterfalse", "pairwise", "repeat",
    "starmap",
}  # fmt: skip
COUNT = len(iterators())
ITERTOOLS_COUNT = len(itertools_iterators())

ONE = tagged("iterator", "list", [1, 2], 0)
LISTS = tagged("iterator", "list", [[3]], 0)
ODD = name_of("tests.codec.models:is_odd")


def name(index: int) -> str:
    return f"{index}-{type(iterators()[index]).__name__}"


def rest(iterator: Any) -> list[Any]:
    return list(itertools.islice(iterator, 6))


@pytest.mark.parametrize("passed", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("index", range(COUNT), ids=name)
def test_an_iterator_goes_on_from_where_it_stood(index: int, passed: int) -> None:
    iterator, expected = iterators()[index], iterators()[index]
    if isinstance(iterator, zip) and passed == 4:
        passed = 3
    for _ in range(passed):
        next(iterator, None)
        next(expected, None)
    back = decode(encode(iterator))
    if not type(iterator).__name__.startswith("set"):
        assert type(back) is type(iterator)
    # Once more through bytes: what was decoded is as storable as what it was made of.
    again = decode(encode(back))
    assert rest(back) == rest(again) == rest(expected)


@pytest.mark.parametrize("passed", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("index", range(ITERTOOLS_COUNT))
def test_an_iterator_of_itertools_goes_on_or_is_refused(index: int, passed: int) -> None:
    iterator, expected = itertools_iterators()[index], itertools_iterators()[index]
    for _ in range(passed):
        next(iterator, None)
        next(expected, None)
    is_read = TELLS_STATE or (type(iterator).__name__ in READ_ANYWAY)
    if not is_read or (not TELLS_STATE and type(iterator) is itertools.cycle and passed > 4):
        with pytest.raises(NotStorable, match="go through a list"):
            encode(iterator)
        return
    data = encode(iterator)
    assert rest(decode(data)) == rest(expected)
    if TELLS_STATE and passed:
        back = decode(data)
        assert type(back) is type(iterator) or type(iterator) is itertools.accumulate


def test_iterators_of_itertools_share_what_they_go_through() -> None:
    rows = [1, 2, 3]
    chained = itertools.chain(rows, [9])
    next(chained)
    back, back_rows = decode(encode([chained, rows]))
    back_rows.append(4)
    assert list(back) == [2, 3, 4, 9]


BY_313: list[tuple[Any, list[Any]]] = [
    (tagged("itertools", "chain", tagged("tuple"), tagged("tuple", LISTS, ONE)), [1, 2, 3]),
    (tagged("itertools", "accumulate", tagged("tuple", ONE, None), 5), [6, 8]),
    (
        tagged("itertools", "cycle", tagged("tuple", ONE), tagged("tuple", [7], 0)),
        [1, 2, 7, 1, 2, 7],
    ),
    (
        tagged("itertools", "cycle", tagged("tuple", ONE), tagged("tuple", [7], 1)),
        [1, 2, 7, 7, 7, 7],
    ),
    (tagged("itertools", "islice", tagged("tuple", ONE, 4, None, 1), 3), [2]),
    (tagged("itertools", "islice", tagged("tuple", ONE, 4, 5, 1), 4), [1]),
    (tagged("itertools", "dropwhile", tagged("tuple", ODD, ONE), 1), [1, 2]),
    (tagged("itertools", "dropwhile", tagged("tuple", ODD, ONE), 0), [2]),
    (tagged("itertools", "takewhile", tagged("tuple", ODD, ONE), 1), []),
    (tagged("itertools", "takewhile", tagged("tuple", ODD, ONE), 0), [1]),
    (
        tagged("itertools", "zip_longest", tagged("tuple", ONE, tagged("tuple")), 0),
        [(1, 0), (2, 0)],
    ),
    (tagged("itertools", "pairwise", tagged("tuple", ONE), tagged("tuple", 7)), [(7, 1), (1, 2)]),
]


@pytest.mark.parametrize(("stored", "expected"), BY_313, ids=range(len(BY_313)))
def test_what_python_3_13_stored_goes_on_here(stored: Any, expected: list[Any]) -> None:
    assert rest(decode(items(stored))) == expected


@pytest.mark.parametrize(("stored", "expected"), BY_313, ids=range(len(BY_313)))
def test_it_goes_on_the_same_way_where_state_cannot_be_set(
    stored: Any, expected: list[Any]
) -> None:
    _, name, arguments, state = (decode(items(each)) for each in [0, *stored[1:]])
    assert rest(go_on(name, arguments, state, Decoding(100))) == expected


def test_where_state_cannot_be_set_an_iterator_is_not_asked_again() -> None:
    class Bare:
        def __init__(self) -> None:
            self.left = 2

        def __next__(self) -> int:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return self.left

    chained = go_on("chain", (), (iter(([9],)), Bare()), Decoding(100))
    assert list(chained) == [1, 0, 9]


def test_what_is_appended_to_the_list_later_is_still_seen() -> None:
    rows = [1, 2, 3]
    iterator = iter(rows)
    next(iterator)
    back, back_rows = decode(encode([iterator, rows]))
    back_rows.append(4)
    assert list(back) == [2, 3, 4]


@pytest.mark.parametrize("kind", [list, bytearray])
@pytest.mark.parametrize("make", [iter, reversed])
@pytest.mark.parametrize("passed", [0, 1, 2, 3])
@pytest.mark.parametrize("left", [0, 1, 2, 3])
@pytest.mark.parametrize("later", [0, 1, 2, 5])
def test_a_list_that_shrinks_under_its_iterator(
    kind: Any, make: Any, passed: int, left: int, later: int
) -> None:
    rows = kind(range(4))
    iterator = make(rows)
    for _ in range(passed):
        next(iterator)
    del rows[left:]

    back, back_rows = decode(encode([iterator, rows]))

    assert back_rows == rows
    for each in (rows, back_rows):
        each.extend(range(10, 10 + later))
    assert list(back) == list(iterator)


def test_an_iterator_far_past_the_end_of_its_list_is_refused() -> None:
    rows = [0] * 200_000
    iterator = iter(rows)
    for _ in range(150_000):
        next(iterator)
    rows.clear()
    with pytest.raises(NotStorable, match=r"past the end.*go through a list"):
        encode(iterator)
    rows.extend([0] * 60_000)
    back, _ = decode(encode([iterator, rows]))
    assert next(back, None) is None


def test_an_exhausted_iterator_stays_so() -> None:
    rows = [1]
    iterator = iter(rows)
    list(iterator)
    back, back_rows = decode(encode([iterator, rows]))
    back_rows.append(2)
    assert list(back) == []


@pytest.mark.parametrize(
    "make", [iter, lambda d: iter(d.values()), lambda d: iter(d.items()), reversed]
)
def test_a_dict_that_grows_is_noticed(make: Any) -> None:
    names = {"a": 1, "b": 2, "c": 3}
    iterator = make(names)
    next(iterator)
    back, back_names = decode(encode([iterator, names]))
    back_names["d"] = 4
    with pytest.raises(RuntimeError, match="changed size"):
        next(back)


def test_a_dict_that_has_grown_is_noticed() -> None:
    names = {"a": 1, "b": 2}
    iterator = iter(names)
    next(iterator)
    names["c"] = 3
    back, back_names = decode(encode([iterator, names]))
    with pytest.raises(RuntimeError, match="changed size"):
        next(back)
    assert back_names == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("passed", [0, 1, 2])
def test_a_set_is_gone_through_to_its_end_and_its_growth_is_noticed(passed: int) -> None:
    elements = {"a", "b", "c"}
    iterator = iter(elements)
    seen = [next(iterator) for _ in range(passed)]
    back, _ = decode(encode([iterator, elements]))
    assert sorted([*seen, *back]) == ["a", "b", "c"]
    assert list(back) == []
    back, back_elements = decode(encode([iterator, elements]))
    back_elements.add("d")
    with pytest.raises(RuntimeError, match="changed size"):
        next(back)
    with pytest.raises(RuntimeError, match="changed size"):
        next(back)


def test_a_set_that_has_grown_is_noticed() -> None:
    elements = {1, 2}
    iterator = iter(elements)
    next(iterator)
    elements.add(3)
    with pytest.raises(RuntimeError, match="changed size"):
        next(decode(encode(iterator)))


def test_the_order_of_what_is_left_of_a_set_is_kept() -> None:
    elements = set(range(0, 4000, 37))
    iterator = iter(elements)
    for _ in range(5):
        next(iterator)
    assert list(decode(encode(iterator))) == list(iterator)


def test_a_dict_changed_under_an_iterator_without_growing_is_refused() -> None:
    names = {"a": 1, "b": 2, "c": 3}
    iterator = iter(names)
    next(iterator)
    del names["a"]
    names["d"] = 4
    with pytest.raises(NotStorable, match="changed while it was gone through"):
        encode(iterator)


def test_an_iterator_of_an_iterator_shares_it() -> None:
    inner = iter([1, 2, 3, 4])
    outer = enumerate(inner)
    next(outer)
    back_outer, back_inner = decode(encode([outer, inner]))
    assert next(back_inner) == 2
    assert next(back_outer) == (1, 3)


def test_a_list_that_holds_its_own_iterator_comes_back_so() -> None:
    rows: list[Any] = [1, 2]
    iterator = iter(rows)
    next(iterator)
    rows.append(iterator)
    back = decode(encode(rows))
    assert next(back[2]) == 2
    assert next(back[2]) is back[2]


def test_generators_are_refused_with_what_to_do() -> None:
    with pytest.raises(NotStorable, match=r"generator.*go through a list"):
        encode([(x for x in [1])])
