"""Steps that wait in queues: they run when there is a slot, which is theirs alone."""

import asyncio
from datetime import timedelta

import pytest

from longterm import (
    InvalidQueue,
    RunState,
    UnknownQueue,
    deflow,
    gather,
    spawn,
    step,
    suspend,
)
from longterm.errors import NotAStep

MINUTE = timedelta(minutes=1)
calls = []
seen = []


@pytest.fixture
def engine(each_engine):
    seen[:] = [each_engine]
    calls.clear()
    return each_engine


def held(engine):
    return {status.queue.name: status.running for status in engine.queues()}


@step(queue="model", partition=lambda customer, text: customer)
def summarize(customer, text):
    calls.append((customer, text, held(seen[0])))
    return text.upper()


@deflow
def summaries(customer, *texts):
    found = []
    for text in texts:
        found.append(summarize(customer, text))
        calls.append(held(seen[0]))
    return found


def test_a_step_waits_for_a_slot_and_gives_it_back_when_it_has_ended(engine):
    engine.queue("model", concurrency=1)

    run = engine.start_flow(summaries, "acme", "a", "b")

    assert (run.state, run.queue, run.partition) == (RunState.SUSPENDED, "model", "acme")
    assert calls == []
    assert engine.run_pending(limit=1) == 1
    assert calls == [("acme", "a", {"model": 1}), {"model": 0}]
    assert engine.get_run(run.id).queue == "model"
    assert engine.run_pending() == 1
    done = engine.get_run(run.id)
    assert (done.result, done.queue) == (["A", "B"], None)
    assert held(engine) == {"model": 0}


def test_outside_of_a_run_it_is_the_plain_function(engine):
    engine.queue("model")
    assert summarize("acme", "a") == "A"


def test_runs_take_turns_by_the_partitions_of_their_steps(engine):
    engine.queue("model", concurrency=1)
    for customer, number in (("big", 4), ("small", 1)):
        for text in range(number):
            engine.start_flow(summaries, customer, str(text))

    engine.run_pending(limit=2)

    assert {call[0] for call in calls if type(call) is tuple} == {"big", "small"}


def test_a_run_that_holds_a_slot_of_the_queue_needs_no_other(engine):
    engine.queue("model", concurrency=1)
    run = engine.start(summaries, ("acme", "a"), queue="model")

    assert engine.run_pending() == 1

    assert engine.get_run(run.id).result == ["A"]
    assert calls == [("acme", "a", {"model": 1}), {"model": 1}]
    assert held(engine) == {"model": 0}


def test_a_run_of_another_queue_gives_that_slot_up(engine):
    engine.queue("model", concurrency=1)
    engine.queue("import", concurrency=1)
    run = engine.start(summaries, ("acme", "a"), queue="import")

    engine.run_pending()

    assert engine.get_run(run.id).result == ["A"]
    assert calls[0] == ("acme", "a", {"import": 0, "model": 1})


def test_a_queue_that_was_never_declared_leaves_the_run_as_it_was(engine, clock):
    with pytest.raises(UnknownQueue, match="model"):
        engine.start_flow(summaries, "acme", "a")
    assert engine.find_runs() == []

    run = engine.start_flow(asks_first)
    with pytest.raises(UnknownQueue):
        engine.process_event(run.id, "go on")
    assert engine.get_run(run.id).waiting_for == "go on"

    engine.queue("model")
    engine.process_event(run.id, "go on")
    engine.run_pending()
    assert engine.get_run(run.id).result == "X"


@deflow
def asks_first():
    suspend("go on")
    return summarize("acme", "x")


@step(queue="model", max_attempts=3, retry_on=ConnectionError, backoff=lambda attempt: MINUTE)
def fails_twice(name):
    calls.append(name)
    if len(calls) < 3:
        raise ConnectionError
    return name


@deflow
def tries(name):
    return fails_twice(name)


def test_a_step_that_is_tried_again_later_waits_in_the_queue_again(engine, clock):
    engine.queue("model", concurrency=1)
    run = engine.start_flow(tries, "a")

    assert engine.run_pending() == 1
    resting = engine.get_run(run.id)
    assert (resting.queue, resting.deadline) == ("model", clock.now() + MINUTE)
    assert held(engine) == {"model": 0}
    assert engine.run_pending() == 0
    for _ in range(2):
        clock.advance(MINUTE)
        assert engine.run_pending() == 1
    assert engine.get_run(run.id).result == "a"


@step(queue="model", at_most_once=True)
def once(name):
    calls.append(name)
    return name


@deflow
def calls_once(name):
    return once(name)


def test_a_step_that_may_run_once_is_begun_when_it_has_its_slot(engine):
    engine.queue("model", concurrency=1)
    run = engine.start_flow(calls_once, "a")
    assert calls == []

    engine.run_pending()

    assert engine.get_run(run.id).result == "a"
    assert calls == ["a"]


@step(queue="model")
async def asummarize(text):
    calls.append(held(seen[0]))
    return text.upper()


@deflow
async def asummaries(text):
    found = await asummarize(text)
    calls.append(held(seen[0]))
    return found


def test_an_async_step_waits_too(engine):
    engine.queue("model", concurrency=1)

    async def run():
        run = await engine.astart_flow(asummaries, "a")
        assert run.queue == "model"
        assert await engine.arun_pending() == 1
        return await engine.aget_run(run.id)

    assert asyncio.run(run()).result == "A"
    assert calls == [{"model": 1}, {"model": 0}]


def test_steps_that_are_spawned_wait_in_their_queue_side_by_side(engine):
    engine.queue("model", concurrency=2)
    run = engine.start_flow(spawns, "acme", 3)

    children = [engine.get_run(child) for child in engine.get_run(run.id).children]
    assert {(child.queue, child.partition) for child in children} == {("model", "acme")}
    assert calls == []
    engine.run_pending()

    assert engine.get_run(run.id).result == ["A0", "A1", "A2"]
    assert held(engine) == {"model": 0}


@deflow
def spawns(customer, number):
    return gather(*[spawn(summarize, customer, f"a{n}") for n in range(number)])


def test_a_cancel_ends_a_run_that_waits_for_its_step(engine):
    engine.queue("model", concurrency=1)
    run = engine.start_flow(summaries, "acme", "a")

    assert engine.cancel(run.id).state is RunState.CANCELLED
    assert calls == []


def test_a_partition_that_is_none_is_raised_where_the_step_is_called(engine):
    engine.queue("model")

    run = engine.start_flow(catches)

    assert run.result == "InvalidQueue"


@step(queue="model", partition=lambda number: number)
def of_a_number(number):
    return number


@deflow
def catches():
    try:
        return of_a_number(7)
    except InvalidQueue as error:
        return type(error).__name__


def test_what_can_be_no_place_is_refused_when_the_step_is_made():
    with pytest.raises(InvalidQueue):
        step(queue="")(print)
    with pytest.raises(InvalidQueue):
        step(queue="model", partition=7)(print)
    with pytest.raises(NotAStep, match="give the queue, too"):
        step(partition="a")(print)
