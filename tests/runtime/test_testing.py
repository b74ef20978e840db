"""What `interpret` and `play` return is compared by what happened, not by which objects."""

from __future__ import annotations

import pytest

from longterm import deflow, suspend
from longterm.testing import Answer, Throw, Transcript, WrongScript, interpret, play


@deflow
def raises_group():
    number = suspend("number")
    raise ExceptionGroup("several", [ValueError(number), ExceptionGroup("more", [KeyError("k")])])


@deflow
def returns_errors():
    number = suspend("number")
    return [number, (ValueError(number), [KeyError("k")])]


@pytest.mark.parametrize("flow", [raises_group, returns_errors])
def test_exceptions_inside_of_arguments_and_lists_are_compared_by_type_and_arguments(flow):
    assert play(flow, events=[1]) == interpret(flow, events=[1])
    assert play(flow, events=[1]) != interpret(flow, events=[2])


def test_a_transcript_with_a_cycle_is_equal_to_itself():
    cycle = []
    cycle.append(cycle)
    transcript = Transcript(result=cycle)

    assert transcript == transcript


@pytest.mark.parametrize(
    "other", [ValueError([KeyError(2)]), ValueError([LookupError(1)]), ValueError((KeyError(1),))]
)
def test_other_exceptions_inside_are_a_difference(other):
    assert Transcript(error=ValueError([KeyError(1)])) != Transcript(error=other)


@deflow
def counts(first, *, times=1):
    return [first] + [suspend(f"number {time}") for time in range(times)]


@pytest.mark.parametrize("run", [play, interpret])
def test_flow_gets_its_keyword_arguments(run):
    transcript = run(counts, ["a"], [1, 2], kwargs={"times": 2})

    assert (transcript.result, transcript.asked) == (["a", 1, 2], ["number 0", "number 1"])


@pytest.mark.parametrize("run", [play, interpret])
def test_answers_name_the_events_that_are_asked_for(run):
    script = [Answer("number 0", 1), Answer("number 1")]

    assert run(counts, ["a"], script, kwargs={"times": 2}).result == ["a", 1, None]
    with pytest.raises(WrongScript, match=r"waits for 'number 1', and the script has Answer"):
        run(counts, ["a"], [1, Answer("number 0", 2)], kwargs={"times": 2})


@pytest.mark.parametrize("run", [play, interpret])
def test_values_may_be_anything(run):
    for value in (("number 0", 1), StopIteration, None):
        assert run(counts, ["a"], [value]).result == ["a", value]


wait = suspend


@deflow
async def awaiting(is_short=False):
    first = await suspend("a") + await (wait("b") if not is_short else later())
    return first, [await wait(*[str(number)]) for number in range(2)], f"{await suspend('c')}"


async def later():
    return 7


@pytest.mark.parametrize("run", [play, interpret])
def test_a_suspend_may_be_awaited(run):
    assert run(awaiting, events=[1, 2, 3, 4, 5]).result == (3, [3, 4], "5")
    assert run(awaiting, [True], [1, 2, 3, 4]).result == (8, [2, 3], "4")
    assert run(awaiting, events=[1, Throw(KeyError("b"))]).error.args == ("b",)
