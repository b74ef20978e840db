"""A type of the application's own is stored by its own functions, under a name and a version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from longterm._codec import NotAllowed, decode, encode, register_type, storable
from longterm._codec.types import registered
from longterm.frame import Frame
from tests.codec.blobs import items, tagged


@pytest.fixture(autouse=True)
def registrations() -> Iterator[None]:
    by_class, by_name = dict(registered._by_class), dict(registered._by_name)
    yield
    registered._by_class.clear()
    registered._by_class.update(by_class)
    registered._by_name.clear()
    registered._by_name.update(by_name)


class Matrix:
    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows
        self.cache = object()

    def __del__(self) -> None:
        pass


class Banded(Matrix):
    pass


def register(**more: Any) -> None:
    register_type(Matrix, name="matrix", encode=lambda m: m.rows, decode=Matrix, **more)


def test_a_registered_type_is_stored_by_its_functions() -> None:
    register()
    rows = [[1.0]]
    matrix = Matrix(rows)
    back, again, back_rows = decode(encode([matrix, matrix, rows]))
    assert type(back) is Matrix
    assert back is again
    assert back.rows is back_rows


def test_a_decorator_registers_a_class() -> None:
    @storable(
        encode=lambda value: value.x, decode=lambda plain: Local(plain), name="local", version=2
    )
    class Local:
        def __init__(self, x: int) -> None:
            self.x = x

    assert decode(encode([Local(4)]))[0].x == 4


class Weight:
    def __init__(self, grams: int) -> None:
        self.grams = grams


class Net(Weight):
    pass


@pytest.mark.parametrize("cls", [Weight, Net])
def test_a_type_may_be_registered_after_values_of_it_were_stored(cls: type[Weight]) -> None:
    frames = [Frame(f"{__name__}:flow", "v", 1, 2, {"weight": cls(5)})]
    assert decode(encode(frames))[0].slots["weight"].grams == 5
    register_type(
        Weight, encode=lambda w: w.grams * 10, decode=Weight, name="weight", subclasses=True
    )
    assert decode(encode(frames))[0].slots["weight"].grams == 50


def test_subclasses_are_stored_the_same_way_if_asked() -> None:
    register(subclasses=True)
    assert type(decode(encode(Banded([[2.0]])))) is Matrix


def test_data_of_an_older_version_is_upgraded() -> None:
    register()
    old = encode([Matrix([[3.0]])])
    register_type(
        Matrix,
        name="matrix",
        encode=lambda m: {"rows": m.rows},
        decode=lambda plain: Matrix(plain["rows"]),
        version=2,
        upgrade=lambda plain, version: {"rows": plain, "from": version},
    )
    assert decode(old)[0].rows == [[3.0]]
    assert decode(encode(Matrix([[5.0]]))).rows == [[5.0]]


def test_data_without_an_upgrade_or_of_a_newer_version_is_refused_by_name() -> None:
    register(version=2)
    for version in (1, 3):
        with pytest.raises(NotAllowed, match=f"version {version}.*version 2"):
            decode(items(tagged("registered", "matrix", version, [[1.0]])))


def test_data_of_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(NotAllowed, match=r"matrix.*import the module that registers it"):
        decode(items(tagged("registered", "matrix", 1, [])))


def test_one_name_is_for_one_type() -> None:
    register()
    with pytest.raises(ValueError, match="'matrix' is taken"):
        register_type(Banded, name="matrix", encode=lambda m: m.rows, decode=Banded)


def test_the_name_stays_when_the_class_moves() -> None:
    register()
    data = encode(Matrix([[1.0]]))

    class Moved:
        def __init__(self, rows: Any) -> None:
            self.rows = rows

    Moved.__qualname__ = Matrix.__qualname__
    register_type(Moved, name="matrix", encode=lambda m: m.rows, decode=Moved)
    assert type(decode(data)) is Moved
