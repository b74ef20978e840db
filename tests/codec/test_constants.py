"""What code tells by identity: NaN, and objects that a module holds under a name."""

from __future__ import annotations

import math
import struct
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb

import longterm
from longterm import CannotStore, deflow, get_run, process_event, start_flow, suspend
from longterm._codec import NotAllowed, NotStorable, decode, encode, wire
from longterm._codec.encode.plain import may_hold_nan
from longterm.frame import Frame
from tests.codec import models
from tests.codec.blobs import items, tagged, type_of


class Sentinel:
    """The usual way to write one."""

    def __init__(self, name: str) -> None:
        self.name = name


class Unset:
    """A singleton, which its class holds."""

    _instance: Unset | None = None

    def __new__(cls) -> Unset:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


@dataclass(frozen=True, slots=True)
class Policy:
    retries: int
    error: type[Exception] = ValueError


class Corner(NamedTuple):
    x: int
    y: int


class Cart:
    def __init__(self) -> None:
        self.total = 0


class Field:
    """A class that holds objects of another one."""

    REQUIRED = Sentinel("required")
    OPTIONAL = Sentinel("optional")


OPTIONAL = Field.OPTIONAL
NOT_GIVEN = object()
MISSING = Sentinel("MISSING")
PATIENT = Policy(9)
ORIGIN = Corner(0, 0)
NAN = float("nan")
CART = Cart()
BASKET = models.Node([1])
ROWS: list[int] = []
Unset()


def stacked(**slots: Any) -> list[Frame]:
    return [Frame(f"{__name__}:flow", "v", 1, 2, slots)]


def back(**slots: Any) -> dict[str, Any]:
    (frame,) = decode(encode(stacked(**slots)))
    found: dict[str, Any] = frame.slots
    return found


@pytest.mark.parametrize(
    "nan",
    [float("nan"), -float("nan"), complex("nan"), complex(0, math.nan), Decimal("NaN"),
     Decimal("sNaN3"), models.MyFloat("nan")],
    ids=repr,
)  # fmt: skip
def test_a_nan_that_is_held_twice_stays_one(nan: Any) -> None:
    roots: list[Any] = [[nan, [nan]], [nan, (nan,)], [nan, {"k": [nan, "\ud800"]}]]
    if repr(nan) != "Decimal('sNaN3')":  # which has no hash
        roots.append([{nan: 1}, [nan]])
    for root in roots:
        first, second = decode(encode(root))
        held = second["k"] if type(second) is dict else second
        key = next(iter(first)) if type(first) is dict else first
        assert any(each is key for each in held)
    slots = back(x=nan, xs=[nan])
    assert slots["x"] is slots["xs"][0]


def test_two_nans_stay_two() -> None:
    one, other = float("nan"), float("nan")
    first, second, again = decode(encode([one, other, (one,)]))
    assert first is not second
    assert first is again[0]


def test_what_holds_a_nan_once_is_written_as_ever() -> None:
    for value in ([math.nan, math.inf], {"a": math.nan}, [b"\xcb\x7f\xff", 1e308]):
        assert encode(value)[1] != wire.ITEMS
    assert encode([models.Order("o"), math.nan]) == encode([models.Order("o"), float("nan")])


@deflow
def comparing(fallback: Any = NOT_GIVEN, missing: Any = MISSING, unset: Any = Unset()) -> Any:  # noqa: B008
    nan = float("nan")
    rows = [nan, math.nan]
    suspend("a")
    return (
        fallback is NOT_GIVEN, missing is MISSING, unset is Unset(), nan in rows, rows == [*rows],
        math.nan in rows, rows.index(nan),
    )  # fmt: skip


def test_a_flow_that_waited_compares_as_one_that_did_not() -> None:
    longterm.set_runstore("memory://")
    result = process_event(start_flow(comparing).id, "a").result
    assert result == (True, True, True, True, True, True, 0)


@pytest.mark.parametrize("name", ["NOT_GIVEN", "MISSING", "PATIENT", "ORIGIN", "NAN", "CART"])
def test_what_a_module_holds_under_a_name_is_that_object_again(name: str) -> None:
    constant = globals()[name]
    slots = back(x=constant, held=[constant])
    assert slots["x"] is constant
    assert slots["held"][0] is constant


def test_a_name_of_a_flows_module_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = models.Money(1, "EUR")
    assert back(x=foreign)["x"] is not foreign
    monkeypatch.setitem(globals(), "FOREIGN", foreign)
    assert back(x=foreign)["x"] is foreign


def test_by_itself_a_value_goes_by_the_module_of_its_class() -> None:
    assert decode(encode([MISSING, Unset()])) == [MISSING, Unset()]
    with pytest.raises(NotStorable, match="at the top of the flow's module"):
        encode([NOT_GIVEN])


def test_what_another_class_holds_needs_a_name_in_the_module() -> None:
    slots = back(x=Field.REQUIRED, y=Field.OPTIONAL)
    assert slots["x"].name == "required"
    assert slots["x"] is not Field.REQUIRED
    assert slots["y"] is Field.OPTIONAL


def test_what_can_be_changed_within_is_stored_as_it_is() -> None:
    slots = back(basket=BASKET, rows=ROWS)
    assert slots["basket"] is not BASKET
    assert slots["rows"] is not ROWS


def test_a_constant_that_looks_otherwise_here_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    CART.total = 5
    data = encode(stacked(cart=CART, policy=PATIENT, nan=NAN))
    CART.total = 0
    monkeypatch.setitem(globals(), "PATIENT", Policy(3))
    monkeypatch.setitem(globals(), "NAN", 0.0)
    slots = decode(data)[0].slots
    assert (slots["cart"].total, slots["policy"].retries) == (5, 9)
    assert slots["nan"] != slots["nan"]
    for name in ("CART", "PATIENT", "NAN"):
        monkeypatch.delitem(globals(), name)
    assert decode(data)[0].slots["cart"].total == 5


@pytest.mark.parametrize("other", [None, 5, len, Sentinel("x")])
def test_a_sentinel_whose_name_is_gone_is_refused_by_name(
    other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, unset = encode(stacked(x=NOT_GIVEN)), encode(stacked(x=Unset()))
    monkeypatch.setitem(globals(), "NOT_GIVEN", other)
    with pytest.raises(NotAllowed, match=r"test_constants:NOT_GIVEN.*renamed or moved"):
        decode(bare)
    monkeypatch.setattr(Unset, "_instance", other)
    with pytest.raises(NotAllowed, match=r"test_constants:Unset._instance.*renamed or moved"):
        decode(unset)


def frame_with(value: Any, flow: str = f"{__name__}:flow") -> bytes:
    return items([tagged("frame", flow, "v", 1, 2, {"x": value})])


HERE = __name__
CASES = [
    (f"{HERE}:ROWS", None),
    (f"{HERE}:longterm.NOT_GIVEN", None),
    (f"{HERE}:models.Node", None),
    ("os:environ", None),
    ("longterm:NOT_GIVEN", None),
    (f"{HERE}:CART", None),
    (f"{HERE}:NOT_GIVEN.x", None),
    ("math:pi", float("nan")),
    (f"{HERE}:NOT_GIVEN", tagged("object", type_of(f"{HERE}:Unset"))),
    ("tests.codec.models:Node", tagged("object", type_of(f"{HERE}:Unset"))),
    (f"{HERE}:Cart._instance", tagged("object", type_of(f"{HERE}:Unset"))),
    (f"{HERE}:CART", tagged("object", type_of(f"{HERE}:Cart"))),
    (f"{HERE}:CART", tagged("object", type_of(f"{HERE}:Cart"), {"total": 7})),
    (f"{HERE}:BASKET", tagged("object", type_of("tests.codec.models:Node"), {"links": [[1]]})),
    (f"{HERE}:ROWS", []),
    (5, None),
]


@pytest.mark.parametrize(("name", "looks"), CASES, ids=map(str, range(len(CASES))))
def test_bytes_reach_no_object_that_could_not_have_been_stored(name: Any, looks: Any) -> None:
    parts = [name] if looks is None else [name, looks]
    try:
        made = decode(frame_with(tagged("constant", *parts)))[0].slots["x"]
    except longterm.CorruptData:
        return
    assert not any(made is each for each in (*globals().values(), math.pi))


def test_bytes_name_only_what_is_of_a_flow_on_the_stack() -> None:
    named = tagged("constant", f"{HERE}:NOT_GIVEN")
    assert decode(frame_with(named))[0].slots["x"] is NOT_GIVEN
    for data in (items([named]), frame_with(named, "shop:flow")):
        with pytest.raises(NotAllowed, match="no flow on the stack"):
            decode(data)


def test_a_bare_object_without_a_name_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longterm.set_runstore("memory://")
    made = object()
    with pytest.raises(CannotStore, match="hold it under a name at the top of the flow's module"):
        start_flow(comparing, made)
    monkeypatch.setitem(globals(), "MADE", made)
    run = start_flow(comparing, made)
    assert get_run(run.id).waiting_for == "a"
    assert process_event(run.id, "a").result[0] is False


@given(st.integers(0, 2**64 - 1), st.sampled_from([0, 0x7FF0 << 48, 0xFFF0 << 48]))
def test_no_float_that_is_not_a_number_is_overlooked(bits: int, exponent: int) -> None:
    (value,) = struct.unpack(">d", (bits | exponent).to_bytes(8, "big"))

    assert may_hold_nan(packb(value)) or not math.isnan(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -math.nan, sys.float_info.max])
def test_an_infinity_is_a_number(value: float) -> None:
    assert may_hold_nan(packb([value, 0.0])) == math.isnan(value)
