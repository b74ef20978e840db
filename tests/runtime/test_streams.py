"""What a turn says while it goes on, and who is told of each turn that is saved."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from longterm import (
    AsyncFlow,
    CannotStore,
    Engine,
    InvalidEventId,
    InvalidValue,
    RunState,
    UnknownRun,
    WrongEvent,
    checkpoint,
    deflow,
    respond,
    suspend,
)

GATES: dict[str, threading.Event] = {}


def passes(name):
    assert GATES[name].wait(10)


@deflow
def chat(name):
    while True:
        text = suspend("text", type=str)
        if text == "bye":
            return name
        words = ["hello"]
        respond(words)
        words.append("changed")
        if text == "slow":
            passes(name)
        checkpoint()
        respond(text, name)
        if text == "fail":
            raise KeyError(text)
        if text == "lock":
            respond(threading.Lock())


@deflow
async def achat(name):
    while (text := suspend("text")) != "bye":
        respond(f"to {name}")
        await asyncio.sleep(0)
        respond(text)
        if text == "slow":
            await asyncio.get_running_loop().run_in_executor(None, passes, name)
        if text == "fail":
            raise KeyError(text)
    return name


@deflow
def asks_inside(other):
    suspend("text")
    respond("mine")
    engines["inner"].process_event(other, "text", "inner")
    respond("mine again")


engines: dict[str, Engine] = {}


@pytest.fixture(params=["memory", "sqlite"])
def engine(request, tmp_path):
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    return Engine(url)


def test_responses_come_as_they_are_said(engine):
    GATES["Ann"] = threading.Event()
    run = engine.start_flow(chat, "Ann")

    stream = engine.stream_event(run.id, "text", "slow")
    assert next(stream) == ["hello"]
    assert engine.get_run(run.id).state is RunState.RUNNING
    GATES["Ann"].set()
    assert list(stream) == ["slow", "Ann"]
    assert list(stream) == []

    saved = stream.wait()
    assert saved == engine.get_run(run.id)
    assert saved.response == [["hello", "changed"], "slow", "Ann"]


def test_responses_of_all_turns_come_that_the_caller_gets(engine):
    run = engine.start_flow(chat, "Ann")
    for text in ("one", "two"):
        engine.send(run.id, "text", text)

    stream = engine.stream_event(run.id, "text", "three")

    assert list(stream) == [["hello"], "three", "Ann"]  # of the older ones nobody is told
    assert stream.wait().response[1:] == ["three", "Ann"]


def test_reader_that_stops_does_not_stop_the_turn(engine):
    GATES["Bob"] = threading.Event()
    run = engine.start_flow(chat, "Bob")

    for said in engine.stream_event(run.id, "text", "slow"):
        assert said == ["hello"]
        break
    GATES["Bob"].set()

    assert engine.join(run.id, 10).response[1:] == ["slow", "Bob"]


def test_refused_event_is_refused_at_the_call(engine):
    run = engine.start_flow(chat, "Ann")
    refused = [
        (UnknownRun, ("0" * 32, "text")),
        (WrongEvent, (run.id, "other")),
        (InvalidEventId, (run.id, "")),
        (InvalidValue, (run.id, "text", 7)),
    ]
    for kind, args in refused:
        with pytest.raises(kind):
            engine.stream_event(*args)
        with pytest.raises(kind):
            asyncio.run(engine.astream_event(*args))
    assert engine.get_run(run.id).changed(turn=1, claim=None) == run.changed(claim=None)


def test_exception_of_the_turn_comes_at_the_end(engine):
    run = engine.start_flow(chat, "Ann")
    stream = engine.stream_event(run.id, "text", "fail")
    assert [next(stream) for _ in range(3)] == [["hello"], "fail", "Ann"]
    with pytest.raises(KeyError):
        next(stream)
    with pytest.raises(KeyError):
        stream.wait()
    assert engine.get_run(run.id).state is RunState.FAILED

    run = engine.start_flow(chat, "Ann")
    with pytest.raises(CannotStore):
        list(engine.stream_event(run.id, "text", "lock"))


def test_repeated_delivery_says_nothing_again(engine):
    run = engine.start_flow(chat, "Ann")
    assert len(list(engine.stream_event(run.id, "text", "one", key="k"))) == 3

    stream = engine.stream_event(run.id, "text", "one", key="k")

    assert list(stream) == []
    assert stream.wait().is_duplicate


def test_turns_of_other_runs_inside_are_not_heard(engine):
    engines["inner"] = engine
    other = engine.start_flow(chat, "Ann")
    run = engine.start_flow(asks_inside, other.id)

    assert list(engine.stream_event(run.id, "text")) == ["mine", "mine again"]


def test_async_flow_is_streamed_by_the_asynchronous_twin(engine):
    async def story(flow):
        run = await engine.astart_flow(flow, "Ann")
        stream = await engine.astream_event(run.id, "text", "hi")
        said = [value async for value in stream]
        assert [value async for value in stream] == []
        saved = await stream.wait()
        assert saved == await engine.aget_run(run.id)
        failing = await engine.astream_event(run.id, "text", "fail")
        with pytest.raises(KeyError):
            await read(failing, said)
        return said

    async def read(stream, said):
        async for value in stream:
            said.append(value)

    assert asyncio.run(story(achat)) == ["to Ann", "hi", "to Ann", "fail"]
    assert asyncio.run(story(chat)) == [["hello"], "hi", "Ann", ["hello"], "fail", "Ann"]


def test_async_reader_that_stops_does_not_stop_the_turn(engine):
    GATES["Eve"] = threading.Event()

    async def story(flow):
        run = await engine.astart_flow(flow, "Eve")

        async def read():
            async for value in await engine.astream_event(run.id, "text", "slow"):
                heard.append(value)

        heard = []
        reader = asyncio.create_task(read())
        while len(heard) < 2:
            await asyncio.sleep(0.01)
        reader.cancel()
        GATES["Eve"].set()
        return (await engine.ajoin(run.id, 10)).response

    assert asyncio.run(story(achat)) == ["to Eve", "slow"]


def test_sync_stream_of_an_async_flow_says_what_to_write(engine):
    run = asyncio.run(engine.astart_flow(achat, "Ann"))
    with pytest.raises(AsyncFlow, match=r"use `await astream_event\(...\)`"):
        engine.stream_event(run.id, "text", "hi")


def test_on_turn_is_told_of_each_saved_turn(tmp_path):
    told = []
    engine = Engine(f"sqlite:///{tmp_path / 'runs.db'}", on_turn=told.append)
    run = engine.start_flow(chat, "Ann")
    engine.process_event(run.id, "text", "one")  # its checkpoint is no turn
    for text in ("two", "fail"):
        engine.send(run.id, "text", text)
    engine.run_pending()
    with pytest.raises(WrongEvent):
        engine.process_event(engine.start_flow(chat, "Bob").id, "other")

    seen = [(one.state.value, one.response[1:]) for one in told]
    waits = "suspended"
    assert seen == [
        (waits, []),
        (waits, ["one", "Ann"]),
        (waits, ["two", "Ann"]),
        ("failed", []),
        (waits, []),
    ]
    assert told[1].id == run.id

    run = asyncio.run(engine.astart_flow(achat, "Ann"))
    assert told[-1] == run
    assert asyncio.run(engine.aprocess_event(run.id, "text", "bye")) == told[-1]
    engine.cancel(engine.start_flow(chat, "Eve").id)
    assert told[-1].state is RunState.CANCELLED


def test_on_turn_that_fails_is_logged_and_changes_nothing(caplog):
    def fails(run):
        raise KeyError(run.id)

    engine = Engine("memory://", on_turn=fails)
    with caplog.at_level(logging.ERROR, "longterm"):
        run = engine.start_flow(chat, "Ann")

    assert run.state is RunState.SUSPENDED
    assert f"run {run.id}: on_turn failed after turn 1" in caplog.text


def test_on_turn_is_a_plain_function():
    async def told(run): ...

    for value in (told, 7):
        with pytest.raises(ValueError, match="is no plain function"):
            Engine("memory://", on_turn=value)
