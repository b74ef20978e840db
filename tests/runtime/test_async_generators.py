"""Asynchronous generators of flows, beyond what the property tests show."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

import longterm
from longterm import CannotStore, NotAFlow, deflow, respond, suspend
from longterm._codec import decode, encode
from longterm._flows.async_generator import AsyncFlowGenerator
from longterm.engine import Engine
from longterm.errors import CorruptData
from tests.advice import printed
from tests.runtime.deploying import deploying
from tests.runtime.test_generators import numbers as plain_numbers


@deflow
async def numbers(end, *, start=0):
    """Count."""
    try:
        for number in range(start, end):
            await asyncio.sleep(0)
            yield number * 1
    finally:
        respond("finally")


@asynccontextmanager
@deflow
async def opened(name):
    yield name


@deflow
async def slow(seen):
    yield 1
    seen.append("asked")
    await asyncio.sleep(0.05)
    yield 2
    seen.append("asked again")


@deflow
async def ask(name):
    return suspend(name)


@deflow
async def asks_through(call):
    yield await call("a")


@deflow
async def manages():
    async with opened("x") as name:
        return name, suspend("a")


@deflow
async def enters_later():
    manager = opened("x")
    suspend("a")
    async with manager as name:
        return name


@deflow
async def ended():
    made = numbers(0)
    found = [number async for number in made]
    suspend("a")
    return found, [number async for number in made]


@deflow
async def drops():
    dropped = numbers(3)
    first = await anext(dropped)
    suspend("a")
    return first


@deflow
async def drops_before():
    async for number in numbers(3):
        if number == 0:
            break
    await asyncio.sleep(0.01)
    suspend("a")
    return number


@deflow
async def keeps():
    kept = numbers(3)
    await anext(kept)
    longterm.checkpoint()
    await anext(kept)
    suspend("a")
    return [number async for number in kept]


TASKS = set()


async def begins_a_task(seen):
    generator = slow(seen)
    TASKS.add(asyncio.create_task(_last_of(generator)))
    while not seen:
        await asyncio.sleep(0)
    return generator


async def _last_of(generator):
    return [each async for each in generator][-1]


@deflow
async def uses_in_a_task():
    seen = []
    _ = await begins_a_task(seen)
    suspend("a")
    return seen


@deflow
async def keeps_in_a_task():
    generator = await begins_a_task([])
    suspend("a")
    return await anext(generator)


@deflow
async def keeps_after_its_task():
    generator = await begins_a_task([])
    last = await TASKS.pop()
    suspend("a")
    return [last, await anext(generator, "ended")]


@deflow
async def waits_with_a_step():
    step = numbers(3).__anext__()
    suspend("a")
    return await step


@deflow
def steps_by_hand():
    generator = opened_by_hand()
    found = [_value_of(generator.__anext__()), suspend("a")]
    found.append(_value_of(generator.asend(suspend("b"))))
    try:
        _value_of(generator.__anext__())
    except StopAsyncIteration:
        return found, suspend("c")


@deflow
async def opened_by_hand():
    got = yield 1
    yield got


def _value_of(awaitable):
    try:
        awaitable.send(None)
    except StopIteration as stop:
        return stop.value


@pytest.fixture
def engine():
    return Engine("memory://")


def played(engine, flow, *args, events=()):
    """Run a flow in one event loop, and let the loop close what it closes at its end."""

    async def play():
        run = await engine.astart_flow(flow, *args)
        for event in events:
            run = await engine.aprocess_event(run.id, run.waiting_for, event)
        return run

    return asyncio.run(play())


def test_the_function_shows_what_it_was_written_as():
    assert numbers.__doc__ == "Count."
    assert str(inspect.signature(numbers)) == "(end, *, start=0)"
    assert repr(numbers(1)).startswith("<async_generator object numbers at 0x")
    assert isinstance(numbers(1), AsyncGenerator)


def test_a_generator_works_outside_of_a_run():
    async def upper(text):
        return text.upper()

    async def use():
        generator = asks_through(upper)
        return [await anext(generator), [each async for each in generator]]

    assert asyncio.run(use()) == ["A", []]


def test_a_manager_is_stored_once_it_has_been_entered(engine):
    with printed("make it in the `with` statement itself"):
        played(engine, enters_later)

    assert played(engine, manages, events=[1]).result == ("x", 1)


def test_a_generator_refuses_to_be_copied_as_python_does():
    with pytest.raises(TypeError, match="cannot pickle 'async_generator' object"):
        copy.copy(numbers(3))


def test_a_generator_that_has_ended_stays_ended(engine):
    assert played(engine, ended, events=[1]).result == ([], [])


def test_the_end_of_the_event_loop_closes_nothing_that_is_stored(engine):
    run = played(engine, keeps)
    gc.collect()
    assert run.response == []

    run = asyncio.run(engine.aprocess_event(run.id, "a"))
    assert (run.result, run.response) == ([2], ["finally"])


def test_what_is_dropped_by_a_wait_is_not_closed_and_what_is_dropped_before_is(engine):
    run = played(engine, drops)
    gc.collect()
    assert run.response == []

    assert played(engine, drops_before).response == ["finally"]


def test_one_that_a_task_awaits_is_left_alone_unless_it_is_needed(engine):
    assert played(engine, uses_in_a_task, events=["go on"]).result == ["asked"]
    TASKS.clear()
    assert played(engine, keeps_after_its_task, events=["go on"]).result == [2, "ended"]

    with printed("await that task before the suspend"):
        played(engine, keeps_in_a_task)
    TASKS.clear()


@pytest.mark.filterwarnings("ignore:coroutine method")
def test_a_step_under_way_cannot_be_stored(engine):
    with pytest.raises(CannotStore, match="a step of a generator under way"):
        played(engine, waits_with_a_step)
    gc.collect()


def test_a_flow_that_is_not_asynchronous_can_hold_one(engine):
    run = engine.start_flow(steps_by_hand)
    for event in "abc":
        run = engine.process_event(run.id, event, event.upper())

    assert run.result == ([1, "A", "B"], "C")


def wrapping(*args):
    raise AssertionError("it was called")


wrapping.__wrapped__ = wrapping


@pytest.mark.parametrize("function", [wrapping, plain_numbers], ids=["plain", "sync"])
def test_stored_bytes_have_no_other_function_called(function):
    stored = encode(AsyncFlowGenerator(function, None, (function, ("x",), {})))

    with pytest.raises(CorruptData, match="is the call of a generator flow"):
        decode(stored)


def test_a_generator_is_no_flow_that_can_be_started(engine):
    with pytest.raises(NotAFlow):
        engine.start_flow(numbers, 3)


def test_hooks_see_a_generator_that_was_made_again_and_not_one_that_was_stored():
    made, finished = [], []
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(lambda each: made.append(each.__name__), finished.append)
    try:
        generator = opened_by_hand()
        assert _value_of(generator.__anext__()) == 1
        stored = encode(generator)
        assert (made, finished) == (["opened_by_hand"], [])

        again = decode(stored)
        assert made == ["opened_by_hand"]
        assert _value_of(again.asend("x")) == "x"
        assert (made, finished) == (["opened_by_hand"] * 2, [])
        del again
        gc.collect()
        assert [each.__name__ for each in finished] == ["opened_by_hand"]
    finally:
        sys.set_asyncgen_hooks(*before)


COUNT = """
from longterm import deflow, suspend

@deflow
async def numbers():
    yield 1
    yield 2

@deflow
async def main():
    found = []
    async for number in numbers():
        found.append(number)
        suspend("on")
    return found
"""


def test_a_run_is_kept_where_its_generator_has_changed(engine, tmp_path, monkeypatch):
    with deploying("counted", tmp_path, monkeypatch) as write:
        run = played(engine, write(COUNT).main)
        write(COUNT.replace("yield 2", "yield 3"))
        with pytest.raises(longterm.FlowChanged):
            asyncio.run(engine.aprocess_event(run.id, "on"))
        assert engine.get_run(run.id).state == "suspended"

        write(COUNT.replace("    yield 1", "    print\n    yield 1"))
        run = asyncio.run(engine.aprocess_event(run.id, "on"))
        assert asyncio.run(engine.aprocess_event(run.id, "on")).result == [1, 2]
