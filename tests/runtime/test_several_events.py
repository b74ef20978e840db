"""Waits for the first of several events, and events with a type."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Literal

import pytest

from longterm import (
    CannotStore,
    Engine,
    Event,
    Expired,
    InvalidEventId,
    Run,
    RunComplete,
    RunNotSuspended,
    RunState,
    WrongEvent,
    deflow,
    respond,
    suspend,
)
from longterm.store.memory import MemoryStore
from longterm.testing import (
    EXPIRE,
    Answer,
    FakeClock,
    Throw,
    WrongScript,
    decode,
    encode,
    interpret,
    play,
)

DAY = timedelta(days=1)


@dataclass
class Approval:
    by: str


class Choice(StrEnum):
    YES = "yes"
    NO = "no"


approve = Event("approve", Approval)
reject = Event("reject", str)
choice = Event("choice", Literal["a", "b"])
nudge = Event("nudge", None)


@deflow
def ask():
    reminders = 0
    while True:
        match suspend(approve, reject, "nudge", expires=2 * DAY, default=None):
            case ("approve", by):
                return ["shipped", by.by, reminders]
            case ("reject", why):
                return ["cancelled", why, reminders]
            case (what, _):
                reminders += 1
                respond(what)


@deflow
def first(*what):
    return suspend(*what)


@deflow
def first_of_mine():
    what, value = suspend(approve, choice, nudge)
    return what is approve, what is choice, what is nudge, value


@deflow
def first_answer():
    local = Event("maybe", list[int])
    what, _ = suspend(local, Choice.YES, Choice.NO)
    return what is Choice.YES, what is Choice.NO, what is local, what


@deflow
def unless_late():
    try:
        return suspend("a", "b", expires=DAY)
    except Expired as error:
        return str(error), error.event_id


@deflow
async def first_async():
    await asyncio.sleep(0)
    one = await suspend("a", "b")
    two = [suspend("c", each) for each in "de"]
    await asyncio.sleep(0)
    return one, two


@deflow
def typed():
    approval = suspend(approve)
    return approval.by


@deflow
def unstorable():
    suspend("a", Event("b", Sequence[int]))


class FourMethods:
    """A store that compares the text of a wait as a whole, and offers nothing besides."""

    def __init__(self):
        self._store = MemoryStore()
        for name in ("create", "get", "update"):
            setattr(self, name, getattr(self._store, name))

    def create(self, run): ...
    def get(self, run_id): ...
    def update(self, run): ...

    def unsuspend(self, run_id, event_id):
        waiting_for = self._store.get(run_id).waiting_for
        return self._store.unsuspend(run_id, event_id) if waiting_for == event_id else None


@pytest.fixture(params=["four methods", "memory", "sqlite"])
def engine(request, tmp_path):
    store = {"four methods": FourMethods(), "memory": "memory://"}
    return Engine(store.get(request.param, f"sqlite:///{tmp_path / 'runs.db'}"), clock=FakeClock())


def test_the_first_of_several_events_goes_on(engine):
    run = engine.start_flow(ask)

    assert run.awaits == ("approve", "reject", "nudge")
    assert run.waiting_for == "approve\nreject\nnudge"
    run = engine.process_event(run.id, "nudge")
    assert run.response == ["nudge"]
    run = engine.expire(run.id)
    assert run.response == [None]
    assert engine.process_event(run.id, approve, Approval("Ada")).result == ["shipped", "Ada", 2]


def test_the_others_are_waited_for_no_more(engine):
    run = engine.process_event(engine.start_flow(ask).id, "reject", "no money")

    assert run.result == ["cancelled", "no money", 0]
    with pytest.raises(RunComplete):
        engine.process_event(run.id, "approve", Approval("Ada"))


def test_another_event_is_refused_and_told_what_is_waited_for(engine):
    run = engine.start_flow(ask)

    for name in ("appro", "approve reject", "n", "nudg"):
        with pytest.raises(WrongEvent, match="waits for 'approve' or 'reject' or 'nudge'"):
            engine.process_event(run.id, name)
    with pytest.raises(InvalidEventId):
        engine.process_event(run.id, run.waiting_for)
    assert engine.get_run(run.id) == run


def test_one_event_is_worth_its_value_and_several_a_pair(engine):
    assert engine.process_event(engine.start_flow(first, "a").id, "a", 1).result == 1
    run = engine.start_flow(first, "a", "b")
    assert engine.process_event(run.id, "b", 1).result == ("b", 1)


def test_what_was_given_for_an_event_comes_back_itself(engine):
    run = engine.start_flow(first_of_mine)
    assert engine.process_event(run.id, "choice", "a").result == (False, True, False, "a")
    run = engine.start_flow(first_answer)
    assert engine.process_event(run.id, Choice.NO).result == (False, True, False, Choice.NO)
    run = engine.start_flow(first_answer)
    *which, what = engine.process_event(run.id, "maybe", [1]).result
    assert (which, type(what), what.value_type) == ([False, False, True], Event, list[int])


def test_without_a_default_the_deadline_of_several_raises(engine):
    run = engine.start_flow(unless_late)

    text = "event 'a' or 'b' did not come in time"
    assert engine.expire(run.id).result == (text, "a\nb")


def test_an_exception_and_a_cancel_reach_a_wait_for_several(engine):
    run = engine.start_flow(first, "a", "b")
    with pytest.raises(KeyError):
        engine.throw(run.id, KeyError("bell"))
    assert engine.cancel(engine.start_flow(first, "a", "b").id).state is RunState.CANCELLED


def test_an_async_flow_waits_for_several(engine):
    async def story():
        run = await engine.astart_flow(first_async)
        await engine.aprocess_event(run.id, "b", 1)
        await engine.aprocess_event(run.id, "d", 2)
        return await engine.aprocess_event(run.id, "c", 3)

    assert asyncio.run(story()).result == (("b", 1), [("d", 2), ("c", 3)])


def test_a_repeated_delivery_of_one_of_several_changes_nothing(engine):
    run = engine.start_flow(ask)

    once = engine.process_event(run.id, "nudge", key="k1")

    assert engine.process_event(run.id, "nudge", key="k1").response == once.response == ["nudge"]
    assert engine.process_event(run.id, "approve", Approval("A"), key="k2").result[2] == 1


def test_of_several_events_at_once_one_wins(tmp_path):
    engine = Engine(f"sqlite:///{tmp_path / 'runs.db'}")
    run = engine.start_flow(first, "a", "b")
    claimed = engine.store.claim(run.id, "a", now=run.created_at, until=run.created_at + DAY)

    assert claimed.waiting_for == "a\nb"
    assert engine.store.claim(run.id, "b", now=run.created_at, until=run.created_at + DAY) is None
    with pytest.raises(RunNotSuspended):
        engine.process_event(run.id, "b")


@pytest.mark.parametrize("waiting_for", [None, "longterm.sleep", "longterm.start"])
def test_a_run_that_waits_for_what_nobody_sends_awaits_no_event(waiting_for):
    assert Run(id="r1", flow="m:f", state="suspended", waiting_for=waiting_for).awaits == ()


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (("a", "a"), "event 'a' is waited for twice"),
        ((approve, "b", "approve"), "event 'approve' is waited for twice"),
        (("a", ""), "an event id is a string of 1 to 500 characters"),
        (("a", 7), "an event id is a string"),
        (("a", "b\nc"), "without NUL or line break"),
        (("a", "longterm.sleep"), "does not begin with 'longterm"),
        ([f"{n:0500}" for n in range(200)], "200 events are waited for .* 100,199 bytes, more"),
    ],
)
def test_events_that_cannot_be_waited_for_together_are_refused(engine, events, why):
    with pytest.raises(InvalidEventId, match=why):
        engine.start_flow(first, *events)


def test_no_event_at_all_is_pythons_own_error(engine):
    with pytest.raises(TypeError, match="suspend"):
        engine.start_flow(first)


def test_as_many_names_as_allowed_are_found_again(engine):
    names = [f"{n}" * 249 for n in range(8)]
    run = engine.start_flow(first, *names)

    assert run.awaits == tuple(names)
    assert engine.process_event(run.id, names[7], 1).result == (names[7], 1)


def test_runs_that_wait_for_several_are_found_by_each(tmp_path):
    for engine in (Engine("memory://"), Engine(f"sqlite:///{tmp_path / 'runs.db'}")):
        several, one = engine.start_flow(ask), engine.start_flow(typed)
        both = sorted([several, one], key=attrgetter("id"))

        assert engine.find_runs(waiting_for="nudge") == [several]
        assert engine.find_runs(waiting_for="approve") == both
        assert engine.find_runs(waiting_for="approve", limit=1) == both[:1]
        assert engine.find_runs(waiting_for="approve", after=both[0].id) == both[1:]
        assert engine.find_runs(waiting_for="approve", state="running") == []
        assert engine.find_runs(waiting_for="appro") == []


def test_a_typed_event_is_its_name():
    assert (approve, str(approve), f"{approve}", {approve: 1}["approve"]) == (*["approve"] * 3, 1)
    assert type(str(approve)) is str
    assert (approve.value_type, nudge.value_type, Event("k").value_type) == (Approval, None, object)
    assert repr(choice) == "Event('choice', typing.Literal['a', 'b'])"
    assert repr(approve) == "Event('approve', Approval)"
    for again in (copy.deepcopy(approve), pickle.loads(pickle.dumps(approve))):
        assert (again, again.value_type) == ("approve", Approval)
    with pytest.raises(InvalidEventId):
        Event("")


def test_a_typed_event_brings_its_value(engine):
    run = engine.start_flow(typed)

    assert (run.waiting_for, type(run.waiting_for)) == ("approve", str)
    assert engine.process_event(run.id, approve, Approval("Ada")).result == "Ada"


def test_an_event_is_stored_as_the_one_that_is_declared(monkeypatch):
    stored = encode([approve, Event("approve", int)])

    assert decode(stored)[0] is approve
    assert decode(stored)[1].value_type is int
    monkeypatch.delitem(globals(), "approve")
    assert (decode(stored)[0], decode(stored)[0].value_type) == ("approve", object)


def test_an_event_whose_type_cannot_be_stored_is_to_be_declared(engine):
    with pytest.raises(
        CannotStore, match=r"cannot store an event that is waited for of .*Sequence"
    ):
        engine.start_flow(unstorable)


def test_in_a_script_several_events_take_an_answer():
    for way in (play, interpret):
        script = [Answer("nudge"), EXPIRE, Answer("approve", Approval("Ada"))]
        transcript = way(ask, [], script)
        assert transcript.result == ["shipped", "Ada", 2]
        assert transcript.responses == [[], ["nudge"], [None], []]
        assert transcript.asked == ["approve\nreject\nnudge"] * 3
        assert way(first_of_mine, [], [Answer(choice, "a")]).result == (False, True, False, "a")
        assert way(unless_late, [], [EXPIRE]).result[1] == "a\nb"
        assert isinstance(way(first, ["a", "b"], [Throw(KeyError())]).error, KeyError)
        with pytest.raises(WrongScript, match=r"'a' or 'b', so .* such as Answer\('a', 1\)"):
            way(first, ["a", "b"], [1])
        with pytest.raises(WrongScript, match="waits for 'a' or 'b', and the script has Answer"):
            way(first, ["a", "b"], [Answer("c", 1)])
