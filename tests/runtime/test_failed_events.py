"""An event whose turn fails is kept, and read again by `retry`."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from longterm import (
    Engine,
    NotSupported,
    RunBusy,
    RunComplete,
    RunNotSuspended,
    RunState,
    UnknownEvent,
    checkpoint,
    deflow,
    suspend,
)
from longterm._turns.claim import Claim
from longterm.cli import main
from longterm.store.memory import MemoryStore
from tests.runtime.test_inbox import holds_what_comes, unread, work

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


# -- discard -------------------------------------------------------------------------------------


@deflow
def waits(expires):
    lock = None if suspend("go", expires=expires) else threading.Lock()
    suspend("more")
    return lock


def test_discarded_event_of_a_failed_run_is_not_read_again(engine):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "numbers", [6])
    engine.send(run.id, "later", 1)

    event = engine.discard_event(run.id, 0)

    assert (event.event_id, event.value) == ("numbers", [6])
    assert engine.get_run(run.id).state is RunState.FAILED
    assert "ZeroDivisionError" in engine.get_run(run.id).error
    assert unread(engine, run) == [("later", 1)]
    assert engine.retry(run.id).waiting_for == "numbers\nmore"


@pytest.mark.parametrize("expires", [None, timedelta(days=2)])
def test_parked_run_goes_on_with_the_next_event_when_one_is_discarded(engine, clock, expires):
    run = engine.start_flow(waits, expires)
    engine.send(run.id, "go", False)
    engine.send(run.id, "go", True)
    assert (work(engine), work(engine)) == (1, 0)
    assert engine.get_run(run.id).error is not None

    assert engine.discard_event(run.id, 1).value is False

    waiting = engine.get_run(run.id)
    assert (waiting.deadline, waiting.error) == (run.deadline, None)
    assert work(engine) == 1
    assert engine.get_run(run.id).waiting_for == "more"


@pytest.mark.parametrize("expires", [None, timedelta(days=2)])
def test_wait_of_a_parked_run_ends_when_it_would_have(engine, clock, expires):
    run = engine.start_flow(waits, expires)
    engine.send(run.id, "go", False)
    work(engine)
    engine.discard_event(run.id, 1)

    clock.advance(timedelta(hours=1))
    assert work(engine) == 0
    clock.advance(timedelta(days=3))
    assert work(engine) == (expires is not None)


def test_what_cannot_be_discarded_is_refused(engine):
    run = engine.start_flow(holds_what_comes)
    engine.send(run.id, "other", 1)

    for number in (0, 2):
        with pytest.raises(UnknownEvent, match=f"no event {number} that is unread"):
            engine.discard_event(run.id, number)
    with Claim(engine._claims) as claim:
        claim.take(run.id, "go")
        with pytest.raises(RunBusy):
            engine.discard_event(run.id, 1)
        claim.release()
    assert engine.get_run(run.id).state is RunState.SUSPENDED
    engine.process_event(run.id, "go", True)
    engine.process_event(run.id, "more")
    with pytest.raises(RunComplete):
        engine.discard_event(run.id, 1)
    assert unread(engine, run) == [("other", 1)]


def test_store_without_an_inbox_says_so():
    class Plain(MemoryStore):
        post = None  # type: ignore[assignment]

    engine = Engine(Plain())
    run = engine.start_flow(holds_what_comes)

    with pytest.raises(NotSupported, match="an inbox"):
        engine.discard_event(run.id, 1)


def test_twin_and_command(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    run = engine.start_flow(holds_what_comes)
    engine.send(run.id, "a", 1)
    engine.send(run.id, "b", 2)

    assert asyncio.run(engine.adiscard_event(run.id, 1)).value == 1
    assert main(["--store", url, "discard", run.id, "2"]) == 0
    assert capsys.readouterr().out == f"event 2 of run {run.id}, 'b', is discarded\n"
    assert main(["--store", url, "discard", run.id, "2"]) == 1
    engine.store.close()
