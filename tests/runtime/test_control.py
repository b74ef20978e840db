"""Cancel and throw for runs in the middle of a turn, and the ends of cancelled runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from longterm import (
    Cancelled,
    CannotStore,
    Engine,
    RunComplete,
    RunNotSuspended,
    RunState,
    UnknownRun,
    checkpoint,
    current_run,
    deflow,
    sleep,
    suspend,
)
from longterm._codec import encode
from longterm.frame import Frame
from longterm.store.memory import MemoryStore
from longterm.unread import inbox_context
from tests.runtime.test_inbox import unread, work

seen: list[Any] = []


def during_the_turn() -> None:
    """Stand for what happens meanwhile, until a test puts it here."""


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


@deflow
def cleans_up(*names):
    try:
        for name in names:
            seen.append((name, suspend(name)))
            during_the_turn()
        return "done"
    finally:
        seen.append("clean")


@deflow
def waits_in_finally():
    try:
        suspend("go")
    finally:
        seen.append(suspend("cleaned"))


@deflow
def catches():
    caught = []
    while len(caught) < 2:
        try:
            caught.append(suspend("go", "stop"))
            during_the_turn()
        except (Cancelled, ValueError) as error:
            caught.append(repr(error))
    return caught


@deflow
def naps():
    suspend("go")
    during_the_turn()
    sleep(timedelta(days=1))


@deflow
def goes_on_after(wait):
    try:
        suspend("go")
        during_the_turn()
        if wait == "checkpoint":
            checkpoint()
        else:
            suspend("more", expires=timedelta(0), default=None)
        seen.append("went on")
        suspend("again")
    finally:
        seen.append("clean")


@deflow
def first_turn():
    seen.append("begun")
    during_the_turn()
    return suspend("go")


@deflow
async def cleans_up_async():
    try:
        await suspend("go")
        during_the_turn()
        await suspend("more")
    finally:
        seen.append("clean")


@pytest.fixture
def engine(every_engine):
    return every_engine


def meanwhile(monkeypatch, step: Callable[[], Any]) -> None:
    """Take a step once, in the middle of the next turn."""

    def take() -> None:
        monkeypatch.setattr(f"{__name__}.during_the_turn", lambda: None)
        seen.append(step())

    monkeypatch.setattr(f"{__name__}.during_the_turn", take)


def test_cancel_in_the_middle_of_a_turn_is_read_at_its_next_wait(engine, monkeypatch):
    run = engine.start_flow(cleans_up, "a", "b")
    engine.send(run.id, "b", "too late")
    meanwhile(monkeypatch, lambda: engine.cancel(run.id))

    done = engine.process_event(run.id, "a")

    (_, during, _) = seen
    assert (during.state, during.unread) == (RunState.RUNNING, ("b", "longterm.cancel"))
    assert (done.state, done.unread) == (RunState.CANCELLED, ("b",))
    assert seen == [("a", None), during, "clean"]


def test_throw_in_the_middle_of_a_turn_is_read_at_its_next_wait(engine, monkeypatch):
    run = engine.start_flow(catches)

    def meanwhile_twice():
        engine.send(run.id, "stop", "too late")
        return engine.throw(run.id, ValueError("now"))

    meanwhile(monkeypatch, meanwhile_twice)

    done = engine.process_event(run.id, "go", 1)

    assert done.result == [("go", 1), "ValueError('now')"]
    assert unread(engine, run) == [("stop", "too late")]


def test_throw_that_the_flow_lets_out_fails_the_run_and_is_read_once(engine, monkeypatch):
    run = engine.start_flow(cleans_up, "a", "b")
    meanwhile(monkeypatch, lambda: engine.throw(run.id, ValueError("now")))

    failed = engine.process_event(run.id, "a")

    assert (failed.state, failed.unread) == (RunState.FAILED, ())
    assert "ValueError: now" in failed.error
    assert engine.retry(run.id).waiting_for == "b"


def test_cancel_in_the_middle_of_a_turn_ends_a_sleep(engine, monkeypatch):
    run = engine.start_flow(naps)
    meanwhile(monkeypatch, lambda: engine.cancel(run.id))

    assert engine.process_event(run.id, "go").state is RunState.CANCELLED


@pytest.mark.parametrize("wait", ["checkpoint", "poll"])
def test_cancel_in_the_middle_of_a_turn_is_read_where_a_wait_ends_at_once(
    engine, monkeypatch, wait
):
    run = engine.start_flow(goes_on_after, wait)
    engine.send(run.id, "more", 1)
    meanwhile(monkeypatch, lambda: engine.cancel(run.id))

    done = engine.process_event(run.id, "go")

    assert (done.state, done.unread) == (RunState.CANCELLED, ("more",))
    assert seen[1:] == ["clean"]


def test_cancels_that_are_unread_together_are_one(engine):
    run = engine.start_flow(catches)
    # As two do that look at the same moment, and see none unread.
    for key in ("k", "l"):
        assert engine._sending.send_error(run.id, ValueError(key), key).number
        inbox = engine.store
        cancel = replace(inbox.unread(run.id)[-1], event_id="longterm.cancel", key=f"{key} again")
        context = inbox_context(run.id, cancel.event_id)
        cancel = replace(cancel, encoded_value=encode(Cancelled(run.id), context))
        assert inbox.post(cancel, limit=9)

    assert work(engine) == 2

    done = engine.get_run(run.id)
    assert (done.state, done.unread) == (RunState.COMPLETE, ("longterm.throw",))


def test_second_cancel_of_a_run_that_has_one_unread_is_none(engine, monkeypatch):
    run = engine.start_flow(catches)
    meanwhile(monkeypatch, lambda: [engine.cancel(run.id), engine.cancel(run.id)])

    alive = engine.process_event(run.id, "stop", 1)

    assert [each.unread for each in seen[0]] == [("longterm.cancel",)] * 2
    assert alive.result[1] == f"Cancelled(\"run '{run.id}' was cancelled\")"


def test_flow_that_catches_a_cancel_can_be_cancelled_again(engine):
    run = engine.start_flow(catches)

    assert engine.cancel(run.id).state is RunState.SUSPENDED
    assert len(engine.cancel(run.id).result) == 2


def test_cancel_of_a_turn_that_ends_the_run_stays_unread(engine, monkeypatch):
    run = engine.start_flow(cleans_up, "a")
    meanwhile(monkeypatch, lambda: engine.cancel(run.id))

    done = engine.process_event(run.id, "a")

    assert (done.state, done.result) == (RunState.COMPLETE, "done")
    assert [name for name, _ in unread(engine, run)] == ["longterm.cancel"]
    with pytest.raises(RunComplete):
        engine.cancel(run.id)


def test_cancel_of_a_turn_that_fails_is_read_by_retry(engine, monkeypatch):
    run = engine.start_flow(divides_meanwhile)
    meanwhile(monkeypatch, lambda: engine.cancel(run.id))

    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0)

    assert "longterm.cancel" in engine.get_run(run.id).unread
    with pytest.raises(RunNotSuspended, match="failed"):
        engine.cancel(run.id)
    assert engine.retry(run.id).state is RunState.CANCELLED


@deflow
def divides_meanwhile():
    divisor = suspend("divisor")
    during_the_turn()
    return 1 / divisor


def test_start_that_fails_and_was_cancelled_does_not_begin_again(engine, monkeypatch):
    meanwhile(monkeypatch, lambda: engine.cancel(current_run().id) and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.start_flow(first_turn)
    (run,) = engine.find_runs()

    assert engine.retry(run.id).state is RunState.CANCELLED
    assert seen == ["begun"]


def test_start_that_was_not_begun_is_cancelled_without_its_first_line(engine):
    run = replace(engine.start_flow(cleans_up, "a"), id="dead")
    run = run.changed(state=RunState.SUSPENDED, waiting_for="longterm.start", deadline=None)
    engine.store.create(run.changed(stack=encode_call(run.id)))

    assert engine._sending.send_cancel("dead").number == 1

    assert work(engine) == 1
    assert engine.get_run("dead").state is RunState.CANCELLED
    assert seen == []


def encode_call(run_id):
    frame = Frame(f"{__name__}:first_turn", "", 0, 0, {"function": None, "args": (), "kwargs": {}})
    return encode([frame], ("stack", run_id, 1, "longterm.start"))


@pytest.mark.parametrize("flow", [cleans_up, naps, catches])
def test_worker_reads_the_cancel_of_a_run_whatever_it_waits_for(engine, flow):
    run = engine.start_flow(flow, *["a"] * (flow is cleans_up))
    if flow is naps:
        run = engine.process_event(run.id, "go")
    engine._sending.send_cancel(run.id)
    assert engine.get_run(run.id).state is RunState.SUSPENDED

    assert work(engine) == 1

    assert engine.get_run(run.id).unread == ()
    assert engine.get_run(run.id).turn == run.turn + 1


def test_cancel_with_a_key_is_known_though_another_was_unread(engine):
    run = engine.start_flow(catches)
    engine._sending.send_cancel(run.id)
    assert not engine._sending.send_cancel(run.id, "k").is_duplicate
    work(engine)
    assert engine.get_run(run.id).unread == ()

    assert engine._sending.send_cancel(run.id, "k").is_duplicate
    assert engine.get_run(run.id).unread == ()


def test_cancel_with_a_key_has_its_effect_once(engine):
    run = engine.start_flow(catches)
    engine._sending.send_cancel(run.id, "k")
    work(engine)

    assert engine._sending.send_cancel(run.id, "k").is_duplicate
    assert engine.get_run(run.id).unread == ()


def test_run_that_waits_in_finally_ends_cancelled(engine):
    run = engine.start_flow(waits_in_finally)
    assert engine.cancel(run.id).waiting_for == "cleaned"

    done = engine.process_event(run.id, "cleaned", "yes")

    assert (done.state, seen) == (RunState.CANCELLED, ["yes"])


def test_what_cannot_be_kept_is_refused_and_nothing_kept(engine, monkeypatch):
    run = engine.start_flow(cleans_up, "a", "b")
    refused = []

    def throw() -> None:
        for error in (ValueError(threading.Lock()), SystemExit()):
            with pytest.raises(CannotStore) as caught:
                engine.throw(run.id, error)
            refused.append(str(caught.value))

    meanwhile(monkeypatch, throw)

    assert engine.process_event(run.id, "a").waiting_for == "b"
    assert engine.get_run(run.id).unread == ()
    assert "lock" in refused[0]
    assert "SystemExit" in refused[1]


def test_store_without_an_inbox_refuses_a_run_in_a_turn(clock, monkeypatch):
    class Plain(MemoryStore):
        post = None  # type: ignore[assignment]

    engine = Engine(Plain(), clock=clock)
    run = engine.start_flow(cleans_up, "a", "b")

    def interrupt() -> None:
        for step in (engine.cancel, lambda run_id: engine.throw(run_id, ValueError())):
            with pytest.raises(RunNotSuspended, match="under way"):
                step(run.id)

    meanwhile(monkeypatch, interrupt)

    assert engine.process_event(run.id, "a").waiting_for == "b"
    with pytest.raises(UnknownRun):
        engine.cancel("unknown")
