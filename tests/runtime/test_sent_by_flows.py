"""What a flow sends and starts: with its turn, and delivered after it is saved."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest

import longterm
from longterm import (
    CannotStore,
    Engine,
    EventTooLarge,
    InboxFull,
    InvalidEventId,
    NotSupported,
    RunState,
    StoreError,
    WrongEvent,
    asend,
    astart_flow,
    checkpoint,
    deflow,
    send,
    spawn,
    start_flow,
    suspend,
)
from longterm.store.memory import MemoryStore
from longterm.worker import Worker

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@deflow
def inbox():
    return [suspend("letter"), suspend("letter")]


@deflow
def reads_on(most):
    found = []
    while len(found) < most:
        found.append(suspend("letter"))
    return found


@deflow
def writes(run_id, *texts, key=None):
    return [send(run_id, "letter", text, key=key) for text in texts]


@deflow
async def writes_async(run_id, text):
    await asyncio.sleep(0)
    begun = await astart_flow(reads_on, 1)
    await asend(begun.id, "letter", text)
    return await asend(run_id, "letter", text)


@deflow
def begins(text):
    run = start_flow(reads_on, 1)
    send(run.id, "letter", text)
    return run.id, run.state


@deflow
def writes_and_fails(run_id):
    send(run_id, "letter", "never")
    raise OSError("on fire")


@deflow
def writes_and_cannot_wait(run_id):
    send(run_id, "letter", "never")
    suspend("letter", default=None, expires=DAY) if plain() else None


def plain():
    return suspend("letter")


@deflow
def writes_before_and_after(run_id):
    send(run_id, "letter", "before")
    checkpoint()
    send(run_id, "letter", "after")


@deflow
def ping(most):
    other = start_flow(pong, longterm.current_run().id)
    for number in range(most):
        send(other.id, "ball", number)
        suspend("ball")
    send(other.id, "ball", None)
    return "over"


@deflow
def pong(run_id):
    count = 0
    while suspend("ball") is not None:
        count += 1
        send(run_id, "ball")
    return count


@deflow
def sends_wrongly(name, value):
    send("x", name, value)


def test_it_reaches_the_other_run_before_the_call_returns(engine):
    other = engine.start_flow(inbox)

    run = engine.start_flow(writes, other.id, "one", "two")

    assert engine.get_run(other.id).result == ["one", "two"]
    assert [receipt.run_id for receipt in run.result] == [other.id] * 2


def test_it_belongs_to_the_engine_of_the_run_and_not_to_the_default_one(engine, monkeypatch):
    def refuse():
        raise AssertionError("the default engine was asked")

    monkeypatch.setattr(longterm._api, "default_engine", refuse)
    other = engine.start_flow(inbox)

    engine.start_flow(writes, other.id, "one", "two")

    assert engine.get_run(other.id).state is RunState.COMPLETE


def test_a_run_is_begun_and_sent_something(engine):
    run_id, state = engine.start_flow(begins, "hello").result

    begun = engine.get_run(run_id)
    assert (state, begun.result, begun.parent) == (RunState.SUSPENDED, ["hello"], None)


def test_async_flows_send_too(engine):
    other = engine.start_flow(reads_on, 1)

    asyncio.run(engine.astart_flow(writes_async, other.id, "one"))

    assert engine.get_run(other.id).result == ["one"]
    assert [run.result for run in engine.find_runs(flow=reads_on)] == [["one"]] * 2


@pytest.mark.parametrize("flow", [writes_and_fails, writes_and_cannot_wait])
def test_a_turn_that_is_not_saved_sends_nothing(engine, flow):
    other = engine.start_flow(inbox)

    with pytest.raises((OSError, longterm.CannotSuspend)):
        engine.start_flow(flow, other.id)

    assert engine.get_run(other.id).unread == ()
    assert engine.get_run(other.id).state is RunState.SUSPENDED


def test_a_checkpoint_saves_what_was_sent(engine):
    other = engine.start_flow(inbox)

    engine.start_flow(writes_before_and_after, other.id)

    assert engine.get_run(other.id).result == ["before", "after"]


def test_a_key_counts(engine):
    other = engine.start_flow(reads_on, 2)

    engine.start_flow(writes, other.id, "one", key="k")
    engine.start_flow(writes, other.id, "one", key="k")

    assert engine.get_run(other.id).waiting_for == "letter"
    assert engine.send(other.id, "letter", "one", key="k").is_duplicate


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("run:x", 1, InvalidEventId),
        ("", 1, InvalidEventId),
        ("letter", __import__("threading").Lock(), CannotStore),
        ("letter", "x" * 2000, EventTooLarge),
    ],
)
def test_what_cannot_be_sent_is_refused_at_the_call(name, value, error):
    engine = Engine("memory://", max_event_bytes=1000)

    with pytest.raises(error):
        engine.start_flow(sends_wrongly, name, value)


def test_a_receiver_that_is_not_there_is_logged_and_given_up_after_an_hour(engine, clock, caplog):
    run = engine.start_flow(writes, "nobody", "one")
    for _ in range(25):
        clock.advance(timedelta(minutes=6))
        engine.run_pending()

    assert run.state is RunState.COMPLETE
    assert "its message to run nobody cannot be delivered now (UnknownRun)" in caplog.text
    assert "its message to run nobody came to nothing: UnknownRun" in caplog.text
    later = clock.now() + timedelta(days=9)
    assert engine.store.claim_outgoing(now=later, until=later, limit=9) == []


def test_a_resting_worker_tries_again_however_long_its_poll(each_engine, monkeypatch):
    monkeypatch.setattr("longterm._turns.delivering._SHORTEST", timedelta(milliseconds=50))
    store = each_engine.store
    engine = Engine(store)  # with a clock that goes
    waits = Event()
    put_off = store.put_off

    def note(*args, **kwargs):
        waits.set()
        return put_off(*args, **kwargs)

    monkeypatch.setattr(store, "put_off", note)
    engine.start(writes, ("late", "hello"), at=engine.clock.now())
    worker = Worker(engine, poll=timedelta(minutes=5))
    thread = Thread(target=worker.run, daemon=True)
    thread.start()
    assert waits.wait(20)

    engine.start(reads_on, (1,), id="late")

    until = monotonic() + 20
    while engine.get_run("late").state is not RunState.COMPLETE:
        assert monotonic() < until, "the worker overslept"
        sleep(0.01)
    worker.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_full_inbox_is_tried_again_later(clock, caplog):
    engine = Engine("memory://", clock=clock, max_unread=2, inline=False)
    other = engine.start_flow(reads_on, 3)
    caplog.set_level(logging.WARNING, "longterm")

    engine.start_flow(writes, other.id, "one", "two", "three")
    assert engine.get_run(other.id).unread == ("letter", "letter")
    assert InboxFull.__name__ in caplog.text
    assert engine.run_pending() == 2
    clock.advance(2 * MINUTE)
    while engine.run_pending():
        pass

    assert engine.get_run(other.id).result == ["one", "two", "three"]


def test_two_runs_play_for_long(engine):
    run = engine.start_flow(ping, 50)

    assert run.result == "over"
    (other,) = engine.find_runs(flow=pong)
    assert other.result == 50


def test_an_endless_game_is_left_to_workers_some_time(engine, monkeypatch):
    monkeypatch.setattr(longterm._turns.going_on, "MOST_TURNS", 20)

    run = engine.start_flow(ping, 50)
    assert run.state is RunState.SUSPENDED
    while engine.run_pending():
        pass

    assert engine.get_run(run.id).result == "over"


def test_a_method_of_an_engine_acts_at_once():
    engine = Engine("memory://")
    seen: list[Any] = []

    @deflow
    def impatient():
        seen.append(engine.start_flow(writes, "nobody").state)

    engine.start_flow(impatient)

    assert seen == [RunState.COMPLETE]


class FourMethods:
    def __init__(self):
        store = MemoryStore()
        self.create, self.get = store.create, store.get
        self.unsuspend, self.update = store.unsuspend, store.update


def test_a_store_without_an_outbox_says_so_at_the_call():
    engine = Engine(FourMethods())

    with pytest.raises(NotSupported, match="an outbox"):
        engine.start_flow(writes, "nobody", "one")


def test_a_key_that_is_used_for_something_else_holds_up_nothing(engine, caplog):
    @deflow
    def writes_twice(run_id):
        send(run_id, "letter", "one", key="k")
        send(run_id, "letter", "two", key="k")
        send(run_id, "letter", "three")

    other = engine.start_flow(inbox)
    engine.start_flow(writes_twice, other.id)

    assert engine.get_run(other.id).result == ["one", "three"]
    assert "came to nothing: KeyReused" in caplog.text
    later = engine.clock.now() + DAY
    assert engine.store.claim_outgoing(now=later, until=later, limit=9) == []


@deflow
def forwards(run_id):
    send(run_id, "letter", suspend("first"))
    return suspend("second")


@pytest.mark.parametrize("is_async", [False, True])
def test_what_an_earlier_event_has_sent_is_delivered_with_the_event_that_comes(engine, is_async):
    other = engine.start_flow(reads_on, 1)
    run = engine.start_flow(forwards, other.id)
    engine.send(run.id, "first", "hello")

    if is_async:
        asyncio.run(engine.aprocess_event(run.id, "second", 2))
    else:
        engine.process_event(run.id, "second", 2)

    assert engine.get_run(other.id).result == ["hello"]


@pytest.mark.parametrize("is_async", [False, True])
def test_what_an_earlier_event_has_sent_is_delivered_though_the_event_that_comes_is_refused(
    engine, is_async
):
    other = engine.start_flow(reads_on, 1)
    run = engine.start_flow(forwards, other.id)
    engine.send(run.id, "first", "hello")

    if is_async:
        with pytest.raises(WrongEvent):
            asyncio.run(engine.aprocess_event(run.id, "third", 3))
    else:
        with pytest.raises(WrongEvent):
            engine.process_event(run.id, "third", 3)

    assert engine.get_run(other.id).result == ["hello"]
    assert engine.get_run(run.id).waiting_for == "second"


def test_the_messages_of_a_turn_keep_their_order_though_they_are_many(engine, clock, monkeypatch):
    post, faults = engine.store.post, [StoreError("no")] * 2  # of its own process, and of a worker

    def fails(*args, **kwargs):
        if faults:
            raise faults.pop()
        return post(*args, **kwargs)

    other = engine.start_flow(reads_on, 120)
    monkeypatch.setattr(engine.store, "post", fails)
    engine.start_flow(writes, other.id, *range(120))
    for _ in range(3):
        clock.advance(MINUTE)
        engine.run_pending()

    assert engine.get_run(other.id).result == list(range(120))


@deflow
def spawns():
    return suspend(spawn(inbox))


def test_a_child_that_begins_late_is_cancelled_with_its_parent(engine, clock, monkeypatch):
    update = engine.store.update

    def saves_without_an_answer(run):
        update(run)
        raise StoreError("no answer")

    monkeypatch.setattr(engine.store, "update", saves_without_an_answer)
    with pytest.raises(StoreError):
        engine.start_flow(spawns)
    monkeypatch.undo()
    (parent,) = engine.find_runs()
    engine.cancel(parent.id)
    # Nobody looks for so long that the cancel, which is due first, is old.
    clock.advance(timedelta(hours=2))
    for _ in range(3):
        engine.run_pending()
        clock.advance(timedelta(hours=2))

    assert [run.state for run in engine.find_runs()] == [RunState.CANCELLED] * 2
