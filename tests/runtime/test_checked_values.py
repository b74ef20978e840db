"""Values of events that are checked by their types before a flow sees them, and what is asked."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from typing import Annotated, Any, ForwardRef, Literal, Optional

import pytest
from annotated_types import Gt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # that of `typing` does for pydantic from Python 3.12 on

from longterm import (
    CannotCheck,
    CannotStore,
    Engine,
    Event,
    InvalidQuery,
    InvalidValue,
    InvalidWait,
    KeyReused,
    NotSupported,
    RunComplete,
    RunState,
    UnknownEvent,
    deflow,
    respond,
    set_keys,
    set_payload_codec,
    spawn,
    suspend,
)
from longterm import _validation as validation
from longterm._type_shapes import shape_of, type_of
from longterm.cli import main
from longterm.store.memory import MemoryStore
from longterm.testing import Answer, FakeClock, WrongScript, decode, encode, interpret, play
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

DAY = timedelta(days=1)


class Approval(BaseModel):
    by: str
    amount: int = 0


@dataclass
class Place:
    city: str
    since: date


class Colour(Enum):
    RED = "red"


class Row(TypedDict):
    id: int


class Plain:
    """A class that pydantic does not know."""


class Reversed:
    """A payload codec, as far as tests need one."""

    def encode(self, data):
        return data[::-1]

    def decode(self, data):
        return data[::-1]


PICKY: dict[str, Exception] = {}


def check_pick(value):
    if PICKY:
        raise PICKY["error"]
    return value


approve = Event("approve", Approval)
picky = Event("picky", Annotated[int, BeforeValidator(check_pick)])
reject = Event("reject", str)
anything = Event("anything")
declared = Event("declared", Annotated[Sequence[int], Gt(0)])


@deflow
def ask(wanted, **more):
    return suspend("answer", type=wanted, **more)


@deflow
def two(first, second):
    return suspend(first), suspend(second)


@deflow
def first_of(*events):
    return suspend(*events)


@deflow
def with_default():
    return suspend("n", type=int, expires=DAY, default="late")


@deflow
def picks():
    return suspend(picky, expires=DAY, default=None)


@deflow
def polls():
    found = []
    while (value := suspend("n", type=int, expires=timedelta(0), default=None)) is not None:
        found.append(value)
    return found


@deflow
async def asks():
    value = await suspend("n", type=int)
    respond(value)
    return value, suspend(approve)


@deflow
def asks_often():
    respond("begun")
    numbers = []
    while len(numbers) < 2:
        numbers.append(suspend("n", type=int))
    return numbers


@deflow
def asks_later_often():
    suspend("go")
    return asks_often()


@deflow
async def asks_later():
    suspend("go")
    return await asks()


@deflow
def polls_later():
    suspend("go")
    return polls()


@deflow
def typed_twice(*events):
    return suspend(*events, type=int)


@pytest.fixture(params=["memory", "sqlite"])
def engine(request, tmp_path):
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    return Engine(url, clock=FakeClock())


def stored(engine, run):
    """What the store has of a run, but for the number of its turn."""
    return engine.get_run(run.id).changed(turn=0, claim=None)


@pytest.mark.parametrize(
    ("wanted", "sent", "comes"),
    [
        (int, "5", 5),
        (Approval, {"by": "Ada", "amount": "3"}, Approval(by="Ada", amount=3)),
        (Approval, Approval(by="Ada"), Approval(by="Ada")),
        (Place, {"city": "Ulm", "since": "2026-01-02"}, Place("Ulm", date(2026, 1, 2))),
        (Literal["yes", "no"], "yes", "yes"),
        (Optional[int], None, None),  # noqa: UP045 - the older way to write it
        (int | None, None, None),
        (list[Approval], [{"by": "A"}], [Approval(by="A")]),
        (dict[str, list[int | None]], {"a": [1, None]}, {"a": [1, None]}),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Row, {"id": "7"}, {"id": 7}),
        (Colour, "red", Colour.RED),
        (date, "2026-01-02", date(2026, 1, 2)),
        (Annotated[int, Gt(0)], 1, 1),
        (type(None), None, None),
        (Any, [1], [1]),
    ],
    ids=str,
)
def test_flow_gets_the_value_as_its_type_has_it(engine, wanted, sent, comes):
    run = engine.start_flow(ask, None if wanted is type(None) else wanted)
    if wanted is type(None):
        run = engine.start_flow(first_of, Event("answer", None))

    assert engine.process_event(run.id, "answer", sent).result == comes


@pytest.mark.parametrize(
    ("wanted", "bad", "places"),
    [
        (int, "five", [()]),
        (Approval, {"amount": "x"}, [("by",), ("amount",)]),
        (Literal["yes", "no"], "maybe", [()]),
        (list[int], [1, "x", None], [(1,), (2,)]),
        (Place, {"city": 1, "since": "soon"}, [("city",), ("since",)]),
        (Annotated[int, Gt(0)], 0, [()]),
        (Plain, {}, [()]),
    ],
    ids=str,
)
def test_what_does_not_fit_changes_nothing_but_the_number_of_the_turn(engine, wanted, bad, places):
    run = engine.start_flow(ask, wanted)
    before = stored(engine, run)

    with pytest.raises(InvalidValue, match="event 'answer' does not fit") as refused:
        engine.process_event(run.id, "answer", bad, key="k")

    assert [error["loc"] for error in refused.value.errors] == places
    assert stored(engine, run) == before
    assert (refused.value.event_id, refused.value.__context__) == ("answer", None)
    assert engine.cancel(run.id).state is RunState.CANCELLED


def test_refused_delivery_can_come_again_under_its_key(engine):
    run = engine.start_flow(ask, int)
    with pytest.raises(InvalidValue):
        engine.process_event(run.id, "answer", "x", key="k")

    assert engine.process_event(run.id, "answer", 1, key="k").result == 1


def test_refusal_shows_places_and_no_values(engine):
    run = engine.start_flow(ask, dict[str, int])
    bad = {f"key {n}" * 50: "secret" for n in range(9)}

    with pytest.raises(InvalidValue) as refused:
        engine.process_event(run.id, "answer", bad)

    text = str(refused.value)
    assert "secret" not in text
    assert "secret" not in repr(refused.value.errors)
    assert text.count("should be a valid integer") == 5
    assert "; and 4 more (send one that does; nothing has changed)" in text
    assert len(text) < 1500
    assert set(refused.value.errors[0]) == {"loc", "msg", "type"}


def test_of_several_events_each_is_checked_by_its_own_type(engine):
    run = engine.start_flow(first_of, approve, reject, "nudge")
    before = stored(engine, run)
    for name, bad in (("approve", "yes"), ("reject", 5)):
        with pytest.raises(InvalidValue):
            engine.process_event(run.id, name, bad)
    assert stored(engine, run) == before

    what, value = engine.process_event(run.id, "approve", {"by": "Ada"}).result
    assert what is approve
    assert value == Approval(by="Ada")
    run = engine.start_flow(first_of, approve, "nudge")
    assert engine.process_event(run.id, "nudge", object).result == ("nudge", object)


def test_default_is_not_checked(engine):
    assert engine.expire(engine.start_flow(with_default).id).result == "late"


def test_thrown_exception_and_cancel_are_not_checked(engine):
    with pytest.raises(KeyError):
        engine.throw(engine.start_flow(ask, int).id, KeyError("bell"))
    assert engine.cancel(engine.start_flow(ask, int).id).state is RunState.CANCELLED


def test_async_flow_is_checked_alike(engine):
    async def story():
        run = await engine.astart_flow(asks)
        before = stored(engine, run)
        with pytest.raises(InvalidValue):
            await engine.aprocess_event(run.id, "n", "x")
        assert stored(engine, run) == before
        await engine.aprocess_event(run.id, "n", "1")
        with pytest.raises(InvalidValue):
            await engine.aprocess_event(run.id, approve, {})
        return await engine.aprocess_event(run.id, approve, {"by": "Ada"})

    assert asyncio.run(story()).result == (1, Approval(by="Ada"))


def test_declared_event_is_checked_where_it_is_sent(engine):
    run = engine.start_flow(two, "first", "approve")

    with pytest.raises(InvalidValue):
        engine.send(run.id, approve, {"no": 1})
    with pytest.raises(InvalidValue):
        asyncio.run(engine.asend(run.id, approve, {"no": 1}))
    with pytest.raises(InvalidValue):
        engine.process_event(run.id, approve, {"no": 1})
    assert engine.get_run(run.id) == run
    engine.send(run.id, approve, {"by": "Ada"})
    # The flow waits for a name without a type: it gets what was sent.
    assert engine.process_event(run.id, "first", 1).result == (1, {"by": "Ada"})


def test_declared_event_is_checked_within_a_transaction(tmp_path):
    engine = Engine(f"sqlite:///{tmp_path / 'runs.db'}")
    run = engine.start_flow(two, "first", "approve")

    with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(InvalidValue):
            engine.within(connection).send(run.id, approve, {"no": 1})
        engine.within(connection).send(run.id, approve, {"by": "Ada"})
        connection.execute("COMMIT")

    assert engine.get_run(run.id).unread == ("approve",)


def test_what_is_sent_to_a_waiting_run_is_checked_by_its_wait(engine):
    run = engine.start_flow(asks_often)
    with pytest.raises(InvalidValue):
        engine.send(run.id, "n", "x")
    assert engine.get_run(run.id).unread == ()
    engine.send(run.id, "n", 1)
    engine.send(run.id, "n", "for a later wait")  # whose type nobody knows yet
    assert engine.get_run(run.id).unread == ("n", "n")


@pytest.mark.parametrize("way", ["inline", "worker", "asynchronous"])
def test_misfit_in_the_inbox_is_kept_as_refused_and_the_run_waits_on(engine, way, caplog):
    run = asyncio.run(engine.astart_flow(asks_later if way == "asynchronous" else asks_later_often))
    for value in ("five", 2):
        engine.send(run.id, "n", value)

    with caplog.at_level(logging.WARNING, "longterm"):
        if way == "inline":
            engine.process_event(run.id, "go")
        elif way == "worker":
            engine.send(run.id, "go")
            engine.run_pending()
        else:
            asyncio.run(engine.aprocess_event(run.id, "go"))

    text = f"run {run.id}: event 1, 'n', does not fit int and is refused; the run waits on"
    assert text in caplog.text
    assert "five" not in caplog.text
    run = engine.get_run(run.id)
    assert (run.state, run.unread, run.error) == (RunState.SUSPENDED, (), None)
    assert run.waiting_for == ("approve" if way == "asynchronous" else "n")
    (refused,) = engine.refused_events(run.id)
    assert (refused.number, refused.event_id, refused.value) == (1, "n", "five")
    assert refused.refusal.startswith("the value of event 'n' does not fit int: ")
    assert "five" not in refused.refusal
    assert asyncio.run(engine.arefused_events(run.id, after=1)) == []


def test_key_of_a_refused_event_is_taken(engine):
    run = engine.start_flow(asks_often)
    for value in (1, "x"):
        engine.send(run.id, "n", value, key=f"key of {value}")
    engine.run_pending()
    before = stored(engine, run)

    assert engine.send(run.id, "n", "x", key="key of x").is_duplicate
    assert engine.process_event(run.id, "n", "x", key="key of x").is_duplicate
    with pytest.raises(KeyReused):
        engine.send(run.id, "n", 2, key="key of x")

    assert stored(engine, run) == before
    assert engine.process_event(run.id, "n", 2).result == [1, 2]


def test_refused_event_is_discarded_whatever_the_run_does(engine):
    run = engine.start_flow(polls_later)
    for value in ("x", "y", "z"):
        engine.send(run.id, "n", value)
    run = engine.process_event(run.id, "go")
    assert run.state is RunState.COMPLETE
    assert [event.value for event in engine.refused_events(run.id)] == ["x", "y", "z"]

    assert engine.discard_event(run.id, 2).value == "y"

    assert [event.value for event in engine.refused_events(run.id)] == ["x", "z"]
    with pytest.raises(RunComplete):
        engine.discard_event(run.id, 2)
    waits = engine.start_flow(asks_often)
    with pytest.raises(UnknownEvent, match="no event 1 that is unread or refused"):
        engine.discard_event(waits.id, 1)
    engine.delete(run.id)
    assert engine.store.refused(run.id) == []


def test_show_prints_what_a_run_has_refused(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    run = Engine(url).start_flow(asks_often)
    for value in (1, "x", 2):
        Engine(url).send(run.id, "n", value)
    Engine(url).run_pending()

    assert main(["--store", url, "show", run.id]) == 0
    out = capsys.readouterr().out
    assert "Refused events (oldest first):\n2: n, sent " in out
    assert "    refused: the value of event 'n' does not fit int: " in out
    assert main(["--store", url, "show", run.id, "--json"]) == 0
    (refused,) = json.loads(capsys.readouterr().out)["refused"]
    assert (refused["number"], refused["value"]) == (2, "'x'")
    assert refused["refusal"].startswith("the value of event 'n' does not fit int: ")


def test_refused_events_are_sealed_anew(engine, envelope):  # noqa: F811
    set_keys(KEY)
    set_payload_codec(Reversed())
    run = engine.start_flow(asks_later_often)
    engine.send(run.id, "n", "five")
    run = engine.process_event(run.id, "go")
    (kept,) = engine.store.refused(run.id)
    assert "int" not in kept.encoded_refusal
    set_keys(OTHER_KEY, KEY)

    assert engine.seal_runs().sealed == 1
    assert engine.seal_runs().unchanged == 1

    set_keys(OTHER_KEY)
    (refused,) = engine.refused_events(run.id)
    assert (refused.value, "does not fit int" in refused.refusal) == ("five", True)


def test_misfit_that_was_sent_before_is_refused_before_the_event_that_comes(engine):
    run = engine.start_flow(asks_often)
    for value in (1, "x"):
        engine.send(run.id, "n", value)

    assert engine.process_event(run.id, "n", 3).result == [1, 3]
    run = asyncio.run(engine.astart_flow(asks_later))
    engine.send(run.id, "n", "x")
    engine.send(run.id, "approve", {"no": 1})
    run = asyncio.run(engine.aprocess_event(run.id, "go"))
    assert run.waiting_for == "n"
    run = asyncio.run(engine.aprocess_event(run.id, "n", 3))
    assert (run.waiting_for, run.unread) == ("approve", ())


def test_poll_passes_over_what_does_not_fit(engine):
    run = engine.start_flow(polls_later)
    for value in ("x", 1, "y", "z", 2):
        engine.send(run.id, "n", value)

    run = engine.process_event(run.id, "go")

    assert (run.result, run.unread) == ([1, 2], ())
    assert engine.process_event(engine.start_flow(polls_later).id, "go").result == []


def test_parked_run_waits_on_as_long_as_it_was_to(engine):
    run = engine.start_flow(picks)
    engine.send(run.id, "picky", 1)
    PICKY["error"] = LookupError("the validator's database is down")
    engine.run_pending()
    parked = engine.get_run(run.id)
    assert (parked.error, parked.unread) == ("the validator's database is down", ("picky",))
    assert parked.deadline < run.deadline

    PICKY["error"] = ValueError("not this one")
    engine.clock.advance(timedelta(minutes=2))
    engine.run_pending()

    waits = engine.get_run(run.id)
    assert (waits.error, waits.unread, waits.deadline) == (None, (), run.deadline)
    PICKY.clear()
    assert engine.process_event(run.id, "picky", 1).result == 1


def test_wants_say_what_is_asked_and_whom_and_in_which_form(engine):
    run = engine.start_flow(ask, Approval, to="finance", ask="May we?")

    schema = TypeAdapter(Approval).json_schema()
    form = {"title": "Approval", "schema": schema}
    assert run.wants == {"ask": "May we?", "to": ["finance"], "events": {"answer": form}}
    assert json.loads(json.dumps(run.to_dict()))["wants"] == run.wants
    assert engine.get_run(run.id).wants == run.wants
    done = engine.process_event(run.id, "answer", {"by": "Ada"})
    assert done.wants is None
    assert engine.start_flow(first_of, "a", "b").wants is None
    assert engine.start_flow(first_of, anything).wants is None
    run = engine.start_flow(ask, None, to=["a", "b"], ask={"n": (1, 2.5, None)})
    assert run.wants == {"ask": {"n": [1, 2.5, None]}, "to": ["a", "b"], "events": {}}
    run = engine.start_flow(first_of, reject, "b")
    assert run.wants["events"] == {"reject": {"title": "str", "schema": {"type": "string"}}}
    assert engine.cancel(run.id).wants is None


def test_runs_are_found_by_whom_they_wait_for(engine):
    of_finance, of_both = (
        engine.start_flow(ask, Approval, to=to) for to in ("finance", ["finance", "legal"])
    )
    engine.start_flow(ask, Approval)

    found = engine.find_runs(to="finance", state="suspended")
    assert {run.id for run in found} == {of_finance.id, of_both.id}
    assert engine.find_runs(to="legal", waiting_for="answer") == [of_both]
    engine.process_event(of_both.id, "answer", {"by": "Ada"})
    assert engine.find_runs(to="legal") == []
    assert engine.find_runs(to="Finance") == engine.find_runs(to="") == []
    with pytest.raises(InvalidQuery, match="to="):
        engine.find_runs(to=["finance"])


def test_store_that_knows_of_no_audience_finds_nobody_else():
    class Older(MemoryStore):
        def find(self, query):
            return super().find(replace(query, to=None))

    engine = Engine(Older())
    engine.start_flow(ask, Approval)

    with pytest.raises(NotSupported, match="whom their waits are for"):
        engine.find_runs(to="finance")


def test_newest_runs_come_first_from_a_store_that_can():
    class Older(MemoryStore):
        def find(self, query):
            return super().find(replace(query, newest_first=False))

    engine, older = Engine("memory://"), Engine(Older())
    runs = [engine.start_flow(ask, Approval) for _ in range(3)]
    for run in runs:
        older.store.create(run)
    first, second, third = sorted(run.id for run in runs)

    assert [run.id for run in engine.find_runs(newest_first=True)] == [third, second, first]
    page = engine.find_runs(newest_first=True, after=third, limit=1)
    assert [run.id for run in page] == [second]
    for asked in ({}, {"after": second}, {"after": second, "limit": 1}):
        with pytest.raises(NotSupported, match="the newest runs first"):
            older.find_runs(newest_first=True, **asked)


def test_show_prints_what_a_wait_asks(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    engine = Engine(url)
    run = engine.start_flow(ask, Approval, to=["finance", "Ada"], ask="May\x1b we?")
    main(["--store", url, "show", run.id])

    printed = capsys.readouterr().out
    for line in ("for:           finance, Ada", "takes:         answer: Approval"):
        assert line in printed
    assert "asks:          May" in printed
    assert "\x1b" not in printed


_TOO_DEEP: list[Any] = []
for _ in range(60):
    _TOO_DEEP = [_TOO_DEEP]


@pytest.mark.parametrize(
    "asked",
    [
        *({"to": to} for to in ("", [], 7, ["a", ""], ["a", 7], "x" * 501, ["a"] * 101, "\0")),
        *({"ask": ask} for ask in (float("nan"), {1: "a"}, object(), "\ud800", "x" * 70_000)),
        {"ask": _TOO_DEEP},
        {"ask": 10**5000},
        {"ask": {"a": b"bytes"}},
    ],
)
def test_what_cannot_stand_with_a_wait_is_refused(engine, asked):
    name = next(iter(asked))
    with pytest.raises(InvalidWait, match=f"{name}=.* cannot stand with a wait") as refused:
        engine.start_flow(ask, None, **asked)
    assert refused.value.argument == name


@deflow
def wants_of_a_child():
    return suspend(spawn(with_default), type=int)


def test_type_cannot_stand_with_a_child(engine):
    with pytest.raises(InvalidWait, match="check what a child returns in its own flow"):
        engine.start_flow(wants_of_a_child)


def test_event_brings_its_own_type(engine):
    for events in ((approve,), ("a", "b")):
        with pytest.raises(InvalidWait, match=r"declare each: vote = Event\('vote', int\)"):
            engine.start_flow(typed_twice, *events)


@pytest.mark.parametrize("wanted", ["Approval", 5, ForwardRef("Nobody")])
def test_type_that_pydantic_does_not_know_is_refused(engine, wanted):
    with pytest.raises(CannotCheck, match=r"cannot be checked: .* \(give "):
        engine.start_flow(ask, wanted)


def test_type_that_cannot_be_stored_is_to_be_declared(engine):
    with pytest.raises(CannotStore, match="cannot store the type of the event") as refused:
        engine.start_flow(ask, Sequence[int])
    assert "declare" in str(refused.value)
    run = engine.start_flow(first_of, declared)
    with pytest.raises(InvalidValue):
        engine.process_event(run.id, "declared", "x")


def test_the_class_of_today_checks(engine, monkeypatch):
    run, other = engine.start_flow(ask, Approval), engine.start_flow(first_of, approve)

    class Changed(Approval):
        reason: str

    Changed.__qualname__ = "Approval"
    monkeypatch.setitem(globals(), "Approval", Changed)
    monkeypatch.setitem(globals(), "approve", Event("approve", Changed))
    for waiting, name in ((run, "answer"), (other, "approve")):
        with pytest.raises(InvalidValue, match="reason: Field required"):
            engine.process_event(waiting.id, name, {"by": "Ada"})
        value = {"by": "Ada", "reason": "r"}
        assert engine.process_event(waiting.id, name, value).result.reason == "r"


def test_script_with_a_value_that_does_not_fit_is_wrong():
    for way in (play, interpret):
        assert way(ask, [int], ["5"]).result == 5
        assert way(first_of, [approve, "b"], [Answer("approve", {"by": "A"})]).result[1].by == "A"
        with pytest.raises(WrongScript, match="does not fit int"):
            way(ask, [int], ["x"])


@pytest.mark.parametrize(
    "wanted",
    [
        *(int, None, Any, int | None, Literal["a", 1, None, True, Colour.RED]),
        *(list[int], dict[str, list[Place | None]], tuple[int, ...], tuple[()]),
        *(Annotated[int, Gt(0)], Annotated[list[Literal["x"]] | None, Gt(0)]),
    ],
    ids=str,
)
def test_type_survives_storing(wanted):
    assert type_of(decode(encode(shape_of(wanted)))) == wanted
    event = decode(encode([Event("local", wanted)]))[0]
    assert event.value_type == wanted


def test_forged_type_is_refused():
    many: Any = int
    for _ in range(40):
        many = ("union", many, ("of", list, many))
    for forged in (many, ("of",), ("unknown", 1), (), ("of", 5, int), ((), 1)):
        with pytest.raises(ValueError, match=r"stored"):
            type_of(forged)


@pytest.mark.parametrize("is_typed", [False, True])
def test_without_pydantic_only_events_go_unchecked(is_typed, tmp_path):
    code = f"""
import sys
sys.modules["pydantic"] = None
from longterm import CannotCheck, Event, deflow, process_event, start_flow, suspend

@deflow
def by_event(): return suspend(Event("n", int))

@deflow
def by_type(): return suspend("n", type=int)

if {is_typed}:
    try: start_flow(by_type)
    except CannotCheck as error: print(error)
else:
    run = start_flow(by_event)
    print(run.wants, process_event(run.id, Event("n", int), "x").result)
"""
    path = tmp_path / "shop.py"
    path.write_text(code)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    missing = (
        "the value of an event cannot be checked: int needs pydantic 2, which is not installed "
        "(pip install 'longterm[pydantic]')"
    )
    assert done.stdout.strip() == (missing if is_typed else "None x")


def test_run_is_left_alone_where_pydantic_is_missing(engine, monkeypatch):
    run = engine.start_flow(ask, int)
    before = stored(engine, run)
    monkeypatch.setattr(validation, "is_possible", lambda: False)

    with pytest.raises(CannotCheck, match="needs pydantic 2"):
        engine.process_event(run.id, "answer", 1)

    assert stored(engine, run) == before


_SCALARS = [int, str, bool, float, date, type(None), Approval, Place, Literal["a", 1], Colour]
_TYPES = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),
        inner.map(lambda each: dict[str, each]),
        st.tuples(inner, inner).map(lambda each: tuple[each]),
        st.tuples(inner, inner).map(lambda each: each[0] | each[1]),
    ),
    max_leaves=4,
)
_PAYLOADS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.floats(allow_nan=False),
        st.sampled_from(["a", "x", "1", "2026-01-02", "red", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["by", "amount", "city", "since"]), inner, max_size=3),
    ),
    max_leaves=5,
)


@given(wanted=_TYPES, payload=_PAYLOADS)
@settings(deadline=None, max_examples=150)
def test_what_pydantic_takes_the_flow_gets_and_nothing_else(wanted, payload):
    engine = Engine("memory://")
    run = engine.start_flow(first_of, Event("e", wanted))
    before = stored(engine, run)
    try:
        comes = TypeAdapter(wanted).validate_python(payload)
    except ValidationError as found:
        count = found.error_count()
        with pytest.raises(InvalidValue) as refused:
            engine.process_event(run.id, "e", payload)
        assert len(refused.value.errors) == count
        assert stored(engine, run) == before
    else:
        done = engine.process_event(run.id, "e", payload)
        assert (done.result, type(done.result)) == (comes, type(comes))
