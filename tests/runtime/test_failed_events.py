"""An event whose turn fails is kept, and read again by `retry`."""

from __future__ import annotations

import asyncio
import threading

import pytest

from longterm import RunNotSuspended, RunState, checkpoint, deflow, suspend, throw  # noqa: F401
from tests.runtime.test_inbox import unread

is_mended = False
seen = []


@deflow
def divides():
    seen.append(suspend("numbers", "more"))
    numbers = seen[-1][1]
    numbers.append(1)
    return numbers[0] / (1 if is_mended else 0), suspend("more")


@deflow
async def divides_async():
    value = await suspend("number")
    return value / (1 if is_mended else 0)


@deflow
def fails_after_a_checkpoint():
    value = suspend("number")
    checkpoint()
    return value / (1 if is_mended else 0)


@pytest.fixture
def engine(every_engine, monkeypatch):
    monkeypatch.setattr(f"{__name__}.is_mended", False)
    seen.clear()
    return every_engine


def mend(monkeypatch):
    monkeypatch.setattr(f"{__name__}.is_mended", True)


def test_event_of_a_failed_turn_is_read_again_by_retry(engine, monkeypatch):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "numbers", [6])

    failed = engine.get_run(run.id)
    assert failed.unread == ("numbers",)
    (event,) = engine.unread_events(run.id)
    assert (event.number, event.value, event.has_own_key) == (0, [6], False)
    assert engine.send(run.id, "more", [5]).number == 1
    with pytest.raises(RunNotSuspended, match="failed"):
        engine.process_event(run.id, "numbers", [6])

    with pytest.raises(ZeroDivisionError):
        engine.retry(run.id)
    assert unread(engine, run) == [("numbers", [6]), ("more", [5])]

    mend(monkeypatch)
    done = engine.retry(run.id)

    assert done.result == (6.0, [5])
    assert [each for each, _ in seen] == ["numbers"] * 3
    assert unread(engine, run) == []
    engine.delete(run.id)


def test_it_is_read_before_what_was_sent_while_its_turn_ran(engine, monkeypatch):
    run = engine.start_flow(divides)

    class Sends(list):
        def append(self, value):
            engine.send(run.id, "more", [7])
            super().append(value)

    monkeypatch.setattr(f"{__name__}.seen", Sends())
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "numbers", [6])
    assert engine.get_run(run.id).unread == ("numbers", "more")
    monkeypatch.setattr(f"{__name__}.seen", [])

    mend(monkeypatch)

    assert engine.retry(run.id).result == (6.0, [7])


def test_its_key_is_taken(engine, monkeypatch):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "numbers", [6], key="k")

    again = engine.process_event(run.id, "numbers", [6], key="k")
    assert (again.is_duplicate, again.state) == (True, RunState.FAILED)
    assert engine.send(run.id, "numbers", [6], key="k").is_duplicate

    mend(monkeypatch)
    assert engine.retry(run.id).waiting_for == "more"
    again = engine.process_event(run.id, "numbers", [6], key="k")
    assert (again.is_duplicate, again.waiting_for) == (True, "more")


def test_async_flow_keeps_its_event(engine, monkeypatch):
    async def main():
        run = await engine.astart_flow(divides_async)
        with pytest.raises(ZeroDivisionError):
            await engine.aprocess_event(run.id, "number", 6)
        with pytest.raises(ZeroDivisionError):
            await engine.aretry(run.id)
        mend(monkeypatch)
        return await engine.aretry(run.id)

    assert asyncio.run(main()).result == 6.0


def test_event_that_cannot_be_stored_must_come_again(engine, monkeypatch):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "numbers", [6, threading.Lock()], key="k")
    assert engine.get_run(run.id).unread == ()

    assert engine.retry(run.id).state is RunState.SUSPENDED

    mend(monkeypatch)
    assert engine.process_event(run.id, "numbers", [6], key="k").waiting_for == "more"


def test_turn_that_fails_after_a_checkpoint_has_read_its_event(engine, monkeypatch):
    run = engine.start_flow(fails_after_a_checkpoint)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "number", 6, key="k")
    assert engine.get_run(run.id).unread == ()

    mend(monkeypatch)
    assert engine.retry(run.id).result == 6.0
