"""What comes at the very moment at which a turn begins or ends: nothing is lost, nothing twice.

Each pair in both orders, and then at the same moment, on each store with an inbox.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest

from longterm import Cancelled, RunBusy, RunState, WrongEvent, deflow, suspend
from longterm.testing._races import race
from tests.runtime.test_inbox import unread, waits_a_day, work

ROUNDS = 10
in_turn, may_end = threading.Event(), threading.Event()


@pytest.fixture
def engine(every_engine):
    in_turn.clear()
    may_end.clear()
    return every_engine


@deflow
def cleans_up(waits):
    ends = []
    try:
        for name in ("a", "b"):
            ends.append(suspend(name))
            if waits:
                in_turn.set()
                may_end.wait(30)
                waits = False
    except Cancelled:
        ends.append("cancelled")
    return ends


@deflow
def reads_two():
    return [suspend("answer"), suspend("answer")]


def under_way(engine):
    """Begin a turn in a thread; return the run in its middle, and the thread."""
    run = engine.start_flow(cleans_up, True)
    turn = threading.Thread(target=engine.process_event, args=(run.id, "a", 1))
    turn.start()
    assert in_turn.wait(30)
    return run, turn


def test_cancel_that_is_stored_before_the_save_is_read_after_it(engine):
    run, turn = under_way(engine)

    assert engine.cancel(run.id).state is RunState.RUNNING

    may_end.set()
    turn.join()
    assert engine.get_run(run.id).result == [1, "cancelled"]


def test_cancel_that_is_stored_after_the_save_is_read_by_who_cancels(engine, monkeypatch):
    run, turn = under_way(engine)
    post = engine.store.post

    def post_late(event, *, limit):
        may_end.set()
        turn.join()
        assert engine.get_run(run.id).waiting_for == "b"
        return post(event, limit=limit)

    monkeypatch.setattr(engine.store, "post", post_late)

    assert engine.cancel(run.id).result == [1, "cancelled"]


def test_cancel_and_save_at_the_same_moment(engine):
    for _ in range(ROUNDS):
        run = engine.start_flow(cleans_up, False)

        race([partial(engine.process_event, run.id, "a", 1), partial(engine.cancel, run.id)])

        assert engine.get_run(run.id).result in ([1, "cancelled"], ["cancelled"])
        assert engine.get_run(run.id).unread == ()


def test_event_that_is_stored_after_the_claim_of_the_deadline_stays(engine, clock):
    run = engine.start_flow(waits_a_day)
    clock.advance(timedelta(days=2))
    (turn,) = engine._due.claim(1)

    engine.send(run.id, "answer", 1)
    turn.advance_alone()

    assert engine.get_run(run.id).result == "none"
    assert unread(engine, run) == [("answer", 1)]


def test_event_and_claim_of_the_deadline_at_the_same_moment(engine, clock):
    for _ in range(ROUNDS):
        run = engine.start_flow(waits_a_day)
        clock.advance(timedelta(days=2))

        race([partial(work, engine), partial(engine.send, run.id, "answer", 1)])
        work(engine)

        done = engine.get_run(run.id)
        assert (done.result, unread(engine, run)) in (
            (1, []),
            ("none", []),  # the run was over, and refused the event
            ("none", [("answer", 1)]),
        )


def test_event_that_is_brought_and_one_that_is_sent_at_the_same_moment(engine):
    for _ in range(ROUNDS):
        run = engine.start_flow(reads_two)

        brought, sent = race(
            [
                partial(engine.process_event, run.id, "answer", "brought"),
                partial(engine.send, run.id, "answer", "sent"),
            ]
        )
        work(engine)

        assert not isinstance(sent, Exception)
        if isinstance(brought, Exception):
            assert isinstance(brought, (RunBusy, WrongEvent))
            engine.process_event(run.id, "answer", "brought")
        assert sorted(engine.get_run(run.id).result) == ["brought", "sent"]
        assert unread(engine, run) == []
