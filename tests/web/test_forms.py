"""Forms for the values of types: what is drawn, what is read, what is refused beside a field."""

from __future__ import annotations

import enum
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pydantic")

import pydantic
from typing_extensions import TypedDict

from longterm import _validation
from longterm.errors import InvalidValue
from longterm.web.pages.answer import BadForm, read
from longterm.web.pages.drawing import ANYTHING, draw
from longterm.web.pages.form import MOST_ROWS, Field, blame


class Size(enum.Enum):
    SMALL = "s"
    LARGE = 2


@dataclass
class Line:
    item: str
    price: Decimal
    count: int = 1


class Place(TypedDict):
    town: str
    zip: str | None


class Order(pydantic.BaseModel):
    id: UUID
    size: Size
    lines: list[Line]
    place: Place
    gift: bool
    note: str = pydantic.Field(default="", description="For the driver", max_length=1000)
    due: date | None = None
    weight: float = pydantic.Field(default=1.5, gt=0, le=30)


class Tree(pydantic.BaseModel):
    name: str
    first: Tree | None = None
    others: list[Tree] = pydantic.Field(default_factory=list)


def filled(wanted: Any, **submitted: str) -> Field:
    """Return the form of a type with what was written into it; `_` stands for `/`, `__` for `#`."""
    names = {name.replace("__", "#").replace("_", "/"): text for name, text in submitted.items()}
    return draw(_validation.schema_of(wanted), names)


def value(wanted: Any, **submitted: str) -> Any:
    """Return the value that the type itself makes of what was written into its form."""
    return _validation.checked("answer", wanted, read(filled(wanted, **submitted)))


def messages(form: Field) -> dict[str, list[str]]:
    """Return all messages by the names of their fields."""
    own = {form.name: form.messages} if form.messages else {}
    return {name: text for part in form.parts for name, text in messages(part).items()} | own


def refused(wanted: Any, **submitted: str) -> dict[str, list[str]]:
    form = filled(wanted, **submitted)
    with pytest.raises(BadForm):
        read(form)
    return messages(form)


def named(form: Field, name: str) -> Field:
    """Return the field of a name."""
    if form.name == name:
        return form
    return next(named(part, name) for part in form.parts if name.startswith(part.name))


@pytest.mark.parametrize(
    ("wanted", "text", "expected"),
    [
        (str, "yes", "yes"),
        (str, "two\r\nlines ", "two\nlines "),
        (int, " 5 ", 5),
        (int, "-007", -7),
        (float, "2.5e3", 2500.0),
        (bool, "false", False),
        (Literal["yes", 1], "1", 1),
        (Literal["yes", 1], '"yes"', "yes"),
        (Size, "2", Size.LARGE),
        (date, "2027-03-31", date(2027, 3, 31)),
        (time, "17:30", time(17, 30)),
        (timedelta, "P3DT1H", timedelta(days=3, hours=1)),
        (UUID, "0190d6c8-5a3e-7cc1-b0f0-3f6a2c1de001", UUID("0190d6c85a3e7cc1b0f03f6a2c1de001")),
        (Decimal, "0.10", Decimal("0.10")),
        (datetime, "2027-03-31T17:30", datetime(2027, 3, 31, 17, 30, tzinfo=UTC)),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int | None, "", None),
        (int | None, "5", 5),
        (bool | None, "", None),
    ],
)
def test_what_is_written_becomes_a_value_of_the_type(wanted: Any, text: str, expected: Any) -> None:
    found = value(wanted, value=text)
    assert found == expected
    assert type(found) is type(expected)


def test_a_moment_is_in_the_zone_that_the_page_was_read_in() -> None:
    found = value(datetime, value="2027-03-31T17:30", value__zone="+02:00")
    assert found == datetime(2027, 3, 31, 15, 30, tzinfo=UTC)
    assert value(datetime, value="2027-03-31T17:30", value__zone="<b>") == datetime(
        2027, 3, 31, 17, 30, tzinfo=UTC
    )


ORDER = {
    "value_id": "0190d6c8-5a3e-7cc1-b0f0-3f6a2c1de001",
    "value_size": '"s"',
    "value_lines__rows": "0 3",
    "value_lines_0_item": "tea",
    "value_lines_0_price": "1.50",
    "value_lines_3_item": "milk",
    "value_lines_3_price": "0.90",
    "value_lines_3_count": "2",
    "value_place_town": "Ulm",
    "value_place_zip": "",
    "value_gift": "true",
    "value_due": "2027-03-31",
    "value_weight": "",
}


def test_a_model_is_a_form_with_all_that_stands_in_it() -> None:
    order = value(Order, **ORDER)
    assert order.size is Size.SMALL
    assert order.lines == [Line("tea", Decimal("1.50")), Line("milk", Decimal("0.90"), 2)]
    assert order.place == {"town": "Ulm", "zip": None}
    assert (order.gift, order.note, order.due, order.weight) == (True, "", date(2027, 3, 31), 1.5)


def test_a_first_form_shows_the_defaults_and_what_is_said_of_each_field() -> None:
    form = draw(_validation.schema_of(Order))
    note, weight = named(form, "value/note"), named(form, "value/weight")
    assert (note.kind, note.help, note.label) == ("lines", "For the driver", "Note")
    assert (weight.text, weight.limits) == ("1.5", {"min": "0", "max": "30"})
    assert (note.is_required, named(form, "value/gift").is_required) == (False, True)
    assert named(form, "value/place").label == "Place"
    assert [choice.label for choice in named(form, "value/gift").choices] == ["Yes", "No"]


@pytest.mark.parametrize(
    ("wanted", "text", "message"),
    [
        (int, "5.5", "Write a whole number, such as 5."),
        (
            int,
            "\u0665",  # a digit, of Arabic
            "Write a whole number, such as 5.",
        ),
        (int, "9" * 5000, "Write a whole number, such as 5."),
        (float, "nan", "Write a number, such as 2.5."),
        (float, "1e999", "Write a number, such as 2.5."),
        (bool, "maybe", "Choose one of these."),
        (Literal["a", "b"], "a", "Choose one of these."),
        (date, "31.3.27", "Write a day, such as 2027-03-31."),
        (time, "half past", "Write a time, such as 17:30."),
        (datetime, "tomorrow", "Write a day and a time, such as 2027-03-31 17:30."),
        (str, "", "This is needed."),
        (int, " ", "This is needed."),
        (bool, "", "This is needed."),
    ],
)
def test_what_is_no_value_is_refused_beside_its_field(wanted: Any, text: str, message: str) -> None:
    assert refused(wanted, value=text) == {"value": [message]}


def test_json_that_is_none_is_refused_with_the_reason() -> None:
    assert "NaN is no number" in refused(dict, value="NaN")["value"][0]
    assert "it is too deep" in refused(dict, value="[" * 100_000)["value"][0]
    assert "1e999 is too large a number" in refused(dict, value='{"a": [1e999]}')["value"][0]
    assert "a text stands in quotes" in refused(dict, value="yes")["value"][0]


def test_all_that_is_wrong_is_said_at_once_where_it_is_wrong() -> None:
    wrong = ORDER | {"value_gift": "", "value_lines_3_count": "two", "value_id": ""}
    assert refused(Order, **wrong) == {
        "value/gift": ["This is needed."],
        "value/id": ["This is needed."],
        "value/lines/3/count": ["Write a whole number, such as 5."],
    }


def test_what_the_type_refuses_stands_beside_the_field_too() -> None:
    form = filled(Order, **(ORDER | {"value_lines_3_price": "cheap", "value_weight": "31"}))
    with pytest.raises(InvalidValue) as error:
        _validation.checked("answer", Order, read(form))
    blame(form, error.value.errors)
    assert messages(form).keys() == {"value/lines/3/price", "value/weight"}


def test_rows_are_added_and_removed_by_their_buttons() -> None:
    written = {"value/lines#rows": "0 3", "value/lines/3/item": "milk"}
    schema = _validation.schema_of(Order)
    more = draw(schema, {**written, "#add": "value/lines"})
    assert named(more, "value/lines").keys == ["0", "3", "4"]
    assert named(more, "value/lines/4/count").text == "1"
    less = draw(schema, {**written, "#remove": "value/lines/0"})
    assert named(less, "value/lines").keys == ["3"]
    assert named(less, "value/lines/3/item").text == "milk"


def test_rows_have_an_end_whatever_is_submitted() -> None:
    many = " ".join(map(str, range(5000)))
    form = filled(list[int], value__rows=many)
    assert len(form.parts) == MOST_ROWS
    assert filled(list[int], value__rows="-1 x 1e9 99999999 \u0663").parts == []


def test_one_of_several_kinds_is_chosen() -> None:
    @dataclass
    class Refusal:
        reason: str

    chosen = {"value__which": "1", "value_1_reason": "too dear", "value_0_item": "tea"}
    assert value(Line | Refusal, **chosen) == Refusal("too dear")
    assert refused(Line | Refusal) == {"value": ["Choose one of these."]}
    form = filled(Line | Refusal, **(chosen | {"value_1_reason": ""}))
    with pytest.raises(BadForm):
        read(form)
    assert messages(form) == {"value/1/reason": ["This is needed."]}


def test_a_type_inside_of_itself_has_an_end() -> None:
    form = draw(_validation.schema_of(Tree))
    assert named(form, "value/first/1").kind == "json"
    tree = value(
        Tree,
        value_name="a",
        value_first__which="0",
        value_others__rows="0",
        value_others_0_name="b",
        value_others_0_first__which="1",
        value_others_0_first_1='{"name": "c"}',
    )
    assert tree.others[0].first == Tree(name="c")


def test_a_value_of_any_type_is_a_text_or_json() -> None:
    assert read(draw(ANYTHING, {"value#which": "1", "value/1": "5"})) == "5"
    assert read(draw(ANYTHING, {"value#which": "2", "value/2": "5"})) == 5
    assert read(draw(ANYTHING, {"value#which": "0"})) is None
    assert [choice.is_chosen for choice in draw(ANYTHING).choices] == [False, True, False]


def test_what_is_left_out_keeps_the_default_that_only_the_type_knows() -> None:
    @dataclass
    class Trip:
        towns: list[str] = field(default_factory=lambda: ["Ulm"])
        back: Line = field(default_factory=lambda: Line("ticket", Decimal(5)))
        seat: str = "window"

    assert asdict(value(Trip, value_back__which="0", value_seat="aisle")) == {
        "towns": ["Ulm"],
        "back": {"item": "ticket", "price": Decimal(5), "count": 1},
        "seat": "aisle",
    }
    assert value(Trip, value_back__which="0", value_seat="").seat == ""


NAMES = st.text(min_size=1, max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
HOSTILE = st.dictionaries(
    st.sampled_from(
        ["value", "value#rows", "value#which", "#add", "value/a", "value/0", "value/0/b"]
    ),
    st.text() | st.sampled_from(["0 1", "value", "1", "2", '"a"', "1e400", "\0", "<script>"]),
)


@given(
    st.sampled_from([Order, Tree, Line | Place, list[list[int]], dict[str, Any], tuple[int, str]]),
    HOSTILE,
)
def test_anything_can_be_submitted(wanted: Any, submitted: dict[str, str]) -> None:
    form = draw(_validation.schema_of(wanted), submitted)
    try:
        json.dumps(read(form), allow_nan=False)
    except BadForm:
        assert messages(form)


@given(st.lists(NAMES, unique=True, min_size=1, max_size=4))
def test_names_that_look_like_places_are_told_apart(names: list[str]) -> None:
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "required": names,
    }
    form = draw(schema)
    written = {part.name: str(number) for number, part in enumerate(form.parts)}
    assert read(draw(schema, written)) == {name: number for number, name in enumerate(names)}
