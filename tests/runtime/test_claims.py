"""Claims that cannot be taken, renewed or given back: no run stays held, and each is told once."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest

from longterm import (
    Engine,
    RunNotSuspended,
    RunState,
    StoreError,
    TooManyAttempts,
    deflow,
    suspend,
)
from longterm._turns import transitions
from longterm._turns.claim import Claim
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from longterm.worker import Worker


@deflow
def asks():
    first = suspend("first")
    second = suspend("second")
    return first, second


class Faulty(MemoryStore):
    """A store whose next call of a method raises, before or after it does its work."""

    fault = None

    def _call(self, name, *args, **moments):
        fault, self.fault = self.fault, None
        is_hit = fault is not None and fault[0] == name
        if fault is not None and not is_hit:
            self.fault = fault
        if is_hit and fault[1] == "before":
            raise fault[2]
        done = getattr(MemoryStore, name)(self, *args, **moments)
        if is_hit:
            raise fault[2]
        return done

    def claim(self, run_id, event_id, **moments):
        return self._call("claim", run_id, event_id, **moments)

    def revive(self, run_id, **moments):
        return self._call("revive", run_id, **moments)

    def update(self, run):
        return self._call("update", run)

    def renew(self, run_id, turn, **moments):
        return self._call("renew", run_id, turn, **moments)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine(Faulty(), clock=clock)


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "longterm")
    return lambda: caplog.messages


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("method", ["claim", "update"])
def test_turn_that_is_cut_off_in_the_store_gives_the_run_back(engine, method, moment, error):
    run = engine.start_flow(asks)
    engine.store.fault = (method, moment, error)

    with pytest.raises(type(error)):
        engine.process_event(run.id, "first", 1)

    is_saved = method == "update" and moment == "after"
    stored = engine.get_run(run.id)
    assert (stored.state, stored.waiting_for) == (
        RunState.SUSPENDED,
        "second" if is_saved else "first",
    )
    assert not engine._claims.keeper._held
    engine.process_event(run.id, stored.waiting_for, 2)


def test_memory_error_while_a_turn_is_written_down_gives_the_run_back(engine, monkeypatch):
    run = engine.start_flow(asks)

    def encode(*what):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(transitions, "encode", encode)
        with pytest.raises(MemoryError):
            engine.process_event(run.id, "first", 1)

    assert engine.process_event(run.id, "first", 1).waiting_for == "second"


def test_interrupted_claim_of_another_caller_is_left_alone(engine):
    run = engine.start_flow(asks)
    other = Claim(engine._claims)
    other.take(run.id, "first")
    engine.clock.advance(timedelta(seconds=1))
    engine.store.fault = ("claim", "before", KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        engine.process_event(run.id, "first", 1)

    assert engine.get_run(run.id) == other.run


def test_claim_holds_though_no_thread_can_be_started_to_renew_it(engine, monkeypatch, warnings):
    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        run = engine.start_flow(asks)
        engine.process_event(run.id, "first", 1)
        other = engine.start_flow(asks)
        assert engine.process_event(other.id, "first", 1).waiting_for == "second"
    assert warnings() == [
        "claims are not renewed for now (RuntimeError: can't start new thread); "
        "a turn of more than 60 s may be taken up by another process"
    ]

    assert engine.process_event(run.id, "second", 2).state is RunState.COMPLETE
    assert any(thread.name == "longterm-leases" for thread in threading.enumerate())


def test_renewal_that_fails_is_told_and_tried_again(engine, clock, warnings):
    run = engine.start_flow(asks)
    claim = Claim(engine._claims)
    claim.take(run.id, "first")
    engine.store.fault = ("renew", "before", StoreError("out of reach"))
    clock.advance(timedelta(seconds=20))

    engine._claims.keeper.renew()

    (warning,) = warnings()
    assert "cannot renew 1 of 1 claims (StoreError)" in warning
    engine._claims.keeper.renew()
    assert engine.get_run(run.id).claimed_until == clock.now() + timedelta(minutes=1)
    assert len(warnings()) == 1


def test_claim_that_was_lost_is_told(engine, clock, warnings):
    run = engine.start_flow(asks)
    claim = Claim(engine._claims)
    claim.take(run.id, "first")
    clock.advance(timedelta(minutes=2))
    engine.release_stale()

    engine._claims.keeper.renew()
    engine._claims.keeper.renew()

    (warning,) = warnings()
    assert warning.startswith(f"run {run.id}: the claim for turn 2 was lost")


def test_claim_that_nobody_has_in_hand_is_not_renewed(engine, clock):
    run = engine.start_flow(asks)
    Claim(engine._claims).take(run.id, "first")
    clock.advance(timedelta(seconds=20))

    engine._claims.keeper.renew()

    clock.advance(timedelta(seconds=50))
    assert engine.process_event(run.id, "first", 1).waiting_for == "second"


def test_run_that_cannot_be_given_back_is_told(engine, clock, warnings):
    run = engine.start_flow(asks)
    claim = Claim(engine._claims)
    claim.take(run.id, "first")
    engine.store.fault = ("update", "before", StoreError("out of reach"))

    claim.close()

    (warning,) = warnings()
    assert warning.startswith(f"run {run.id} could not be given back, and is claimed until ")
    clock.advance(timedelta(minutes=2))
    assert engine.process_event(run.id, "first", 1).waiting_for == "second"


def dies(engine, clock, run_id):
    """Let a process take the run up, and die; its claim runs out."""
    claim = Claim(engine._claims)
    claim.take(run_id, "first")
    clock.advance(timedelta(minutes=2))


def test_run_whose_processes_die_is_not_taken_up_for_ever(clock):
    engine = Engine("memory://", clock=clock, max_attempts=3)
    run = engine.start_flow(asks)
    for _ in range(3):
        dies(engine, clock, run.id)

    with pytest.raises(TooManyAttempts, match="3 turns in a row died") as caught:
        engine.process_event(run.id, "first", 1)

    assert (caught.value.run_id, caught.value.attempts) == (run.id, 3)
    failed = engine.get_run(run.id)
    assert (failed.state, failed.attempts, failed.claimed_until) == (RunState.FAILED, 3, None)
    assert "3 turns in a row died with their process" in failed.error
    assert failed.stack == run.stack
    with pytest.raises(RunNotSuspended, match="is failed"):
        engine.process_event(run.id, "first", 1)


def test_attempts_are_the_same_by_whomever_they_are_counted(clock):
    engine = Engine("memory://", clock=clock, max_attempts=3)
    first, second = engine.start_flow(asks), engine.start_flow(asks)
    dies(engine, clock, first.id)
    assert engine.process_event(first.id, "first", 1).attempts == 0  # a turn that ended
    engine.process_event(second.id, "first", 1)
    for _ in range(2):
        for run in (first, second):
            Claim(engine._claims).take(run.id, "second")
        clock.advance(timedelta(minutes=2))
        assert {run.state for run in engine.release_stale()} == {RunState.SUSPENDED}
    for run in (first, second):
        Claim(engine._claims).take(run.id, "second")
    clock.advance(timedelta(minutes=2))

    with pytest.raises(TooManyAttempts):
        engine.process_event(first.id, "second", 2)
    (released,) = engine.release_stale()

    one = engine.get_run(first.id)
    assert released.id == second.id
    assert (one.state, one.attempts, one.error) == (RunState.FAILED, 3, released.error)
    assert (one.state, one.attempts) == (released.state, released.attempts)


def test_retry_of_a_run_that_died_too_often_counts_anew(clock):
    engine = Engine("memory://", clock=clock, max_attempts=1)
    run = engine.start_flow(asks)
    dies(engine, clock, run.id)
    with pytest.raises(TooManyAttempts):
        engine.process_event(run.id, "first", 1)

    waiting = engine.retry(run.id)

    assert (waiting.state, waiting.attempts, waiting.error) == (RunState.SUSPENDED, 0, None)
    assert engine.process_event(run.id, "first", 1).waiting_for == "second"


def test_worker_keeps_to_the_attempts_of_its_engine(clock):
    engine = Engine("memory://", clock=clock, max_attempts=1)
    run = engine.start_flow(asks)
    dies(engine, clock, run.id)

    worker = Worker(engine)
    assert worker._release_stale() == 1

    assert engine.get_run(run.id).state is RunState.FAILED
    with pytest.raises(ValueError, match="max_attempts"):
        Engine("memory://", max_attempts=0)
