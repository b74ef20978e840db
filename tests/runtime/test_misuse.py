"""Each misuse from outside of a run gets its typed error with a way out, and changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from longterm import (
    AsyncFlow,
    CannotStore,
    Engine,
    Event,
    EventTooLarge,
    InvalidDeadline,
    InvalidDeliveryKey,
    InvalidEventId,
    InvalidFact,
    InvalidQuery,
    InvalidRunId,
    InvalidValue,
    KeyReused,
    NotAFlow,
    NotAnException,
    RunBusy,
    RunComplete,
    RunExists,
    RunNotEnded,
    RunNotFailed,
    RunNotSuspended,
    StaleEvent,
    UnknownEvent,
    UnknownRun,
    WrongConnection,
    WrongEvent,
    deflow,
    suspend,
)

count = Event("count", int)


@deflow
def waits(first="a"):
    return suspend(first), suspend("b", type=int)


@deflow
def fails():
    raise ValueError(suspend("a"))


@deflow
async def awaits():
    return await suspend("a")


# What is called with an engine and the ids of its runs, what it raises, and what the text says.
CASES = [
    (lambda e, r: e.process_event("nobody", "a"), UnknownRun, "check the id"),
    (lambda e, r: e.process_event(r.run, "a"), InvalidRunId, "give `run.id`"),
    (lambda e, r: e.process_event(r.waiting, "b"), WrongEvent, "it waits for 'a'"),
    (lambda e, r: e.process_event(r.waiting, ""), InvalidEventId, "write "),
    (lambda e, r: e.process_event(r.waiting, "run:1"), InvalidEventId, "write "),
    (lambda e, r: e.process_event(r.waiting, "a", key=""), InvalidDeliveryKey, "give "),
    (lambda e, r: e.process_event(r.waiting, "a", revision=9), StaleEvent, "read the run again"),
    (lambda e, r: e.process_event(r.waiting, "a", revision="1"), TypeError, "give `run.revision`"),
    (lambda e, r: e.process_event(r.waiting, count, "x"), InvalidValue, "send one that does"),
    (lambda e, r: e.process_event(r.typed, "b", "x"), InvalidValue, "send one that does"),
    (lambda e, r: e.process_event(r.typed, "b", 1, key="k"), KeyReused, "key"),
    (lambda e, r: e.process_event(r.asynchronous, "a"), AsyncFlow, "use `await aprocess_event"),
    (lambda e, r: e.process_event(r.ended, "a"), RunComplete, "start a new run"),
    (lambda e, r: e.process_event(r.failed, "a"), RunNotSuspended, "retry it"),
    (lambda e, r: e.process_event(r.busy, "a"), RunBusy, "wait for it to end"),
    (lambda e, r: e.stream_event(r.waiting, "b"), WrongEvent, "it waits for 'a'"),
    (lambda e, r: e.send("nobody", "a"), UnknownRun, "check the id"),
    (lambda e, r: e.send(r.waiting, "longterm.cancel"), InvalidEventId, "write "),
    (lambda e, r: e.send(r.waiting, "a", open), CannotStore, "("),
    (lambda e, r: e.send(r.waiting, "a", b"x" * 2000), EventTooLarge, "max_event_bytes="),
    (lambda e, r: e.send(r.waiting, count, "x"), InvalidValue, "send one that does"),
    (lambda e, r: e.send(r.typed, "b", "x"), InvalidValue, "send one that does"),
    (lambda e, r: e.send(r.typed, "b", 1, key="k"), KeyReused, "key"),
    (lambda e, r: e.send(r.waiting, "a", revision=9), StaleEvent, "read the run again"),
    (lambda e, r: e.send(r.busy, "a", revision=1), RunBusy, "wait for it to end"),
    (lambda e, r: e.send(r.ended, "a"), RunComplete, "start a new run"),
    (lambda e, r: e.start(print), NotAFlow, "put @deflow on the function"),
    (lambda e, r: e.start(awaits), AsyncFlow, "use `await astart_flow"),
    (lambda e, r: e.start(waits, "a"), TypeError, "write start(flow, (item,))"),
    (lambda e, r: e.start(waits, (), ["a"]), TypeError, "write start(flow, (), {"),
    (lambda e, r: e.start(waits, id=""), InvalidRunId, "give what it is about"),
    (lambda e, r: e.start(waits, ("z",), id="known"), KeyReused, "id"),
    (lambda e, r: e.start(fails, id=r.waiting), (KeyReused, RunExists), "id"),
    (lambda e, r: e.start(waits, at=3), InvalidDeadline, "write at=timedelta"),
    (lambda e, r: e.start(waits, at=datetime(2030, 1, 1)), InvalidDeadline, "aware"),
    (lambda e, r: e.start(waits, index={"a": []}), InvalidFact, "set a string"),
    (lambda e, r: e.within(object()).start(waits), WrongConnection, "("),
    (lambda e, r: e.cancel("nobody"), UnknownRun, "check the id"),
    (lambda e, r: e.cancel(r.ended), RunComplete, "start a new run"),
    (lambda e, r: e.cancel(r.ended, force=True), RunComplete, "start a new run"),
    (lambda e, r: e.throw(r.waiting, 3), NotAnException, "give an instance"),
    (lambda e, r: e.throw(r.busy, ValueError(open)), CannotStore, "("),
    (lambda e, r: e.expire(r.ended), RunComplete, "start a new run"),
    (lambda e, r: e.expire(r.busy), RunBusy, "wait for it to end"),
    (lambda e, r: e.retry(r.waiting), RunNotFailed, "see get_run"),
    (lambda e, r: e.delete(r.waiting), RunNotEnded, "cancel it first"),
    (lambda e, r: e.delete("nobody"), UnknownRun, "check the id"),
    (lambda e, r: e.delete(), InvalidQuery, "give a run's id"),
    (lambda e, r: e.delete(r.ended, index={"a": 1}), InvalidQuery, "not both"),
    (lambda e, r: e.discard_event(r.waiting, 7), UnknownEvent, "see unread_events"),
    (lambda e, r: e.discard_event(r.busy, 7), RunBusy, "wait for it to end"),
    (lambda e, r: e.join("nobody"), UnknownRun, "check the id"),
    (lambda e, r: e.find_runs(state="asleep"), InvalidQuery, "choose from"),
]


class Runs:
    """The ids of one run in each state."""

    def __init__(self, engine: Engine) -> None:
        self.run = engine.start(waits, id="known")
        self.waiting = self.run.id
        typed = engine.start_flow(waits)
        self.typed = engine.process_event(typed.id, "a", 0, key="k").id
        self.asynchronous = asyncio.run(engine.astart_flow(awaits)).id
        self.ended = engine.start_flow(waits).id
        for event_id in ("a", "b"):
            engine.process_event(self.ended, event_id, 1)
        self.failed = engine.start_flow(fails).id
        with pytest.raises(ValueError, match="no"):
            engine.process_event(self.failed, "a", "no")
        self.busy = engine.start_flow(waits).id
        engine.send(self.busy, "later", 1)
        far = datetime(2100, 1, 1, tzinfo=UTC)
        assert engine.store.claim(self.busy, "a", now=far, until=far + timedelta(days=1))


def stored(engine: Engine) -> list[object]:
    """All that is stored of runs, but for the numbers of their turns and claims."""
    runs = engine.find_runs()
    plain = [vars(run.changed(turn=0, claim=None)) for run in runs]
    events = [(engine.unread_events(run.id), engine.refused_events(run.id)) for run in runs]
    return [plain, events]


def test_misuse_is_refused_and_changes_nothing(each_engine):
    engine = Engine(each_engine.store, max_event_bytes=1000)
    runs = Runs(engine)
    before = stored(engine)

    for call, expected, way_out in CASES:
        line = call.__code__.co_firstlineno
        if expected is WrongConnection and not hasattr(engine.store, "within"):
            continue
        with pytest.raises(expected) as caught:
            call(engine, runs)
        assert way_out in str(caught.value), (line, str(caught.value))
        assert stored(engine) == before, (line, str(caught.value))

    assert engine.process_event(runs.waiting, "a").waiting_for == "b"
    assert engine.process_event(runs.typed, "b", "7").result == (0, 7)
