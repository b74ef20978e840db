"""Code of the application's own that raises: a refusal when encoding, named when decoding."""

from __future__ import annotations

from typing import Any

import pytest

import longterm
from longterm import (
    CannotStore,
    Engine,
    ValueRaised,
    deflow,
    get_run,
    process_event,
    start_flow,
    suspend,
)
from longterm._codec import CorruptData, NotStorable, decode, decode_frames, decode_list, encode
from longterm._codec.types import registered
from longterm.store.memory import MemoryStore
from tests.codec import models, recording
from tests.codec.blobs import items, name, reference, tagged, type_of
from tests.codec.fuzz import victims

HERE = __name__


class RaisingClass:
    """A lazy proxy that was not set up: whatever it is asked for raises."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not set up")


class RaisingAttributes:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("not set up")


class RaisingShown:
    def __init__(self, held: Any) -> None:
        self.held = held

    def __repr__(self) -> str:
        raise RuntimeError("not shown")

    def __hash__(self) -> int:
        return 1


class _RaisingHash(type):
    def __hash__(cls) -> int:
        raise RuntimeError("no hash")


class RaisingMetaclass(metaclass=_RaisingHash):
    pass


class Keyed:
    working = True

    def __hash__(self) -> int:
        if not Keyed.working:
            raise RuntimeError("the currency is not loaded")
        return 1


def test_values_whose_code_raises_are_stored_without_it() -> None:
    for value in (RaisingClass(), RaisingAttributes(), [RaisingAttributes(), {1: RaisingClass()}]):
        assert type(decode(encode([value]))[0]) is type(value)


def test_what_cannot_be_looked_at_is_refused() -> None:
    with pytest.raises(NotStorable, match=r"RuntimeError.*see the cause"):
        encode([RaisingMetaclass()])
    with pytest.raises(NotStorable) as caught:
        encode([{RaisingShown(1): open}])
    assert "".join(map(str, caught.value.path)) == f"[0][<{HERE}.RaisingShown>]"


def test_a_registered_function_that_raises_is_refused_with_the_path() -> None:
    registered.register_type(
        Keyed, encode=lambda value: 1 / 0, decode=lambda plain: plain, name="r"
    )
    try:
        with pytest.raises(NotStorable, match=r"\['k'\].*ZeroDivisionError") as caught:
            encode({"k": Keyed()})
        assert type(caught.value.__cause__) is ZeroDivisionError
    finally:
        del registered._by_class[Keyed], registered._by_name["r"]


@deflow
def waiting(value: Any) -> Any:
    held = [value]
    suspend("a")
    return len(held)


def test_a_flow_that_holds_such_a_value_is_refused_and_not_failed() -> None:
    longterm.set_runstore("memory://")
    assert process_event(start_flow(waiting, RaisingClass()).id, "a").result == 1

    @deflow
    def later() -> Any:
        suspend("a")
        held = [RaisingMetaclass()]
        suspend("b")
        return held

    run = start_flow(later)
    with pytest.raises(CannotStore):
        process_event(run.id, "a")
    assert get_run(run.id).state == "suspended"
    assert get_run(run.id).waiting_for == "a"


class RaisingText(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise RuntimeError("no length")


@pytest.mark.parametrize("make", [RaisingClass, RaisingAttributes, RaisingMetaclass, RaisingText])
def test_such_a_value_is_taken_as_an_event(make: Any) -> None:
    longterm.set_runstore("memory://")

    @deflow
    def told() -> Any:
        return type(suspend("a")).__name__

    assert process_event(start_flow(told).id, "a", make()).result == make.__name__


class RaisingClassError(Exception):
    __class__ = RaisingClass.__class__  # type: ignore[assignment]


class RaisingAttributesError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("not set up")


@pytest.mark.parametrize("make", [RaisingClassError, RaisingAttributesError])
def test_an_exception_whose_code_raises_fails_its_run(make: Any) -> None:
    longterm.set_runstore("memory://")

    @deflow
    def failing(kind: Any) -> Any:
        suspend("a")
        raise kind()

    run = start_flow(failing, make)
    with pytest.raises(make):
        process_event(run.id, "a")
    failed = get_run(run.id)
    assert failed.state == "failed"
    assert make.__name__ in str(failed.error)


def test_a_hash_that_raises_is_named_and_is_no_damage() -> None:
    data = encode([{Keyed(): 1}])
    Keyed.working = False
    try:
        with pytest.raises(
            ValueRaised, match=rf"{HERE}\.Keyed\.__hash__ raised RuntimeError"
        ) as caught:
            decode(data)
    finally:
        Keyed.working = True
    assert caught.value.where == f"{HERE}.Keyed.__hash__"
    assert "damaged" not in str(caught.value)
    assert isinstance(caught.value, CorruptData)
    assert type(caught.value.__cause__) is RuntimeError


def test_a_registered_function_that_raises_while_decoding_is_named() -> None:
    registered.register_type(Keyed, encode=lambda value: 0, decode=divide, name="r")
    try:
        with pytest.raises(ValueRaised, match=rf"{HERE}\.divide raised ZeroDivisionError"):
            decode(encode([Keyed()]))
    finally:
        del registered._by_class[Keyed], registered._by_name["r"]


def divide(plain: int) -> float:
    return 1 / plain


MAP = tagged("map", name("tests.codec.recording:act"), tagged("iterator", "list", [1], 0))


@pytest.mark.parametrize(
    "root",
    [MAP, tagged("tuple"), [], [1], [MAP], {"a": 1}, tagged("object", type_of(f"{HERE}:Keyed")),
     [tagged("frame", "f", "v", 1, 2, {}), 1]],
)  # fmt: skip
def test_a_stack_is_a_list_of_frames_and_nothing_else(root: Any) -> None:
    recording.CALLS.clear()
    with pytest.raises(CorruptData):
        decode_frames(items(root))
    assert recording.CALLS == []


@pytest.mark.parametrize("layout", [1, 3])
def test_rows_of_frames_are_lists(layout: int) -> None:
    from tests.codec.fuzz.packing import pack

    recording.CALLS.clear()
    row = ["f", "v", 1, 2, {}]
    for root in (MAP, [MAP], tagged("tuple", row), [tagged("tuple", *row)], [[*row[:4], MAP]]):
        with pytest.raises(CorruptData):
            decode(bytes([1, layout]) + pack(root))
    assert recording.CALLS == []


def test_a_response_is_a_list() -> None:
    with pytest.raises(CorruptData, match="no list"):
        decode_list(items(MAP))
    assert decode_list(items([1])) == [1]


def test_a_registered_type_is_not_made_of_what_calls_functions() -> None:
    recording.CALLS.clear()
    for plain in (MAP, [MAP], {"a": tagged("tuple", MAP)}, reference(0)):
        with pytest.raises(CorruptData, match="calls a function"):
            decode(items(MAP, tagged("registered", "recording:Made", 1, plain)))
    assert recording.CALLS == []
    with pytest.raises(NotStorable, match="encode it to a list"):
        encode([recording.Made(map(recording.act, [1]))])
    assert decode(encode([recording.Made([1])]))[0].parts == ([1],)


def test_an_attribute_hides_no_method() -> None:
    order = type_of(f"{models.__name__}:Leaf")
    act = tagged("partial", name("tests.codec.recording:act"), tagged("tuple", "gone"), {})
    for values in (
        [tagged("object", order, {"visit": act})],
        [{"visit": act}, tagged("object", order, reference(0))],
        [tagged("new", 2), tagged("object", order, reference(0)),
         tagged("fill", reference(0), "visit", act), reference(1)],
        [tagged("exception", type_of("builtins:ValueError"), {"args": tagged("tuple")},
                {"with_traceback": act}, None)],
    ):  # fmt: skip
        with pytest.raises(CorruptData, match="hides the method"):
            decode(items(*values))
    assert decode(items(tagged("object", order, {"visit": 5, "call": act}))).visit == 5


def test_a_declared_attribute_may_hold_a_function() -> None:
    job = recording.Job()
    job.on_end = recording.act  # type: ignore[method-assign,assignment]
    assert decode(encode([job]))[0].on_end is recording.act


@pytest.mark.parametrize(
    "factory",
    [tagged("partial", name("tests.codec.recording:act"), tagged("tuple", 1), {}),
     tagged("method", name("tests.codec.recording:act"), 1),
     tagged("object", type_of("tests.codec.recording:Job")), 5],
)  # fmt: skip
def test_a_default_dict_makes_values_of_a_class_or_a_function(factory: Any) -> None:
    default = type_of("collections:defaultdict")
    with pytest.raises(CorruptData, match="default factory"):
        decode(items(tagged("object", default, None, None, factory)))
    with pytest.raises(CorruptData, match="default factory"):
        decode(items(
            tagged("new", 34), tagged("object", default, None, None, reference(0)),
            tagged("fill", reference(0), name("tests.codec.recording:act"), tagged("tuple"), {}),
            reference(1),
        ))  # fmt: skip


def test_classes_of_the_standard_library_hold_what_they_should() -> None:
    for cls, attributes in (
        ("collections:UserDict", {"data": MAP}),
        ("collections:UserList", {"data": MAP}),
        ("collections:UserString", {}),
        ("collections:ChainMap", {"maps": [MAP]}),
        ("string:Template", {"template": MAP}),
        ("contextlib:suppress", {"_exceptions": MAP}),
    ):
        with pytest.raises(CorruptData, match=r"its|chains"):
            decode(items(tagged("object", type_of(cls), attributes)))


def test_exceptions_can_be_shown() -> None:
    def error(cls: str, **state: Any) -> Any:
        args = {"args": tagged("tuple")}
        return tagged("exception", type_of(f"builtins:{cls}"), args | state, None, None)

    for bad in (
        error("UnicodeDecodeError", object="x"),
        error("UnicodeDecodeError", object=b"x", start=-5, end=-4, encoding="a", reason="r"),
        error("UnicodeEncodeError", object=b"x"),
        error("UnicodeEncodeError", object="x", start=9),
        error("UnicodeDecodeError", encoding=5),
        error("SyntaxError", lineno="x"),
        error("ImportError", name_from=5),
    ):
        with pytest.raises(CorruptData, match="its"):
            decode(items(bad))
    made = decode(items(error("ImportError", name="antigravity", name_from="x")))
    assert getattr(made, "name_from", None) is None


@deflow
def capturing(asked: Any) -> Any:
    count = 1

    def counted() -> int:
        return count

    count = suspend("t")
    return counted(), asked


@pytest.mark.parametrize(
    "changes",
    [{"point": 99}, {"point": -7}, {"cells": {}}, {"point": 0}, {"point": 0, "slots": {"args": 5}},
     {"point": 0, "slots": {"args": (), "kwargs": {1: 2}}}],
)  # fmt: skip
def test_a_frame_that_does_not_fit_its_flow_is_refused_and_the_run_waits(changes: Any) -> None:
    store = MemoryStore()
    engine = Engine(store)
    run = engine.start_flow(capturing, 1)
    frames = decode_frames(run.stack or b"")
    for part, value in changes.items():
        setattr(frames[0], part, value)
    store.update(store.unsuspend(run.id, "t").changed(stack=encode(frames), state=run.state))

    with pytest.raises(CorruptData):
        engine.process_event(run.id, "t", 2)

    assert engine.get_run(run.id).state == "suspended"


class _Spoken:
    """Says how it is shown."""

    def __format__(self, specification: str) -> str:
        SAID.append("__format__")
        return "spoken"


SAID: list[str] = []


@pytest.mark.parametrize("kind", ["flags", "enum member"])
def test_what_stands_for_the_name_of_a_member_is_not_shown(kind: str) -> None:
    number = [3] if kind == "flags" else []
    spoken = tagged("object", type_of(f"{HERE}:_Spoken"), {})
    SAID.clear()

    with pytest.raises(CorruptData):
        decode(items(tagged(kind, type_of("tests.codec.models:Mode"), *number, spoken)))

    assert SAID == []


def test_registered_values_in_a_row_are_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def counted(value: Any, *types: type) -> bool:
        nonlocal looked_at
        looked_at += 1
        return type(value) in types

    def steps(length: int) -> int:
        nonlocal looked_at
        value: Any = iter([])
        for _ in range(length):
            value = victims._Made(value)
        looked_at = 0
        encode([value, map(len, [])])
        return looked_at

    monkeypatch.setattr(registered, "is_exactly", counted)
    assert steps(200) < steps(100) * 3
