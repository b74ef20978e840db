"""The behaviours of the Clojure library that longterm grew from, in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from longterm import Engine, Run, RunState, WrongEvent, deflow, respond, suspend


@deflow
def multiply_by_user_input(x):
    """Multiply x by a number that the user enters."""
    respond({"type": "chat", "text": "Hi, please enter a number!"})
    respond({"type": "number-input", "event_id": "user-number"})
    return suspend("user-number") * x


@deflow
def fl(x, event_id):
    return x * suspend(event_id)


@deflow
def nested_in_arguments():
    return fl(fl(fl(2, "a"), "b"), "c")


def plain_sum(*numbers):
    return sum(numbers)


@deflow
def mixed_arguments():
    return plain_sum(1, suspend("a"), 2, fl(3, "b"), 4)


@deflow
def keyword_arguments(*, first, second=10):
    return {"first": first, "second": second}


@deflow
def calls_with_keywords():
    return keyword_arguments(second=suspend("second"), first=suspend("first"))


@deflow
def conditional_test():
    return "yes" if suspend("test") else "no"


@deflow
def nested_conditionals():
    if suspend("outer"):
        if suspend("inner"):
            return suspend("both")
        return "outer only"
    elif suspend("other"):
        return "other"
    else:
        return "neither"


@deflow
def bindings():
    first = suspend("first")
    middle = first + suspend("middle")
    last = suspend("last")
    return (first, middle, last, suspend("result"))


@deflow
def loop_without_suspend(n):
    total = 0
    for i in range(n):
        total += i
    return total + suspend("extra")


@deflow
def loop_with_suspend():
    total = 0
    while True:
        number = suspend("number")
        if number == 0:
            return total
        total += number


@deflow
def responds_each_turn():
    respond("one", "two")
    suspend("a")
    respond("three")
    suspend("b")
    return "done"


@pytest.fixture
def engine() -> Engine:
    return Engine("memory://")


def drive(engine: Engine, flow: Callable[..., Any], *events: tuple[str, Any]) -> Run:
    """Start a flow and give it events, each of which must be the one that it waits for."""
    run = engine.start_flow(flow)
    for event_id, value in events:
        assert run.waiting_for == event_id
        run = engine.process_event(run.id, event_id, value)
    return run


def test_first_turn_responds_and_second_completes(engine):
    run = engine.start_flow(multiply_by_user_input, 4)

    assert run.state is RunState.SUSPENDED
    assert run.response == [
        {"type": "chat", "text": "Hi, please enter a number!"},
        {"type": "number-input", "event_id": "user-number"},
    ]

    run = engine.process_event(run.id, "user-number", 5)

    assert run.state is RunState.COMPLETE
    assert run.result == 20
    assert run.response == []


def test_flows_nest_in_arguments(engine):
    run = drive(engine, nested_in_arguments, ("a", 3), ("b", 5), ("c", 7))

    assert run.result == 2 * 3 * 5 * 7


def test_suspending_and_plain_arguments_mix(engine):
    run = drive(engine, mixed_arguments, ("a", 10), ("b", 100))

    assert run.result == 1 + 10 + 2 + 300 + 4


def test_keyword_arguments_suspend_in_the_order_of_the_text(engine):
    run = drive(engine, calls_with_keywords, ("second", 2), ("first", 1))

    assert run.result == {"first": 1, "second": 2}


def test_keyword_arguments_and_defaults_reach_the_flow(engine):
    assert engine.start_flow(keyword_arguments, first=1).result == {"first": 1, "second": 10}


@pytest.mark.parametrize(("value", "result"), [(True, "yes"), (0, "no")])
def test_conditional_expression_tests_an_event(engine, value, result):
    assert drive(engine, conditional_test, ("test", value)).result == result


@pytest.mark.parametrize(
    ("events", "result"),
    [
        ([("outer", 1), ("inner", 1), ("both", "b")], "b"),
        ([("outer", 1), ("inner", 0)], "outer only"),
        ([("outer", 0), ("other", 1)], "other"),
        ([("outer", 0), ("other", 0)], "neither"),
    ],
)
def test_nested_conditionals_take_each_way(engine, events, result):
    assert drive(engine, nested_conditionals, *events).result == result


def test_suspends_in_first_middle_last_binding_and_result(engine):
    run = drive(engine, bindings, ("first", 1), ("middle", 2), ("last", 3), ("result", 4))

    assert run.result == (1, 3, 3, 4)


def test_loop_without_suspend_before_one(engine):
    run = engine.start_flow(loop_without_suspend, 5)

    assert engine.process_event(run.id, "extra", 100).result == 110


def test_loop_suspends_in_each_round(engine):
    events = [("number", n) for n in (1, 2, 3, 0)]

    assert drive(engine, loop_with_suspend, *events).result == 6


def test_responses_belong_to_their_turn(engine):
    run = engine.start_flow(responds_each_turn)
    assert run.response == ["one", "two"]

    run = engine.process_event(run.id, "a")
    assert run.response == ["three"]

    run = engine.process_event(run.id, "b")
    assert run.response == []
    assert run.result == "done"


def test_mismatched_event_is_refused_and_the_run_waits_on(engine):
    run = engine.start_flow(multiply_by_user_input, 4)

    with pytest.raises(WrongEvent, match=r"does not wait for event 'other'.*'user-number'"):
        engine.process_event(run.id, "other", 5)

    assert engine.get_run(run.id) == run
    assert engine.process_event(run.id, "user-number", 5).result == 20
