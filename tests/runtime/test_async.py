"""`async def` flows: ordinary awaits inside a turn, suspends between turns."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import longterm
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
from longterm.store.memory import MemoryStore


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


@deflow
async def gathers_what_comes():
    replies = await asyncio.gather(ask("a"), ask("b"), return_exceptions=True)
    return replies


@deflow
async def begins_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(ask("a"))


@deflow
async def shields():
    shielded = asyncio.shield(ask("a"))
    return await shielded


@deflow
async def begins_a_thread():
    reply = await asyncio.to_thread(plain, 1)
    return reply


@deflow
async def limits_in_asyncio():
    return await asyncio.wait_for(ask("a"), 5)


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


@pytest.mark.parametrize(
    "flow", [gathers, gathers_what_comes, begins_a_group, shields, begins_a_thread]
)
def test_flow_in_a_task_of_its_own_is_refused(engine, flow):
    with pytest.raises(CannotSuspend, match=r"test_async.py:.* a run waits in one place \(await"):
        asyncio.run(engine.astart_flow(flow))

    assert engine.find_runs() == []


def test_a_limit_of_asyncio_is_refused_in_words_of_its_own(engine):
    # Before Python 3.12, wait_for makes a task (gh-96764).
    words = "part of asyncio.*expires=" if sys.version_info >= (3, 12) else "waits in one place"
    with pytest.raises(CannotSuspend, match=words):
        asyncio.run(engine.astart_flow(limits_in_asyncio))


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


class Gate:
    """Holds whoever comes by until it is opened."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def wait(self):
        self.reached.set()
        assert self.opened.wait(10)


class Gated(MemoryStore):
    """A store that lets a claim go on when its gate is opened."""

    def __init__(self):
        super().__init__()
        self.at_claim = self.at_revive = None

    def claim(self, run_id, event_id, *, now, until):
        if self.at_claim:
            self.at_claim.wait()
        return super().claim(run_id, event_id, now=now, until=until)

    def revive(self, run_id, *, now, until):
        if self.at_revive:
            self.at_revive.wait()
        return super().revive(run_id, now=now, until=until)


async def cancelled_at(gate, coroutine):
    """Cancel a task whose thread waits at a gate, and once more; then open the gate."""
    task = asyncio.create_task(coroutine)
    assert await asyncio.to_thread(gate.reached.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "entry",
    [
        lambda engine, run: engine.athrow(run.id, ValueError()),
        lambda engine, run: engine.acancel(run.id),
        lambda engine, run: engine.aexpire(run.id),
    ],
    ids=["athrow", "acancel", "aexpire"],
)
def test_task_cancelled_while_it_claims_lets_go_of_the_run(entry):
    engine = Engine(Gated())

    async def main():
        run = await engine.astart_flow(ask, "q")
        engine.store.at_claim = Gate()
        await cancelled_at(engine.store.at_claim, entry(engine, run))
        return run

    run = asyncio.run(main())

    stored = engine.get_run(run.id)
    assert (stored.state, stored.stack) == (RunState.SUSPENDED, run.stack)
    assert not engine._claims.keeper._held


def test_task_cancelled_while_it_claims_for_an_event_lets_go_of_the_run():
    engine = Engine(Gated())

    async def main():
        run = await engine.astart_flow(ask, "q")
        engine.store.at_claim = Gate()
        await cancelled_at(engine.store.at_claim, engine.aprocess_event(run.id, "q", 1))
        assert engine.get_run(run.id).state is RunState.SUSPENDED
        engine.store.at_claim = None
        return await engine.aprocess_event(run.id, "q", 2)

    assert asyncio.run(main()).result == 2


@pytest.mark.parametrize("is_claimed", [True, False], ids=["after", "before"])
def test_coroutine_closed_while_it_claims_lets_go_of_the_run(is_claimed):
    engine = Engine(Gated())

    async def main():
        loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(1)
        loop.set_default_executor(threads)
        run = await engine.astart_flow(ask, "q")
        gate = engine.store.at_claim = Gate()
        coroutine = engine.aprocess_event(run.id, "q", 1)
        coroutine.send(None)
        assert gate.reached.wait(10)
        if is_claimed:
            gate.opened.set()
            threads.submit(lambda: None).result(10)  # the one thread has done with the claim
            assert engine.get_run(run.id).state is RunState.RUNNING
        coroutine.close()
        gate.opened.set()
        threads.submit(lambda: None).result(10)
        assert engine.get_run(run.id).state is RunState.SUSPENDED
        assert not engine._claims.keeper._held
        engine.store.at_claim = None
        return await engine.aprocess_event(run.id, "q", 2)

    assert asyncio.run(main()).result == 2


def test_task_cancelled_while_its_claim_is_refused_is_cancelled():
    engine = Engine(Gated())

    async def main():
        run = await engine.astart_flow(ask, "q")
        engine.store.at_claim = Gate()
        await cancelled_at(engine.store.at_claim, engine.aprocess_event(run.id, "other"))
        return run

    assert engine.get_run(asyncio.run(main()).id).state is RunState.SUSPENDED


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (lambda engine, run: engine.aprocess_event(run.id, "plain", 2), RunState.COMPLETE),
        (lambda engine, run: engine.athrow(run.id, ValueError()), RunState.FAILED),
        (lambda engine, run: engine.acancel(run.id), RunState.CANCELLED),
    ],
    ids=["aprocess_event", "athrow", "acancel"],
)
def test_turn_of_a_plain_flow_stands_though_its_task_is_cancelled(entry, state):
    engine = Engine(Gated())

    async def main():
        run = await engine.astart_flow(plain, 1)
        engine.store.at_claim = Gate()
        await cancelled_at(engine.store.at_claim, entry(engine, run))
        return run

    assert engine.get_run(asyncio.run(main()).id).state is state


kept_by: dict[str, Gate] = {}


@deflow
async def keeps_the_thread():
    value = suspend("q")
    asyncio.get_running_loop().run_in_executor(None, kept_by["gate"].wait)
    return value


def test_task_cancelled_while_it_waits_for_a_thread_leaves_no_claim():
    engine = Engine(Gated())

    async def main():
        # There is one thread, and it is busy: the save waits in line.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        run = await engine.astart_flow(keeps_the_thread)
        gate = kept_by["gate"] = Gate()
        task = asyncio.create_task(engine.aprocess_event(run.id, "q", 1))
        while not gate.reached.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return run

    run = asyncio.run(main())

    assert engine.get_run(run.id).result == 1
    assert not engine._claims.keeper._held


@deflow
async def fails_at_first():
    if not may_go_on.is_set():
        raise ValueError("at once")
    return suspend("q")


may_go_on = threading.Event()


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_task_cancelled_while_it_retries_leaves_the_run_failed(is_cancelled):
    engine = Engine(Gated())
    may_go_on.clear()

    async def main():
        with pytest.raises(ValueError, match="at once"):
            await engine.astart_flow(fails_at_first)
        (failed,) = engine.find_runs()
        may_go_on.set()
        if not is_cancelled:
            return failed, await engine.aretry(failed.id)
        engine.store.at_revive = Gate()
        await cancelled_at(engine.store.at_revive, engine.aretry(failed.id))
        return failed, await engine.aget_run(failed.id)

    failed, run = asyncio.run(main())

    if is_cancelled:
        assert (run.state, run.error) == (RunState.FAILED, failed.error)
    else:
        assert (run.state, run.waiting_for, run.error) == (RunState.SUSPENDED, "q", None)
    assert not engine._claims.keeper._held


@deflow
def cleans_up_slowly():
    try:
        suspend("q")
    finally:
        kept_by["gate"].wait()


def test_run_is_cancelled_though_the_task_that_cancels_it_is_too():
    engine = Engine("memory://")

    async def main():
        run = await engine.astart_flow(cleans_up_slowly)
        gate = kept_by["gate"] = Gate()
        await cancelled_at(gate, engine.acancel(run.id))
        return run

    assert engine.get_run(asyncio.run(main()).id).state is RunState.CANCELLED
    assert not engine._claims.keeper._held


@deflow
def stops():
    suspend("q")
    raise StopIteration(5)


def test_plain_flow_may_raise_stop_iteration_in_its_thread():
    engine = Engine("memory://")

    async def main():
        run = await engine.astart_flow(stops)
        with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
            await asyncio.wait_for(engine.aprocess_event(run.id, "q"), 10)
        return run

    assert engine.get_run(asyncio.run(main()).id).state is RunState.FAILED


@deflow
async def reply(question):
    return await suspend(question)


async def ready(value):
    return value


@deflow
async def awaits_of_suspend(chosen, first):
    found = [await suspend("direct"), await (suspend("branch") if chosen else ready("other"))]
    found.append(await (ready("other") if chosen else suspend("branch")))
    found.append([await suspend(each) for each in ("one", "two")])
    found.append(await ((first and ready(first)) or suspend("last operand")))
    found.append(await (first and suspend("and")) if first else "none")
    found.append(f"{await longterm.suspend('text')}!")
    try:
        await suspend("error")
    except ValueError as error:
        found.append(str(error))
    return [*found, await reply("inner")]


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("first", ["x", ""])
def test_an_awaited_suspend_is_the_same_resume_point(chosen, first):
    engine = Engine("memory://")

    async def play():
        run = await engine.astart_flow(awaits_of_suspend, chosen, first)
        while run.state is RunState.SUSPENDED:
            if run.waiting_for == "error":
                run = await engine.athrow(run.id, ValueError("thrown"))
            else:
                run = await engine.aprocess_event(run.id, run.waiting_for, run.waiting_for.upper())
        return run.result

    assert asyncio.run(play()) == [
        "DIRECT",
        "BRANCH" if chosen else "other",
        "other" if chosen else "BRANCH",
        ["ONE", "TWO"],
        "x" if first else "LAST OPERAND",
        "AND" if first else "none",
        "TEXT!",
        "thrown",
        "INNER",
    ]
