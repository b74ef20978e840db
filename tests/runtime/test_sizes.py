"""What takes too many bytes is refused before it is stored, with its name, and is not read."""

from __future__ import annotations

import asyncio

import pytest

from longterm import (
    CannotStore,
    Engine,
    EventTooLarge,
    RunState,
    RunTooLarge,
    ValueTooLarge,
    deflow,
    respond,
    suspend,
)
from longterm.testing import FakeClock
from longterm.worker import Worker
from tests.runtime.test_worker import DAY, due

LIMIT = 10_000
LARGE = "x" * LIMIT


@deflow
def holds(rows, other="small"):
    suspend("go")
    return rows, other


@deflow
def holds_below(size):
    small = "y" * 100
    answer = fetch(size)
    return small, answer


@deflow
def fetch(size):
    rows = "x" * size
    suspend("go")
    return rows


@deflow
def shares(size):
    rows = "x" * size

    def count():
        return len(rows)

    suspend("go")
    return count()


@deflow
def computes(size):
    return "x" * size + suspend("go")


@deflow
def says(size):
    suspend("go")
    respond("x" * size)
    suspend("more")


@deflow
def is_due(rows):
    suspend("go", expires=DAY, default=None)
    return rows


@deflow
def returns(size):
    return "x" * (suspend("go") or size)


@deflow
def begins_with(text):
    if suspend("go"):
        suspend("more")


@deflow
def fails_with(size):
    raise ValueError("x" * size)


@pytest.fixture
def engine():
    return Engine("memory://", max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("flow", "args", "largest"),
    [
        (holds, [LARGE], "local 'rows' of tests.runtime.test_sizes.holds at line "),
        (holds, ["small", LARGE], "local 'other' of tests.runtime.test_sizes.holds at line "),
        (holds_below, [LIMIT], "local 'rows' of tests.runtime.test_sizes.fetch at line "),
        (shares, [LIMIT], "local 'count' of tests.runtime.test_sizes.shares at line "),
        (computes, [LIMIT], "a value computed before the suspend of tests.runtime.test_sizes.comp"),
    ],
)
def test_a_stack_that_is_too_large_is_refused_by_the_name_of_what_is(engine, flow, args, largest):
    with pytest.raises(ValueTooLarge) as caught:
        engine.start_flow(flow, *args)

    assert isinstance(caught.value, CannotStore)
    text = str(caught.value)
    assert text.startswith(f"cannot store the stack of tests.runtime.test_sizes:{flow.__name__}: ")
    assert f"; {largest}" in text
    assert engine.find_runs() == []
    # What it says to do works when it is done to the letter.
    again = Engine(engine.store, max_bytes=caught.value.size)
    assert f"Engine(store, max_bytes={caught.value.size})" in text
    assert again.start_flow(flow, *args).state is RunState.SUSPENDED


def test_a_stack_of_just_the_limit_is_stored(engine):
    stack = engine.start_flow(holds, "").stack
    assert stack is not None
    spare = LIMIT - len(stack) - 2  # the length of a longer string takes two bytes more

    assert len(engine.start_flow(holds, "x" * spare).stack) == LIMIT
    with pytest.raises(ValueTooLarge, match=r"it takes 10,001 bytes, .* at most 10,000 bytes"):
        engine.start_flow(holds, "x" * (spare + 1))


@pytest.mark.parametrize(
    ("flow", "what"),
    [(says, "a response of"), (returns, "the result of")],
)
def test_what_a_flow_says_or_returns_is_refused_and_the_run_waits_on(engine, flow, what):
    run = engine.start_flow(flow, LIMIT)

    with pytest.raises(ValueTooLarge, match=f"cannot store {what} tests.runtime.test_sizes:"):
        engine.process_event(run.id, "go")

    left = engine.get_run(run.id)
    assert (left.state, left.stack, left.error) == (RunState.SUSPENDED, run.stack, None)


def test_async_turns_have_the_limit_too(engine):
    with pytest.raises(ValueTooLarge, match="local 'rows'"):
        asyncio.run(engine.astart_flow(holds, LARGE))


def test_a_stored_stack_that_is_too_large_is_not_read(engine, monkeypatch):
    run = Engine(engine.store).start_flow(holds, LARGE)
    monkeypatch.setattr(
        "longterm._turns.attempts.decode_frames", lambda *_: pytest.fail("it was decoded")
    )

    with pytest.raises(RunTooLarge, match=rf"the stack of run '{run.id}' has 10,\d\d\d bytes"):
        engine.process_event(run.id, "go")

    assert engine.get_run(run.id) == run.changed(turn=run.turn + 1)


def test_a_worker_parks_what_is_too_large_for_it():
    clock = FakeClock()
    engine = Engine("memory://", clock=clock)
    (run_id,) = due(engine, clock, is_due, args=(LARGE,))

    assert Worker(Engine(engine.store, clock=clock, max_bytes=LIMIT)).run_once() == 1

    parked = engine.get_run(run_id)
    assert parked.state is RunState.SUSPENDED
    assert "and this engine reads at most 10,000 bytes" in parked.error


def test_large_arguments_are_no_error_if_the_flow_is_done_with_them(engine):
    run = engine.start_flow(begins_with, LARGE)

    assert engine.process_event(run.id, "go", result=True).waiting_for == "more"


def test_the_text_of_a_large_exception_is_shortened(engine):
    with pytest.raises(ValueError, match="xxx"):
        engine.start_flow(fails_with, 5_000_000)

    (failed,) = engine.find_runs()
    assert len(failed.error) < 101_000
    assert failed.error.startswith("Traceback (most recent call last)")
    assert "characters left out" in failed.error
    assert failed.error.rstrip().endswith("failed in turn 1")


def test_a_limit_that_allows_nothing_is_refused():
    with pytest.raises(ValueError, match="max_bytes=0"):
        Engine("memory://", max_bytes=0)


@pytest.mark.parametrize(
    "value",
    [LARGE, LARGE.encode(), [LARGE[:100]] * 100, {"a": list(range(LIMIT))}, 1 << 9 * LIMIT],
    ids=["text", "bytes", "list", "dict", "integer"],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_event_that_is_too_large_is_refused_at_the_door(value, is_async, monkeypatch):
    engine = Engine("memory://", max_event_bytes=LIMIT)
    run = engine.start_flow(holds, [])
    monkeypatch.setattr(engine.store, "claim", pytest.fail)

    def deliver():
        if is_async:
            asyncio.run(engine.aprocess_event(run.id, "go", value))
        else:
            engine.process_event(run.id, "go", value)

    with pytest.raises(EventTooLarge) as caught:
        deliver()

    assert engine.get_run(run.id) == run
    assert (caught.value.event_id, caught.value.max_bytes) == ("go", LIMIT)
    monkeypatch.undo()
    again = Engine(engine.store, max_event_bytes=caught.value.size)
    assert f"Engine(store, max_event_bytes={caught.value.size})" in str(caught.value)
    assert again.process_event(run.id, "go", value).state is RunState.COMPLETE


@pytest.mark.parametrize("value", [None, 1.5, "x" * 1000, "ä" * 4000, [1, 2], print, iter([1])])
def test_event_of_the_usual_size_is_taken(value):
    engine = Engine("memory://", max_event_bytes=LIMIT)
    run = engine.start_flow(holds, [])

    assert engine.process_event(run.id, "go", value).state is RunState.COMPLETE


def test_event_that_cannot_be_stored_is_taken_as_ever():
    with open(__file__) as stream:
        engine = Engine("memory://", max_event_bytes=LIMIT)
        run = engine.start_flow(holds, [])

        assert engine.process_event(run.id, "go", [stream]).state is RunState.COMPLETE


def test_limit_of_events_must_allow_something():
    with pytest.raises(ValueError, match="max_event_bytes=0"):
        Engine("memory://", max_event_bytes=0)
