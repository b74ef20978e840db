"""Generators of flows, beyond what the property tests show: what is refused, kept and told."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
from contextlib import contextmanager

import pytest

import longterm
from longterm import CannotStore, NotAFlow, call, deflow, respond, suspend
from longterm._codec import decode, encode
from longterm._flows.generator import FlowGenerator
from longterm.engine import Engine
from longterm.errors import CorruptData
from tests.advice import printed
from tests.runtime.deploying import deploying


@deflow
def numbers(end, *, start=0):
    """Count."""
    try:
        for number in range(start, end):
            yield number * 1
    finally:
        respond("finally")


@contextmanager
@deflow
def opened(name):
    yield name


@contextmanager
def plainly_opened(name):
    yield name


@deflow
def ask(name):
    return suspend(name)


@deflow
def asks_through(call):
    yield call("a")


@deflow
def asked_inside():
    return list(asks_through(ask))


@deflow
def asked_outside():
    return [suspend(str(number)) for number in numbers(2)]


@deflow
def manages():
    with opened("x") as name:
        return name, suspend("a")


@deflow
def holds(what):
    made = {
        "generator": (n for n in "ab"),
        "manager": plainly_opened("x"),
        "not entered": opened("x"),
        "ended": numbers(0),
    }[what]
    if what == "ended":
        list(made)
    suspend("a")
    return list(made)


@deflow
def drops():
    dropped = numbers(3)
    first = next(dropped)
    suspend("a")
    return first


def counting(end):
    @deflow
    def counted():
        yield -1
        yield from range(end)

    return counted()


def counting_what_is_passed(end):
    @deflow
    def counted(end):
        yield -1
        yield from range(end)

    return counted(end)


@deflow
def counting_flow(end):
    @deflow
    def counted():
        yield -1
        yield from range(end)

    return counted()


@deflow
def counts(make, begins):
    counted = call(make, 2)
    found = [next(counted)] if begins else []
    suspend("a")
    return found + list(counted)


@deflow
def held_by_itself(drops):
    @deflow
    def selfish():
        yield generator is None

    generator = selfish()
    held = generator
    if drops:
        generator = None
    suspend("a")
    return list(held)


@deflow
def leaves(closes):
    counted = numbers(3)
    try:
        for _ in counted:
            if suspend("enough?"):
                break
    finally:
        if closes:
            counted.close()
    respond("left")


@deflow
def shouted(words):
    yield from words
    for word in map(str.upper, words):
        yield from filter(str.isalpha, map(str.lower, word))


@deflow
def goes_through_calls():
    return [suspend(word) for word in shouted(map(str.strip, ["a "]))], [
        suspend(word) for word in shouted(["B", "c"])
    ]


@deflow
def keeps():
    kept = numbers(3)
    next(kept)
    longterm.checkpoint()
    next(kept)
    suspend("a")
    return list(kept)


@pytest.fixture
def engine():
    return Engine("memory://")


def test_the_function_shows_what_it_was_written_as():
    assert numbers.__name__ == "numbers"
    assert numbers.__doc__ == "Count."
    assert str(inspect.signature(numbers)) == "(end, *, start=0)"
    assert repr(numbers(1)).startswith("<generator object numbers at 0x")


def test_a_generator_works_outside_of_a_run():
    generator = asks_through(str.upper)

    assert [next(generator), list(generator), list(generator)] == ["A", [], []]


def test_a_wait_inside_a_generator_is_refused_where_its_text_shows_none(engine):
    with printed("write `call(call, …)`, which is one wherever it stands") as refused:
        engine.start_flow(asked_inside)

    assert "asks_through (" in str(refused.value)
    run = engine.start_flow(asked_outside)
    run = engine.process_event(run.id, "0", "zero")
    assert engine.process_event(run.id, "1", "one").result == ["zero", "one"]


def test_a_generator_that_is_no_flow_is_refused(engine):
    with pytest.raises(CannotStore, match="a generator's own frame cannot be stored"):
        engine.start_flow(holds, "generator")


def test_a_manager_is_stored_as_its_remedies_say(engine):
    with printed("put @deflow on its function, below @contextmanager; or *"):
        engine.start_flow(holds, "manager")
    with printed("make it in the `with` statement itself"):
        engine.start_flow(holds, "not entered")

    run = engine.start_flow(manages)
    assert engine.process_event(run.id, "a", 1).result == ("x", 1)


def test_a_generator_refuses_to_be_copied_as_python_does():
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle 'generator' object"):
            copied(numbers(3))


def test_a_generator_that_has_ended_stays_ended(engine):
    run = engine.start_flow(holds, "ended")

    assert engine.process_event(run.id, "a").result == []


def test_what_is_dropped_is_not_closed_and_what_is_kept_is_not_yet(engine):
    run = engine.start_flow(drops)
    gc.collect()
    assert run.response == []

    run = engine.start_flow(keeps)
    assert run.response == []
    run = engine.process_event(run.id, "a")
    assert (run.result, run.response) == ([2], ["finally"])


def test_a_generator_inside_a_plain_function_is_a_copy_until_it_begins(engine):
    run = engine.start_flow(counts, counting, False)
    assert engine.process_event(run.id, "a").result == [-1, 0, 1]

    with printed("pass it as an argument, or make the outer function a flow") as refused:
        engine.start_flow(counts, counting, True)
    assert "counting.<locals>.counted uses 'end'" in str(refused.value)
    for followed in (counting_what_is_passed, counting_flow):
        run = engine.start_flow(counts, followed, True)
        assert engine.process_event(run.id, "a").result == [-1, 0, 1]


def test_a_generator_that_is_held_by_what_it_captures_is_refused(engine):
    with pytest.raises(CannotStore, match="break the cycle before the suspend"):
        engine.start_flow(held_by_itself, False)

    run = engine.start_flow(held_by_itself, True)
    assert engine.process_event(run.id, "a").result == [True]


@pytest.mark.parametrize(("closes", "said"), [(False, ["left"]), (True, ["finally", "left"])])
def test_what_is_let_go_of_after_a_wait_is_closed_by_hand(engine, closes, said):
    run = engine.start_flow(leaves, closes)
    run = engine.process_event(run.id, "enough?", False)

    assert run.response == []
    assert engine.process_event(run.id, "enough?", True).response == said


def test_it_may_hold_an_iterator_that_calls_a_function(engine):
    run = engine.start_flow(goes_through_calls)
    while run.waiting_for:
        run = engine.process_event(run.id, run.waiting_for, run.waiting_for)

    assert run.result == (["a"], ["B", "c", "b", "c"])


def test_stored_bytes_have_no_iterator_taken_apart():
    stored = encode(FlowGenerator(wrapping, None, map(wrapping, [1, 2, 3])))

    with pytest.raises(CorruptData, match="a frame, a call or nothing"):
        decode(stored)


def wrapping(*args):
    raise AssertionError("it was called")


wrapping.__wrapped__ = wrapping


def test_stored_bytes_have_no_other_function_called():
    stored = encode(FlowGenerator(wrapping, None, (wrapping, ("x",), {})))

    with pytest.raises(CorruptData, match="is the call of a generator flow"):
        decode(stored)


def test_a_generator_is_no_flow_that_can_be_started(engine):
    with pytest.raises(NotAFlow):
        engine.start_flow(numbers, 3)


COUNT = """
from longterm import deflow, suspend

@deflow
def numbers():
    yield 1
    yield 2

@deflow
def main():
    found = []
    for number in numbers():
        found.append(number)
        suspend("on")
    return found
"""


def test_a_run_is_kept_where_its_generator_has_changed(engine, tmp_path, monkeypatch):
    with deploying("counted", tmp_path, monkeypatch) as write:
        run = engine.start_flow(write(COUNT).main)
        write(COUNT.replace("yield 2", "yield 3"))
        with pytest.raises(longterm.FlowChanged):
            engine.process_event(run.id, "on")
        assert engine.get_run(run.id).state == "suspended"

        write(COUNT.replace("    yield 1", "    print\n    yield 1"))
        run = engine.process_event(run.id, "on")
        assert engine.process_event(run.id, "on").result == [1, 2]
