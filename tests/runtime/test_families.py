"""Parents and children where others come in: deletion, a worker's threads, an event loop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from longterm import Engine, RunState, UnknownRun, deflow, gather, spawn, suspend
from longterm.worker import Worker

HOURS = timedelta(hours=2)


@deflow
def asks(question):
    return f"{question}: {suspend('answer')}"


@deflow
async def asks_async(question):
    return f"{question}: {await suspend('answer')}"


@deflow
def square(number):
    return number * number


@deflow
async def square_async(number):
    return number * number


@deflow
def fails_beside(question):
    child = spawn(asks, question)
    suspend("go")
    raise OSError(f"no {child.run_id}")


@deflow
def leaves(question):
    spawn(asks, question)
    suspend("go")


@deflow
def sums(count):
    return sum(gather(*[spawn(square, number) for number in range(count)]))


@deflow
async def sums_async(count):
    return sum(await gather(*[spawn(square, number) for number in range(count)]))


@deflow
def sums_of_async(count):
    return sum(gather(*[spawn(square_async, number) for number in range(count)]))


@deflow
async def asks_both():
    return await gather(spawn(asks, "tea"), spawn(asks_async, "milk"))


def undelivered(engine):
    later = engine.clock.now() + timedelta(days=99)
    return engine.store.claim_outgoing(now=later, until=later, limit=99)


def work(engine, clock):
    for _ in range(4):
        engine.run_pending()
        clock.advance(HOURS)


def test_children_of_a_failed_parent_that_is_deleted_go_on(each_engine, clock):
    engine = each_engine
    parent = engine.start_flow(fails_beside, "tea?")
    (child,) = parent.children
    with pytest.raises(OSError, match=child):
        engine.process_event(parent.id, "go")

    engine.delete(parent.id)
    done = engine.process_event(child, "answer", "yes")
    work(engine, clock)

    assert (done.state, done.result) == (RunState.COMPLETE, "tea?: yes")
    assert undelivered(engine) == []  # nobody is there to be told
    with pytest.raises(UnknownRun):
        engine.get_run(parent.id)


def test_children_of_a_parent_that_is_deleted_at_once_are_cancelled(each_engine, clock):
    engine = each_engine
    parent = engine.start_flow(leaves, "tea?")
    put_off = engine.store.post
    engine.store.post = lambda *_, **__: 1 / 0  # so that nothing is delivered before
    try:
        engine.process_event(parent.id, "go")
    finally:
        engine.store.post = put_off
    engine.delete(parent.id)
    assert engine.get_run(*parent.children).state is RunState.SUSPENDED

    clock.advance(HOURS)
    work(engine, clock)

    assert engine.get_run(*parent.children).state is RunState.CANCELLED
    assert undelivered(engine) == []


@pytest.mark.parametrize("flow", [sums, sums_async, sums_of_async])
def test_threads_of_a_worker_do_what_the_caller_leaves(each_engine, flow):
    engine = Engine(each_engine.store, clock=each_engine.clock, inline=False)
    start = engine.start(flow, (12,), at=timedelta(0))
    worker = Worker(engine, threads=4)

    for _ in range(50):
        worker.run_once()
        if engine.get_run(start.id).state is not RunState.SUSPENDED:
            break

    run = engine.get_run(start.id)
    assert (run.state, run.result, run.children) == (RunState.COMPLETE, 506, ())
    assert undelivered(engine) == []
    assert len(engine.find_runs()) == 13


def test_plain_calls_in_an_event_loop_leave_async_flows_to_it(each_engine):
    engine = each_engine

    async def main():
        run = engine.start_flow(sums_of_async, 3)
        assert {child.waiting_for for child in engine.find_runs(flow=square_async)} == {
            "longterm.start"
        }
        await engine.arun_pending()
        return run.id

    assert engine.get_run(asyncio.run(main())).result == 5


@pytest.mark.parametrize("is_plain", [False, True])
def test_async_parent_hears_of_its_plain_child_in_an_event_loop(each_engine, is_plain):
    engine = each_engine

    async def main():
        parent = await engine.astart_flow(asks_both)
        plain, other = parent.children
        if is_plain:
            engine.process_event(plain, "answer", 1)
        else:
            await engine.aprocess_event(plain, "answer", 1)
        await engine.aprocess_event(other, "answer", 2)
        await engine.arun_pending()
        return parent.id

    run = engine.get_run(asyncio.run(main()))
    assert (run.state, run.result) == (RunState.COMPLETE, ["tea: 1", "milk: 2"])
