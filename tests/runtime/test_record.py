"""Records: they behave as the dataclasses that type checkers take them for."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from longterm.record import field, record
from longterm.run import Run, RunState


@record(frozen=True)
class Place:
    shelf: str
    number: int = 1
    labels: list[str] = field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Plain:
    shelf: str
    number: int = 1
    labels: list[str] = dataclasses.field(default_factory=list)


@record()
class Changing:
    shelf: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owned(Run):
    owner: str = "nobody"


def test_values_are_taken_by_place_and_by_name() -> None:
    assert vars(Place("a", labels=["x"])) == {"shelf": "a", "number": 1, "labels": ["x"]}
    assert Place("a").labels is not Place("a").labels


@pytest.mark.parametrize("make", [Place, Plain])
def test_wrong_arguments_are_refused(make: type) -> None:
    for args, named in (
        ((), {}),
        (("a", 1, [], 2), {}),
        (("a",), {"shelf": "b"}),
        (("a",), {"color": "red"}),
    ):
        with pytest.raises(TypeError):
            make(*args, **named)
    with pytest.raises(TypeError):
        Run("r1", "f", RunState.SUSPENDED)


def test_equal_values_make_equal_records() -> None:
    assert Place("a") == Place("a") != Place("b")
    assert Place("a") != Plain("a")
    assert hash(Place("a", labels=())) == hash(Place("a", labels=()))
    assert repr(Place("a")) == repr(Plain("a")).replace("Plain", "Place")
    with pytest.raises(TypeError):
        hash(Changing("a"))


def test_frozen_record_does_not_change() -> None:
    place = Place("a")

    with pytest.raises(dataclasses.FrozenInstanceError):
        place.shelf = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del place.shelf
    changing = Changing("a")
    changing.shelf = "b"
    assert changing == Changing("b")


def test_dataclasses_takes_it_for_one_of_its_own() -> None:
    place = Place("a")

    assert dataclasses.is_dataclass(place)
    assert [each.name for each in dataclasses.fields(place)] == ["shelf", "number", "labels"]
    assert dataclasses.replace(place, number=2) == Place("a", 2)
    assert dataclasses.asdict(place) == dataclasses.asdict(Plain("a"))
    assert copy.copy(place) == copy.deepcopy(place) == place


def test_dataclass_can_be_derived_from_it() -> None:
    run = Owned(id="r1", flow="m:f", state=RunState.SUSPENDED, owner="Ada")

    assert run.index == {}
    assert dataclasses.replace(run, turn=2).owner == "Ada"
    assert run.changed(turn=2) == dataclasses.replace(run, turn=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.owner = "Bob"
