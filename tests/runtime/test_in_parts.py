"""A turn of a deep stack enters only the innermost calls, and nobody can tell but by the time."""

from __future__ import annotations

import sys
import traceback
import weakref

import pytest

from longterm import CannotSuspend, Engine, call, checkpoint, deflow, step, suspend
from longterm._flows import in_parts
from longterm.run import RunState
from tests.runtime.deploying import deploying

ALL = 10**9
DEPTH = 30
LOG = []


@pytest.fixture(params=[1, 8, ALL], ids=["one", "some", "all"])
def entered(request, monkeypatch):
    monkeypatch.setattr(in_parts, "ENTERED", request.param)
    LOG.clear()
    return request.param


@deflow
def callers(depth):
    if depth:
        below = callers(depth - 1)
        return below
    suspend("look")
    return entered_now("callers")


def entered_now(name):
    frame, found = sys._getframe(), 0
    while frame is not None:
        found += frame.f_code.co_name == name
        frame = frame.f_back
    return found


def test_only_the_innermost_calls_are_entered(entered):
    engine = Engine("memory://")
    run = engine.process_event(engine.start_flow(callers, DEPTH).id, "look")
    assert run.result == min(entered, DEPTH + 1)


@deflow
def failing(depth):
    if depth:
        below = failing(depth - 1)
        return below
    suspend("word")
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second")  # noqa: B904 - its context is looked at


def test_a_traceback_is_the_same(entered):
    engine = Engine("memory://")
    run = engine.start_flow(failing, DEPTH)
    try:
        raise LookupError("of who brings the event")
    except LookupError as error:
        handled = error
        with pytest.raises(ValueError, match="second") as caught:
            engine.process_event(run.id, "word")
    entries = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert entries.count("failing") == DEPTH + 1
    assert entries.index("failing") == entries.index("run_turn") + 1
    assert repr(caught.value.__context__) == "KeyError('first')"
    assert caught.value.__context__.__context__ is handled
    error = engine.get_run(run.id).error
    assert "__call__" not in error
    assert f"repeated {DEPTH - 3} more times" in error


class Frozen(Exception):
    """Has attributes that cannot be set."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


@deflow
def throwing(depth, error):
    if depth:
        below = throwing(depth - 1, error)
        return below
    suspend("word")
    raise error


@deflow
def around(depth):
    try:
        below = throwing(depth, Frozen("hard"))
    except Frozen as error:
        suspend("more")
        return repr(error), error.__context__, sys.exception() is error
    return below


def test_a_handler_outside_catches_what_was_raised_inside(entered):
    engine = Engine("memory://")
    run = engine.start_flow(around, DEPTH)
    engine.process_event(run.id, "word")
    assert engine.process_event(run.id, "more").result == ("Frozen('hard')", None, True)


class Made:
    """Can be referred to weakly."""


@deflow
def making(depth):
    if not depth:
        suspend("word")
        return Made()
    below = making(depth - 1)
    made = weakref.ref(below)
    del below
    LOG.append(made() is None)
    return Made()


def test_a_result_is_held_by_nobody_else(entered):
    engine = Engine("memory://")
    run = engine.start_flow(passing, DEPTH)
    assert engine.process_event(run.id, "word").result is None
    assert LOG == [True] * DEPTH


@deflow
def passing(depth):
    below = making(depth)
    return None if type(below) is Made else below


def twice(x):
    return 2 * x


double = step(twice)


@deflow
def stepping(depth):
    if not depth:
        suspend("word")
        return double(1)
    below = stepping(depth - 1)
    checkpoint()
    return below + double(1) + suspend(f"word {depth}")


def test_steps_checkpoints_and_waits_come_as_the_stack_unwinds(entered):
    engine = Engine("memory://")
    run = engine.process_event(engine.start_flow(stepping, DEPTH).id, "word")
    for depth in range(1, DEPTH + 1):
        run = engine.process_event(run.id, f"word {depth}", 1)
    assert run.result == 2 + 3 * DEPTH


@deflow
def asked(depth):
    if depth:
        below = 0
        for each in numbers(depth):
            below += each
        return below
    return suspend("word")


@deflow
def numbers(depth):
    yield asked(depth - 1)
    yield depth


def test_what_asks_a_generator_is_entered_with_it(entered):
    engine = Engine("memory://")
    run = engine.process_event(engine.start_flow(asked, 12).id, "word", 5)
    assert run.result == 5 + sum(range(13))


@deflow
def interrupted(depth):
    if depth:
        below = interrupted(depth - 1)
        return below
    if suspend("word"):
        raise KeyboardInterrupt
    return "done"


def test_an_interrupted_turn_is_undone(entered):
    engine = Engine("memory://")
    run = engine.start_flow(interrupted, DEPTH)
    with pytest.raises(KeyboardInterrupt):
        engine.process_event(run.id, "word", True)
    assert engine.get_run(run.id).state is RunState.SUSPENDED
    assert engine.process_event(run.id, "word", False).result == "done"


def raising_anew(function):
    try:
        return function()
    except BaseException as error:
        raise error.with_traceback(None)  # noqa: B904 - the traceback is what it lacks


@deflow
def waiting():
    return suspend("more")


@deflow
def caught(depth):
    if depth:
        below = caught(depth - 1)
        return below
    suspend("word")
    return call(raising_anew, waiting)


def test_a_refusal_names_the_code_of_the_author(entered):
    engine = Engine("memory://")
    run = engine.start_flow(caught, DEPTH)
    with pytest.raises(CannotSuspend, match=r"was caught by caught \(.*test_in_parts.py:\d+\)"):
        engine.process_event(run.id, "word")
    assert engine.get_run(run.id).state is RunState.SUSPENDED


DEEP = """
from longterm import deflow, suspend

@deflow
def deep(depth):
    if depth:
        below = deep(depth - 1)
        return below + 1
    while suspend("more"):
        pass
    return 0
"""


def test_frames_of_other_code_are_entered_and_stored_anew(entered, tmp_path, monkeypatch):
    with deploying("deep_in_parts", tmp_path, monkeypatch) as write:
        engine = Engine("memory://")
        run = engine.start_flow(write(DEEP).deep, DEPTH)
        lines = {frame.line for frame in stack(engine, run)}
        assert lines == {7, 9}
        write("\n\n" + DEEP)
        run = engine.process_event(run.id, "more", True)
        assert {frame.line for frame in stack(engine, run)} == {9, 11}
        before = stack(engine, run)[0].version
        write(DEEP.replace("def deep(depth):", "def deep(depth):\n    'What'; depth += 0"))
        run = engine.process_event(run.id, "more", True)
        (version,) = {frame.version for frame in stack(engine, run)}
        assert version != before
        assert engine.process_event(run.id, "more", False).result == DEPTH


def stack(engine, run):
    from longterm._codec import decode_frames
    from longterm.run import context_of

    run = engine.get_run(run.id)
    return decode_frames(run.stack, context_of(run, "stack"))
