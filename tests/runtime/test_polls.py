"""A wait whose deadline is not in the future looks at the inbox and goes on, in the same turn."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from longterm import Engine, Event, Expired, deflow, now, respond, suspend
from longterm.store.memory import MemoryStore
from longterm.testing import interpret, play

ZERO = timedelta(0)
DAY = timedelta(days=1)
item = Event("item", str)


@deflow
def looks(*names, before=ZERO):
    first = suspend("begin")
    found = suspend(*names, expires=now() - before, default="nothing")
    return first, found


@deflow
def collects():
    suspend("begin")
    found = []
    while (one := suspend(item, expires=ZERO, default=None)) is not None:
        found.append(one)
        respond(one)
    return found, suspend("more", expires=ZERO, default="no more")


@deflow
async def collects_async():
    await suspend("begin")
    found = []
    while (one := await suspend(item, expires=ZERO, default=None)) is not None:
        await asyncio.sleep(0)
        found.append(one)
    return found


@deflow
def insists():
    suspend("begin")
    try:
        return suspend("item", expires=ZERO)
    except Expired as error:
        return f"none: {error}"


@deflow
def fails_after_a_poll():
    suspend("begin")
    found = suspend(item, expires=ZERO, default=None)
    if faults:
        faults.pop()
        raise OSError("on fire")
    return found


@deflow
def collects_and_waits():
    suspend("begin")
    found = [suspend(item, expires=ZERO, default=None) for _ in range(2)]
    return found, suspend("end")


faults: list[str] = []


class CountsSteps(MemoryStore):
    def __init__(self):
        super().__init__()
        self.steps: list[str] = []

    def update(self, run):
        self.steps.append("save")
        return super().update(run)

    def update_read(self, run, events):
        self.steps.append(f"save, and take {len(events)}")
        return super().update_read(run, events)

    def get(self, run_id):
        self.steps.append("look")
        return super().get(run_id)

    def unread(self, *args, **kwargs):
        self.steps.append("read")
        return super().unread(*args, **kwargs)


@pytest.mark.parametrize("before", [ZERO, DAY])
def test_there_is_nothing(engine, before):
    run = engine.start_flow(looks, "item", before=before)

    done = engine.process_event(run.id, "begin", 1)

    assert done.result == (1, "nothing")


def test_there_is_what_was_sent(engine):
    run = engine.start_flow(looks, "item")
    engine.send(run.id, "item", "tea")
    engine.send(run.id, "item", "milk")

    done = engine.process_event(run.id, "begin", 1)

    assert done.result == (1, "tea")
    assert done.unread == ("item",)
    assert [event.value for event in engine.unread_events(run.id)] == ["milk"]


def test_of_several_the_oldest_counts(engine):
    run = engine.start_flow(looks, "item", item.upper())
    engine.send(run.id, "ITEM", "tea")
    engine.send(run.id, "item", "milk")

    assert engine.process_event(run.id, "begin", 1).result == (1, ("ITEM", "tea"))


def test_of_several_none_is_there(engine):
    run = engine.start_flow(looks, "item", "more")

    assert engine.process_event(run.id, "begin", 1).result == (1, (None, "nothing"))


def test_all_can_be_read_in_one_turn(engine):
    run = engine.start_flow(collects)
    for name in ("tea", "milk", "sugar"):
        engine.send(run.id, "item", name)
    engine.send(run.id, "other", 1)

    done = engine.process_event(run.id, "begin", 1)

    assert done.result == (["tea", "milk", "sugar"], "no more")
    assert (done.response, done.unread) == (["tea", "milk", "sugar"], ("other",))


def test_an_async_flow_looks_too(engine):
    async def story():
        run = await engine.astart_flow(collects_async)
        for name in ("tea", "milk"):
            await engine.asend(run.id, "item", name)
        return await engine.aprocess_event(run.id, "begin")

    assert asyncio.run(story()).result == ["tea", "milk"]


def test_without_a_default_it_expires(engine):
    run = engine.start_flow(insists)

    assert engine.process_event(run.id, "begin").result.startswith("none: ")


def test_what_is_sent_in_the_turn_is_seen(engine):
    run = engine.start_flow(looks, "item")
    sent: list[Any] = []

    def send_first(*_: object) -> datetime:
        sent.append(engine.send(run.id, "item", "sent meanwhile"))
        return engine.clock.now()

    claimed = engine.store.claim
    engine.store.claim = lambda *args, **kwargs: (claimed(*args, **kwargs), send_first())[0]
    done = engine.process_event(run.id, "begin", 1)

    assert (done.result, done.unread) == ((1, "sent meanwhile"), ())
    assert engine.unread_events(run.id) == []


def test_a_poll_costs_a_look_and_no_save():
    engine = Engine(CountsSteps())
    run = engine.start_flow(looks, "item")
    engine.store.steps.clear()

    engine.process_event(run.id, "begin", 1)

    assert engine.store.steps == ["look", "save"]


def test_what_was_read_is_taken_out_by_the_one_save():
    engine = Engine(CountsSteps())
    run = engine.start_flow(collects_and_waits)
    for name in ("tea", "milk", "sugar"):
        engine.send(run.id, "item", name)
    engine.send(run.id, "begin")
    engine.store.steps.clear()

    engine.run_pending()

    assert engine.store.steps == ["read", *["look", "read"] * 2, "save, and take 3"]
    assert engine.get_run(run.id).unread == ("item",)
    assert engine.process_event(run.id, "end", 1).result == (["tea", "milk"], 1)


def test_a_turn_that_fails_has_read_nothing(engine):
    run = engine.start_flow(fails_after_a_poll)
    engine.send(run.id, "item", "tea")
    faults.append("once")

    with pytest.raises(OSError, match="on fire"):
        engine.process_event(run.id, "begin", 1)

    assert engine.get_run(run.id).unread == ("begin", "item")
    assert engine.retry(run.id).result == "tea"


def test_compiled_and_interpreted_do_the_same():
    assert play(collects, [], [None]) == interpret(collects, [], [None])
    assert play(insists, [], [None]) == interpret(insists, [], [None])
