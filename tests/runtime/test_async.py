"""`async def` flows: ordinary awaits inside a turn, suspends between turns."""

from __future__ import annotations

import asyncio

import pytest

from longterm import (
    CannotSuspend,
    Engine,
    RunState,
    UnknownRun,
    WrongEvent,
    aget_run,
    aprocess_event,
    astart_flow,
    deflow,
    respond,
    set_runstore,
    suspend,
)


@deflow
async def ask(question):
    respond(question)
    await asyncio.sleep(0)
    answer = suspend(question)
    await asyncio.sleep(0)
    return answer


@deflow
async def interview(count):
    answers = []
    async for number in numbers(count):
        answers.append(number)
    for number in range(count):
        answers.append((await ask(f"q{number}"), await ask(f"why{number}")))
    return answers


async def numbers(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


class Room:
    """An asynchronous context manager of plain state."""

    def __init__(self):
        self.log = []

    async def __aenter__(self):
        await asyncio.sleep(0)
        self.log.append("enter")
        return self

    async def __aexit__(self, kind, error, traceback):
        await asyncio.sleep(0)
        self.log.append(f"exit {kind.__name__ if kind else None}")
        return kind is ValueError


@deflow
async def in_a_room():
    room = Room()
    async with room as entered:
        entered.log.append(suspend("inside"))
        if suspend("fail"):
            raise ValueError
    return room.log


@deflow
def plain(x):
    return suspend("plain") + x


@deflow
async def mixed(x):
    first = plain(x)
    second = await ask("second")
    return first, second


@deflow
async def gathers():
    replies = await asyncio.gather(ask("a"), ask("b"))
    return replies


async def finish(engine, run, *values):
    for value in values:
        run = await engine.aprocess_event(run.id, run.waiting_for, value)
    return run


@pytest.fixture
def engine():
    return Engine("memory://")


def test_awaits_and_suspends_mix(engine):
    async def main():
        run = await engine.astart_flow(interview, 2)
        assert run.response == ["q0"]
        return await finish(engine, run, 1, 2, 3, 4)

    assert asyncio.run(main()).result == [0, 1, (1, 2), (3, 4)]


def test_each_turn_may_run_in_another_event_loop(engine):
    run = asyncio.run(engine.astart_flow(interview, 1))
    run = asyncio.run(engine.aprocess_event(run.id, "q0", "x"))
    run = asyncio.run(engine.aprocess_event(run.id, "why0", "y"))

    assert run.result == [0, ("x", "y")]


@pytest.mark.parametrize(
    ("fail", "log"),
    [(False, ["enter", "here", "exit None"]), (True, ["enter", "here", "exit ValueError"])],
)
def test_async_with_neither_exits_nor_enters_again_at_a_suspend(engine, fail, log):
    async def main():
        return await finish(engine, await engine.astart_flow(in_a_room), "here", fail)

    assert asyncio.run(main()).result == log


def test_async_flow_calls_a_plain_flow(engine):
    async def main():
        return await finish(engine, await engine.astart_flow(mixed, 1), 10, "two")

    assert asyncio.run(main()).result == (11, "two")


def test_plain_flow_runs_through_the_async_twins(engine):
    async def main():
        return await finish(engine, await engine.astart_flow(plain, 1), 10)

    assert asyncio.run(main()).result == 11


def test_flow_in_a_task_of_its_own_is_refused(engine):
    with pytest.raises(CannotSuspend):
        asyncio.run(engine.astart_flow(gathers))


def test_exception_and_cancellation_arrive_at_the_suspend(engine):
    async def main():
        run = await engine.astart_flow(in_a_room)
        run = await engine.athrow(run.id, ValueError("out"))
        other = await engine.acancel((await engine.astart_flow(in_a_room)).id)
        return run, other

    run, other = asyncio.run(main())

    assert run.result == ["enter", "exit ValueError"]
    assert other.state is RunState.CANCELLED


def test_refusals_are_the_same(engine):
    async def main():
        run = await engine.astart_flow(plain, 1)
        with pytest.raises(WrongEvent):
            await engine.aprocess_event(run.id, "other")
        with pytest.raises(UnknownRun):
            await engine.aget_run("nope")
        return await engine.aget_run(run.id) == run

    assert asyncio.run(main())


def test_module_level_twins_use_the_default_store():
    async def main():
        set_runstore("memory://")
        run = await astart_flow(ask, "q")
        assert (await aget_run(run.id)).waiting_for == "q"
        return await aprocess_event(run.id, "q", 5)

    assert asyncio.run(main()).result == 5
