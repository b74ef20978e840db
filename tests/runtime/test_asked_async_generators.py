"""Asynchronous generators of flows that wait inside themselves, when they are asked for a value.

Each flow is compared with what it does uncompiled, where `suspend` returns at once; on the store it
is put away and loaded again at every suspend.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from longterm import Cancelled, call, deflow, respond, step, suspend
from longterm._codec import decode, encode
from longterm._flows.async_generator import AsyncFlowGenerator
from longterm._flows.generator import Asked
from longterm._flows.registry import flow_of
from longterm._stack_text import stack_of
from longterm.engine import Engine
from longterm.errors import CorruptData, FlowChanged
from longterm.testing import Throw, interpret, play
from tests.advice import printed
from tests.runtime.deploying import deploying


@deflow
async def ask(question):
    await asyncio.sleep(0)
    return suspend(question)


@step
async def doubled(value):
    return value * 2


@deflow
async def answers(questions):
    for question in questions:
        await asyncio.sleep(0)
        answer = suspend(question)
        await asyncio.sleep(0)
        sent = yield answer
        if sent:
            respond(f"sent {sent}")


@deflow
async def by_a_flow(questions):
    for question in questions:
        yield question, await ask(question), await doubled(len(question))
    respond("end")


@deflow
async def all_loops(questions):
    found = []
    async for answer in answers(questions):
        found.append(answer)
    else:
        found.append("else")
    async for question, answer, twice in by_a_flow(questions):
        if answer == "skip":
            continue
        if answer == "stop":
            break
        found.append((question, answer, twice))
    else:
        found.append("else")
    return found


@deflow
async def waits_between(questions):
    return [(answer, suspend("mine"), await ask("yours")) async for answer in answers(questions)]


@deflow
async def waits_at_the_end(questions):
    async for answer in answers(questions):
        respond(answer)
        await ask("at the end of the loop")


@deflow
async def by_anext(questions):
    generator = answers(questions)
    same = generator
    first = await anext(generator)
    second = await same.asend("one")
    return [first, second, await anext(generator, "none"), await anext(same, suspend("default"))]


@deflow
async def anext_in_expressions(questions):
    found = answers(questions)
    return [await anext(found) + await anext(found), {await anext(found, 0): await found.asend(1)}]


@deflow
async def anext_at_the_end():
    generator = answers(["a"])
    found = [await generator.__anext__()]
    try:
        found.append(await anext(generator))
    except StopAsyncIteration:
        found.append("end")
    return found


@deflow
async def comprehensions(questions):
    listed = [a async for a in answers(questions) if a]
    made = {a async for a in answers(questions)}
    pairs = {q: a async for q, a, _ in by_a_flow(questions)}
    nested = [(a, b) async for a in answers("x") async for b in answers(questions)]
    mixed = [(q, b) for q in questions async for b in answers(q)]
    return listed, sorted(made, key=str), pairs, nested, mixed


@deflow
async def nested(pages):
    for page in pages:
        async for answer in answers(page):
            yield answer
            respond("between")
    yield await ask("last")


@deflow
async def goes_through(pages):
    found = []
    async for each in nested(pages):
        found.append(each)
        await asyncio.sleep(0)
        if each == 2:
            found.append(suspend("between"))
    return found


@deflow
async def two_at_once(questions):
    one, other = answers(questions), answers(questions)
    found = []
    async for answer in one:
        found.append((answer, await anext(other, "none")))
    return found


@deflow
async def catches():
    while True:
        try:
            yield await ask("yield")
        except ValueError as error:
            yield await ask(f"after {error}"), str(error.__context__)
        finally:
            respond(await ask("finally"))


@deflow
async def thrown_in():
    generator = catches()
    found = [await anext(generator)]
    found.append(await generator.athrow(ValueError("in")))
    found.append(await anext(generator))
    try:
        await generator.athrow(KeyError("out"))
    except KeyError as error:
        found.append(str(error))
    found.append(await anext(generator, "ended"))
    return found


@deflow
async def sees_it_fail():
    try:
        async for answer in answers(["a"]):
            raise LookupError(answer)
    except LookupError as error:
        respond(str(error))
    return "seen"


@deflow
async def under_finally(questions):
    try:
        async for answer in answers(questions):
            if answer == "leave":
                return "left"
    finally:
        respond(await ask("bye"))
    return "through"


class Form:
    def __init__(self, fields):
        self.fields = fields

    @deflow
    async def filled(self):
        for field in self.fields:
            yield field, suspend(field)

    @deflow
    async def fill(self):
        return {field: value async for field, value in self.filled()}


@deflow
async def fills(form):
    return await form.fill(), [each async for each in form.filled()]


@deflow
async def rebinds(questions):
    generator = answers(questions)
    first = await anext(generator)
    generator = answers([first, *questions])
    return first, [each async for each in generator]


@deflow
async def in_a_circle(depth):
    yield await ask(f"at {depth}")
    if depth:
        async for each in in_a_circle(depth - 1):
            yield each


@deflow
async def circles():
    return [each async for each in in_a_circle(2)]


FLOWS = [
    (all_loops, [["a", "b"]], range(6)),
    (all_loops, [["a", "b", "c"]], [1, 2, 3, "skip", 5, "stop"]),
    (all_loops, [[]], []),
    (waits_between, [["a", "b"]], range(9)),
    (waits_at_the_end, [["a", "b"]], range(9)),
    (by_anext, [["a", "b", "c"]], range(9)),
    (by_anext, [["a", "b"]], range(9)),
    (anext_in_expressions, ["abcd"], range(9)),
    (anext_at_the_end, [], [1]),
    (comprehensions, [["a", "bb"]], range(30)),
    (goes_through, [["ab", "", "c"]], range(9)),
    (two_at_once, [["a", "b"]], range(9)),
    (thrown_in, [], range(20)),
    (sees_it_fail, [], range(9)),
    (under_finally, [["a", "b"]], [1, "leave", "bye"]),
    (under_finally, [["a", "b"]], range(9)),
    (fills, [Form(["a", "b"])], range(9)),
    (rebinds, [["a", "b"]], range(9)),
    (circles, [], range(9)),
]


def _names(case):
    return getattr(case, "__name__", None)


@pytest.mark.parametrize(("flow", "args", "events"), FLOWS, ids=_names)
def test_a_flow_does_what_the_plain_function_does(flow, args, events):
    expected = interpret(flow, args, events)

    assert expected.waiting_for is None
    assert play(flow, args, events) == expected


@pytest.mark.parametrize(("flow", "args", "events"), FLOWS, ids=_names)
def test_an_exception_arrives_where_the_generator_waits(flow, args, events):
    events = list(events)
    for number in range(len(interpret(flow, args, events).asked)):
        thrown = [*events[:number], Throw(ValueError("thrown")), *events[number + 1 :]]

        assert play(flow, args, thrown) == interpret(flow, args, thrown)


@deflow
async def goes_through_what_it_is_given(generator):
    return [each async for each in generator]


@deflow
async def hands_over():
    return await goes_through_what_it_is_given(answers("a"))


@deflow
async def by_call():
    return await call(anext, answers("a"))


@deflow
async def awaits_later():
    awaitable = anext(answers("a"))
    return await awaitable


async def plain(generator):
    return [each async for each in generator]


@deflow
async def through_plain_code():
    return await plain(answers("a"))


@deflow
async def asked_rightly():
    return [each async for each in answers("a")]


@deflow
async def takes_it_by_calls(generator):
    found = []
    while True:
        try:
            found.append(await generator.__anext__())
        except StopAsyncIteration:
            return found


@deflow
async def asked_through_a_parameter():
    return await takes_it_by_calls(answers("a"))


@pytest.fixture
def engine():
    return Engine("memory://")


@pytest.mark.parametrize("flow", [hands_over, by_call, awaits_later])
def test_where_no_text_shows_who_asks_it_is_refused_with_what_helps(engine, flow):
    remedy = (
        "call answers in the `async for` that goes through it, "
        "or write `await generator.__anext__()`"
    )
    with printed(remedy):
        asyncio.run(engine.astart_flow(flow))

    for rightly in asked_rightly, asked_through_a_parameter:
        assert play(rightly, [], [1]) == interpret(rightly, [], [1])


def test_one_that_plain_code_goes_through_is_refused(engine):
    with printed("plain"):
        asyncio.run(engine.astart_flow(through_plain_code))


@deflow
async def hands_on(generator):
    async for each in generator:
        yield each


@deflow
async def through_one_that_hands_on():
    return [each async for each in hands_on(answers("a"))]


def test_a_generator_that_hands_on_what_it_is_given_must_show_it(engine):
    with printed("call answers in the `async for` that goes through it)"):
        asyncio.run(engine.astart_flow(through_one_that_hands_on))

    assert play(goes_through, ["a"], range(3)) == interpret(goes_through, ["a"], range(3))


@deflow
async def asks_what_it_is_given(flow):
    yield await flow("a")


@deflow
async def gives_a_flow():
    return [each async for each in asks_what_it_is_given(ask)]


@deflow
async def asks_by_call(flow):
    yield await call(flow, "a")


@deflow
async def gives_a_flow_to_call():
    return [each async for each in asks_by_call(ask)]


def test_a_generator_whose_text_shows_no_wait_is_refused_with_what_helps(engine):
    with printed("write `await call(flow, …)`"):
        asyncio.run(engine.astart_flow(gives_a_flow))

    assert play(gives_a_flow_to_call, [], [1]) == interpret(gives_a_flow, [], [1])


@deflow
async def closed_early():
    generator = catches()
    first = await anext(generator)
    await generator.aclose()
    return first


@deflow
async def waits_before_it_closes():
    generator = answers("ab")
    try:
        return await anext(generator)
    finally:
        respond(await ask("bye"))
        await generator.aclose()


@asynccontextmanager
@deflow
async def session(name):
    yield suspend(name)


@deflow
async def enters():
    async with session("open") as opened:
        return opened


def test_one_that_waits_when_it_is_closed_is_refused_with_what_helps(engine):
    run = asyncio.run(engine.astart_flow(closed_early))
    with printed("wait in the flow itself, before it closes the generator") as refused:
        asyncio.run(engine.aprocess_event(run.id, "yield", 1))

    assert "closes the asynchronous generator catches" in str(refused.value)
    assert engine.get_run(run.id).waiting_for == "yield"
    told = interpret(waits_before_it_closes, [], [1, 2])
    assert play(waits_before_it_closes, [], [1, 2]) == told


def test_a_manager_whose_generator_waits_is_refused_with_what_helps(engine):
    with printed("wait in the flow itself, before the `with` or inside it"):
        asyncio.run(engine.astart_flow(enters))


@deflow
async def waits_in_its_finally():
    try:
        yield 1
    finally:
        await ask("bye")


@deflow
async def dropped():
    generator = waits_in_its_finally()
    first = await anext(generator)
    generator = None
    for _ in range(3):
        await asyncio.sleep(0)
    return first


def test_one_that_waits_when_it_is_dropped_is_refused(engine):
    with printed("waits for *bye* in a task or thread of its own"):
        asyncio.run(engine.astart_flow(dropped))


done: list[str] = []


@deflow
async def cancelled_inside():
    try:
        yield suspend("a")
    except Cancelled:
        done.append("cleaned")
        raise
    finally:
        done.append("finally")


@deflow
async def is_cancelled():
    try:
        return [each async for each in cancelled_inside()]
    finally:
        done.append("left")


def test_a_cancelled_run_unwinds_through_the_generator(engine):
    done.clear()
    run = asyncio.run(engine.astart_flow(is_cancelled))
    run = asyncio.run(engine.acancel(run.id))

    assert (run.state, done) == ("cancelled", ["cleaned", "finally", "left"])


@deflow
async def waits_long(seen):
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        seen.append("cancelled")
    yield suspend("late")


@deflow
async def is_interrupted():
    seen = []
    task = asyncio.current_task()
    asyncio.get_running_loop().call_later(0.01, task.cancel)
    del task
    async for answer in waits_long(seen):
        seen.append(answer)
    return seen


def test_one_may_wait_when_its_task_was_cancelled_inside(engine):
    run = asyncio.run(engine.astart_flow(is_interrupted))

    assert run.waiting_for == "late"
    done = asyncio.run(engine.aprocess_event(run.id, "late", 1))
    assert done.result == ["cancelled", 1]


SURVEY = """
from longterm import deflow, suspend

@deflow
async def answers(questions):
    for question in questions:
        yield question, suspend(question)

@deflow
async def main():
    found = []
    async for question, answer in answers("ab"):
        found.append(answer)
    return found
"""


def test_the_frame_of_a_generator_goes_on_in_changed_code_as_any(engine, tmp_path, monkeypatch):
    with deploying("asked_async_survey", tmp_path, monkeypatch) as write:
        run = asyncio.run(engine.astart_flow(write(SURVEY).main))
        write(SURVEY.replace("yield question, suspend", "yield question.upper(), suspend"))
        with pytest.raises(FlowChanged, match="asked_async_survey:answers"):
            asyncio.run(engine.aprocess_event(run.id, "a", 1))
        assert engine.get_run(run.id).waiting_for == "a"

        write(SURVEY.replace("for question in q", "print\n    for question in q"))
        run = asyncio.run(engine.aprocess_event(run.id, "a", 1))
        assert asyncio.run(engine.aprocess_event(run.id, "b", 2)).result == [1, 2]


def test_what_a_waiting_generator_takes_in_the_store(engine):
    run = asyncio.run(engine.astart_flow(all_loops, ["a"]))
    plain = asyncio.run(engine.astart_flow(asks_by_itself, ["a"]))

    assert len(run.stack) - len(plain.stack) < 180


@deflow
async def asks_by_itself(questions):
    found = []
    for question in questions:
        found.append(await ask(question))
    return found


@deflow
async def with_one_inside(people):
    total = 0

    @deflow
    async def asked(questions):
        nonlocal total
        for question in questions:
            total += suspend(question)
            yield f"{question} of {people}", total

    found = [each async for each in asked("ab")]
    async for each in asked("c"):
        total += suspend("between")
        found.append(each)
    held = asked("de")
    return found, await anext(held), suspend("wait"), [each async for each in held], total


def test_one_that_stands_inside_a_flow_shares_its_variables():
    assert play(with_one_inside, ["two"], range(9)) == interpret(with_one_inside, ["two"], range(9))


def test_it_is_shown_where_such_a_run_stands(engine):
    run = asyncio.run(engine.astart_flow(goes_through, ["ab"]))

    stack = stack_of(run)
    assert [frame.source.strip() for frame in stack.frames] == [
        "async for each in nested(pages):",
        "async for answer in answers(page):",
        "answer = suspend(question)",
    ]
    assert "(generator)" in dict(stack.frames[-1].own)


def test_stored_bytes_must_fit_together():
    waiting = AsyncFlowGenerator(answers, None, Asked(closes=False))
    again = decode(encode(waiting))

    with pytest.raises(CorruptData, match="lack the frame of a generator that was asked"):
        again.__anext__()
    with pytest.raises(CorruptData, match="waits elsewhere"):
        answers("a").put_back(lambda: None)
    closing = encode(AsyncFlowGenerator(answers, None, Asked(closes=True)))
    with pytest.raises(CorruptData, match="does not wait while it is closed"):
        decode(closing)


@deflow
async def may_not_wait(client):
    yield await client.get("x")


@deflow
async def goes_through_another():
    return [each async for each in may_not_wait(None)]


def test_what_is_merely_awaited_makes_no_points():
    assert not flow_of(may_not_wait.__wrapped__).fresh.has_calls
    assert not flow_of(goes_through_another).fresh.points
