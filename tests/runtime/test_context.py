"""Context variables: each turn has a copy of its caller's, wherever it runs."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar, copy_context
from datetime import timedelta
from decimal import Decimal, getcontext, localcontext

import pytest

from longterm import Engine, deflow, suspend
from longterm.testing import FakeClock
from longterm.worker import Worker

colour: ContextVar[str] = ContextVar("colour", default="none")


def seen():
    """Return what a context says: a variable's value, and a precision."""
    return colour.get(), getcontext().prec


def set_both(value, precision):
    colour.set(value)
    getcontext().prec = precision


@deflow
def paints(expires=timedelta(days=1)):
    before = seen()
    set_both("of the first turn", 50)
    during = seen()
    suspend("go", expires=expires, default=None)
    after = seen()
    set_both("of the second turn", 60)
    return before, during, after, seen()


@deflow
async def paints_async(expires=timedelta(days=1)):
    before = seen()
    set_both("of the first turn", 50)
    await asyncio.sleep(0)
    during = await asyncio.create_task(in_a_task())
    suspend("go", expires=expires, default=None)
    after = seen()
    set_both("of the second turn", 60)
    await asyncio.sleep(0)
    return before, during, after, seen()


async def in_a_task():
    return seen()


@pytest.fixture(autouse=True)
def _own_context():
    with localcontext() as context:
        context.prec = 28
        yield


@pytest.fixture
def engine():
    return Engine("memory://", clock=FakeClock())


def test_turn_sees_its_callers_context_and_leaves_it_alone(engine):
    def main():
        set_both("of the caller", 30)
        run = engine.start_flow(paints)
        assert seen() == ("of the caller", 30)
        set_both("of the next caller", 31)
        done = engine.process_event(run.id, "go")
        assert seen() == ("of the next caller", 31)
        return done.result

    assert copy_context().run(main) == (
        ("of the caller", 30),
        ("of the first turn", 50),
        ("of the next caller", 31),
        ("of the second turn", 60),
    )


def test_turn_of_an_async_flow_sees_its_callers_context_and_leaves_it_alone(engine):
    async def main():
        set_both("of the caller", 30)
        run = await engine.astart_flow(paints_async)
        assert seen() == ("of the caller", 30)
        set_both("of the next caller", 31)
        done = await engine.aprocess_event(run.id, "go")
        assert seen() == ("of the next caller", 31)
        return done.result

    assert asyncio.run(main()) == (
        ("of the caller", 30),
        ("of the first turn", 50),
        ("of the next caller", 31),
        ("of the second turn", 60),
    )


def test_plain_flow_in_a_thread_sees_the_context_of_its_asynchronous_caller(engine):
    async def main():
        set_both("of the caller", 30)
        run = await engine.astart_flow(paints)
        done = await engine.aprocess_event(run.id, "go")
        assert seen() == ("of the caller", 30)
        return done.result

    before, _, after, _ = asyncio.run(main())
    assert before == after == ("of the caller", 30)


@pytest.mark.parametrize("flow", [paints, paints_async])
def test_turn_of_a_worker_sees_the_context_of_the_worker(flow):
    engine = Engine("memory://")
    for _ in range(3):  # one after the other, so in the same thread, or the same loop
        asyncio.run(engine.astart_flow(flow, timedelta(microseconds=1)))
    worker = Worker(engine, threads=1)

    def work():
        set_both("of the worker", 33)
        worker.run_once()
        assert seen() == ("of the worker", 33)

    thread = threading.Thread(target=copy_context().run, args=(work,))
    thread.start()
    thread.join()

    results = [run.result for run in engine.find_runs()]
    assert [after for _, _, after, _ in results] == [("of the worker", 33)] * 3


@pytest.mark.parametrize("flow", [paints, paints_async])
def test_failed_turn_leaves_the_callers_context_alone(engine, flow):
    async def main():
        set_both("of the caller", 30)
        run = await engine.astart_flow(flow)
        with pytest.raises(OSError, match="no"):
            await engine.athrow(run.id, OSError("no"))
        assert seen() == ("of the caller", 30)

    asyncio.run(main())


@deflow
async def is_cancelled(log):
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.append(seen()[0])
        await asyncio.sleep(0)
        raise


def test_cancellation_and_time_limits_reach_an_async_flow_in_its_context(engine):
    log = []

    async def main():
        colour.set("of the caller")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await engine.astart_flow(is_cancelled, log)

    asyncio.run(main())

    assert log == ["of the caller"]


@deflow
async def tells_its_task():
    return asyncio.current_task().get_name()


def test_async_flow_runs_in_the_task_of_its_caller(engine):
    async def main():
        asyncio.current_task().set_name("mine")
        return await engine.astart_flow(tells_its_task)

    assert asyncio.run(main()).result == "mine"


def test_decimal_is_as_exact_as_the_caller_says(engine):
    @deflow
    def third():
        suspend("go")
        return str(Decimal(1) / 3)

    run = engine.start_flow(third)
    with localcontext() as context:
        context.prec = 5
        assert engine.process_event(run.id, "go").result == "0.33333"
