"""Waits that end by themselves, claims that run out, deliveries that come twice, facts."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from longterm import (
    CannotStore,
    Engine,
    Expired,
    InvalidDeadline,
    InvalidFact,
    RunNotFailed,
    RunNotSuspended,
    RunState,
    deflow,
    respond,
    set_index,
    suspend,
)
from longterm._flows import registry
from longterm._turns.claim import Claim
from longterm.testing import EXPIRE, FakeClock, interpret, play

DAY = timedelta(days=1)


@deflow
def with_default(x):
    fallback = [x]
    answer = suspend("answer", expires=3 * DAY, default=fallback)
    return answer, answer is fallback


@deflow
def without_default():
    try:
        return suspend("answer", expires=DAY)
    except Expired as error:
        return f"gave up: {error.event_id}", suspend("after")


@deflow
def until(moment):
    return suspend("answer", expires=moment, default="late")


@deflow
def has_one_inside(moment):
    @deflow
    def inside(moment):
        return suspend("answer", expires=moment, default="late") + " inside"

    suspend("inside")
    return inside


@deflow
async def until_async(moment):
    await asyncio.sleep(0)
    answer = suspend("answer", expires=moment, default="late")
    await asyncio.sleep(0)
    return [answer, "awaited"]


tries = []


@deflow
async def fails_once_async():
    tries.append(1)
    if len(tries) == 1:
        raise OSError("not yet")
    return suspend("go")


@deflow
def bad_wait(expires, default):
    return suspend("answer", expires=expires, default=default)


@deflow
def indexed(patient):
    set_index(patient=patient, urgent=False)
    ward = suspend("ward")
    set_index(ward=ward, urgent=True)
    suspend("more")


@deflow
def bad_fact(value):
    set_index(patient=value)


@deflow
def counts():
    total = 0
    while total < 10:
        total += suspend("number")
        respond(total)
    return total


@deflow
def fails_once(fails):
    if fails:
        raise ValueError("at first")
    return suspend("go")


@deflow
def divides():
    return 1 / suspend("divisor")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine("memory://", clock=clock)


def test_deadline_is_stored_with_the_run(engine, clock):
    run = engine.start_flow(with_default, 1)

    assert run.deadline == clock.now() + 3 * DAY
    assert run.created_at == run.updated_at == clock.now()
    assert engine.process_event(run.id, "answer", 5).deadline is None


def test_event_before_the_deadline_wins(engine):
    run = engine.start_flow(with_default, 1)

    assert engine.process_event(run.id, "answer", 5).result == (5, False)


def test_default_keeps_its_identity(engine):
    run = engine.start_flow(with_default, 1)

    assert engine.expire(run.id).result == ([1], True)


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [(with_default, [1], [EXPIRE]), (without_default, [], [EXPIRE, 2]), (without_default, [], [1])],
)
def test_expiry_is_the_same_uncompiled(flow, args, events):
    played = play(flow, args, events)

    assert played.error is None
    assert played == interpret(flow, args, events)


def test_aware_moment_ends_a_wait(engine):
    moment = datetime(2026, 3, 1, tzinfo=UTC)

    assert engine.start_flow(until, moment).deadline == moment


@pytest.mark.parametrize(
    ("expires", "default", "words"),
    [
        (datetime(2026, 3, 1), 1, "no time zone"),
        (30, 1, "neither a moment nor a length of time"),
        (None, 1, "a default needs a moment"),
    ],
)
def test_wait_that_makes_no_sense_is_refused(engine, expires, default, words):
    with pytest.raises(InvalidDeadline, match=words):
        engine.start_flow(bad_wait, expires, default)


def test_due_runs_are_claimed_in_order(engine, clock):
    runs = [engine.start_flow(until, clock.now() + days * DAY) for days in (3, 1, 2, 9)]
    clock.advance(3 * DAY)

    due = engine.store.claim_due(now=clock.now(), until=clock.now() + DAY, limit=2)

    assert [each.id for each in due] == [runs[1].id, runs[2].id]
    assert all(each.state is RunState.RUNNING for each in due)


def test_facts_are_saved_with_the_turn_and_kept(engine):
    run = engine.start_flow(indexed, 4711)
    assert dict(run.index) == {"patient": 4711, "urgent": False}

    run = engine.process_event(run.id, "ward", "B")

    assert dict(run.index) == {"patient": 4711, "urgent": True, "ward": "B"}


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", object()])
def test_fact_that_cannot_be_searched_for_is_refused(engine, value):
    with pytest.raises(InvalidFact, match="the fact patient="):
        engine.start_flow(bad_fact, value)


def test_same_delivery_twice_is_one_turn(engine):
    run = engine.start_flow(counts)

    first = engine.process_event(run.id, "number", 3, key="click-1")
    again = engine.process_event(run.id, "number", 3, key="click-1")

    assert (again.state, again.response) == (first.state, [3])
    assert engine.process_event(run.id, "number", 4, key="click-2").response == [7]


@deflow
def cannot_wait_for(text):
    total = int(suspend("number"))
    lock = threading.Lock() if total > 5 else None
    suspend("more")
    return total, lock


def test_refused_delivery_may_come_again_under_its_key(engine):
    run = engine.start_flow(cannot_wait_for, "x")
    with pytest.raises(CannotStore):
        engine.process_event(run.id, "number", 9, key="click")
    assert engine.get_run(run.id).delivery is None

    again = engine.process_event(run.id, "number", 3, key="click")

    assert (again.waiting_for, again.delivery) == ("more", "click")


def test_failed_delivery_is_remembered(engine):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="click")

    assert engine.process_event(run.id, "divisor", 0, key="click").state is RunState.FAILED


def test_same_delivery_after_the_end_returns_the_result(engine):
    run = engine.start_flow(counts)
    engine.process_event(run.id, "number", 30, key="click-1")

    again = engine.process_event(run.id, "number", 30, key="click-1")

    assert (again.state, again.result) == (RunState.COMPLETE, 30)


def test_claim_of_a_dead_process_runs_out(engine, clock):
    run = engine.start_flow(counts)
    dead = Engine(engine.store, clock=clock, lease=timedelta(seconds=30))
    Claim(dead._claims).take(run.id, "number")

    with pytest.raises(RunNotSuspended, match="another turn is under way"):
        engine.process_event(run.id, "number", 5)
    clock.advance(timedelta(seconds=31))

    assert engine.process_event(run.id, "number", 5).response == [5]


def test_renewed_claim_does_not_run_out(engine, clock):
    run = engine.start_flow(counts)
    slow = Engine(engine.store, clock=clock, lease=timedelta(seconds=30))
    claim = Claim(slow._claims)
    claim.take(run.id, "number")
    clock.advance(timedelta(seconds=20))
    slow._claims.keeper.renew()
    clock.advance(timedelta(seconds=20))

    with pytest.raises(RunNotSuspended):
        engine.process_event(run.id, "number", 5)


def test_run_that_dies_again_and_again_is_parked_and_can_be_retried(engine, clock):
    run = engine.start_flow(counts)
    for _ in range(3):
        Claim(engine._claims).take(run.id, "number")
        clock.advance(timedelta(minutes=2))
        (left,) = engine.store.release_stale(now=clock.now(), max_attempts=3)
    assert left.state is RunState.FAILED
    assert "3 turns in a row died" in left.error

    retried = engine.retry(run.id)

    assert (retried.state, retried.error, retried.attempts) == (RunState.SUSPENDED, None, 0)
    assert engine.process_event(run.id, "number", 5).response == [5]


def test_failed_start_is_started_again(engine, monkeypatch):
    with pytest.raises(ValueError, match="at first"):
        engine.start_flow(fails_once, True)
    (run_id,) = engine.store._runs

    with pytest.raises(ValueError, match="at first"):
        engine.retry(run_id)

    assert engine.get_run(run_id).state is RunState.FAILED


def test_run_that_has_not_failed_cannot_be_retried(engine):
    run = engine.start_flow(counts)

    with pytest.raises(RunNotFailed, match="nothing to retry"):
        engine.retry(run.id)


def test_due_run_of_a_flow_that_is_not_here_is_left_alone(engine, clock, monkeypatch):
    run = engine.start_flow(until, clock.now() + DAY)
    clock.advance(DAY)
    with monkeypatch.context() as here:
        here.delitem(registry._flows, run.flow)
        here.delitem(globals(), "until")
        here.setattr(registry, "_kept", ((0, 0), {}))
        assert engine.run_pending() == 0
    assert engine.get_run(run.id) == run

    assert engine.run_pending() == 1  # its module was imported meanwhile

    assert engine.get_run(run.id).result == "late"


def test_due_run_of_a_flow_inside_another_is_found_before_that_has_run(engine, clock, monkeypatch):
    run = engine.start_flow(has_one_inside, clock.now() + DAY)
    inner = engine.process_event(run.id, "inside").result
    run = engine.start_flow(inner, clock.now() + DAY)
    assert run.flow == f"{__name__}:has_one_inside.<locals>.inside"
    clock.advance(DAY)
    monkeypatch.delitem(registry._flows, run.flow)

    assert engine.run_pending() == 1

    assert engine.get_run(run.id).result == "late inside"


def test_wait_of_an_async_flow_ends_by_itself(engine, clock):
    run = asyncio.run(engine.astart_flow(until_async, clock.now() + DAY))
    clock.advance(DAY)

    assert engine.run_pending() == 1

    done = engine.get_run(run.id)
    assert (done.state, done.result) == (RunState.COMPLETE, ["late", "awaited"])


def test_async_flow_can_be_expired_and_retried(engine):
    async def main():
        run = await engine.astart_flow(until_async, engine.clock.now() + DAY)
        run = await engine.aexpire(run.id)
        assert run.result == ["late", "awaited"]
        run = await engine.astart_flow(until_async, engine.clock.now() + DAY)
        with pytest.raises(ZeroDivisionError):
            await engine.athrow(run.id, ZeroDivisionError())
        run = await engine.aretry(run.id)
        assert (run.state, run.waiting_for, run.error) == (RunState.SUSPENDED, "answer", None)
        return await engine.aprocess_event(run.id, "answer", "now")

    assert asyncio.run(main()).result == ["now", "awaited"]


def test_async_flow_that_failed_in_its_first_turn_is_started_again(engine):
    tries.clear()

    async def main():
        with pytest.raises(OSError, match="not yet"):
            await engine.astart_flow(fails_once_async)
        (failed,) = engine.find_runs(state="failed")
        return await engine.aretry(failed.id)

    assert asyncio.run(main()).waiting_for == "go"


def test_worker_that_is_stopped_lets_go_of_the_rest(engine, clock):
    runs = [engine.start_flow(until, clock.now() + DAY) for _ in range(3)]
    clock.advance(DAY)
    asked = iter([False, True, True])

    engine.run_pending(is_stopped=lambda: next(asked))

    states = sorted(engine.get_run(each.id).state for each in runs)
    assert states == ["complete", "suspended", "suspended"]


def test_failure_says_how_long_the_run_had_waited(engine, clock):
    run = engine.start_flow(divides)
    clock.advance(92 * DAY)

    with pytest.raises(ZeroDivisionError) as caught:
        engine.process_event(run.id, "divisor", 0)

    line = divides.__code__.co_firstlineno + 2
    assert any(
        f"suspended 92 days at {__name__}.divides, line {line}" in each
        for each in caught.value.__notes__
    )
