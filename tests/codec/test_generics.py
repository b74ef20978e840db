"""Instances of generic classes come back, with their type parameters if those can be stored."""

from __future__ import annotations

import sys
import typing
from typing import Any

import pydantic
import pytest

from longterm import Engine, deflow, suspend
from longterm._codec import NotStorable, decode, encode
from tests.codec import models
from tests.codec.models import Page, PagedList, Shop, SlottedPage, T


@pytest.mark.parametrize(
    "value", [Page([1]), Page[int]([1]), PagedList([1]), PagedList[int]([1])], ids=repr
)
def test_instances_of_generic_classes_come_back(value: Any) -> None:
    back = decode(encode([value]))[0]
    assert type(back) is type(value)
    assert back == value
    assert vars(back) == vars(value)


def test_slots_of_a_generic_class_and_children_of_a_protocol_come_back() -> None:
    page, shop = decode(encode([SlottedPage[int]([1]), Shop("x")]))
    assert (page.items, shop.name) == ([1], "x")


class Waits(Page[T]):
    @deflow
    def until_more(self) -> list[T]:
        more = suspend("more")
        return [*self.items, more]


def test_a_flow_of_a_generic_class_can_wait() -> None:
    engine = Engine("memory://")
    run = engine.start_flow(Waits.until_more, Waits[int]([1]))
    assert engine.process_event(run.id, "more", 2).result == [1, 2]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
def test_classes_with_type_parameters_in_brackets_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: dict[str, Any] = {"__name__": models.__name__}
    exec("class Bracketed[T]:\n    items: list[T]", made)
    monkeypatch.setattr(models, "Bracketed", made["Bracketed"], raising=False)
    value = made["Bracketed"][int]()
    value.items = [1]
    assert vars(decode(encode(value))) == vars(value)


@pytest.mark.parametrize(
    "alias", [Page[int], PagedList[int], list[int], dict[str, Page[list[int]]], tuple[()]]
)
def test_aliases_come_back_equal(alias: Any) -> None:
    back = decode(encode([alias]))[0]
    assert type(back) is type(alias)
    assert back == alias
    assert repr(back) == repr(alias)


def test_an_alias_that_came_back_makes_instances() -> None:
    made = decode(encode([Page[int]]))[0]([1])
    assert made == Page([1])
    assert made.__orig_class__ == Page[int]


@pytest.mark.parametrize(
    "parameter", [int | None, T, "Later", pydantic.BaseModel, list[T]], ids=str
)
def test_type_parameters_that_cannot_be_stored_are_left_out(parameter: Any) -> None:
    page = Page[parameter]([1])
    assert vars(decode(encode(page))) == {"items": [1]}
    assert hasattr(page, "__orig_class__")
    assert vars(decode(encode(PagedList[parameter]([1])))) == {}


@pytest.mark.parametrize("alias", [typing.List[int], next(iter(tuple[int])), Page[T]], ids=str)  # noqa: UP006
def test_aliases_that_are_more_than_classes_are_refused(alias: Any) -> None:
    with pytest.raises(NotStorable, match="make it again where it is needed"):
        encode([alias])


def test_an_attribute_that_only_goes_by_that_name_is_kept() -> None:
    page = Page([1])
    page.__orig_class__ = ["mine"]  # type: ignore[attr-defined]
    assert decode(encode(page)).__orig_class__ == ["mine"]
