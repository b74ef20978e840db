# ruff: noqa: C402, C416 - what is tested is how comprehensions and builtins ask
"""Generators of flows that wait inside themselves, when they are asked for a value.

Each flow is compared with what it does uncompiled, where `suspend` returns at once; on the store it
is put away and loaded again at every suspend.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

from longterm import Cancelled, call, checkpoint, deflow, respond, step, suspend
from longterm._codec import decode, encode
from longterm._flows.generator import Asked, FlowGenerator
from longterm._flows.registry import flow_of
from longterm._stack_text import stack_of
from longterm.engine import Engine
from longterm.errors import CorruptData, FlowChanged
from longterm.testing import EXPIRE, Throw, interpret, play
from longterm_compiler.cli import main as compiled
from tests.advice import printed
from tests.runtime.deploying import deploying


@deflow
def ask(question):
    return suspend(question)


@step
def doubled(value):
    return value * 2


@deflow
def answers(questions):
    for question in questions:
        sent = yield suspend(question)
        if sent:
            respond(f"sent {sent}")
    return len(questions)


@deflow
def by_a_flow(questions):
    for question in questions:
        yield question, ask(question), doubled(len(question))
    respond("end")


@deflow
def all_loops(questions):
    found = []
    for answer in answers(questions):
        found.append(answer)
    else:
        found.append("else")
    for question, answer, twice in by_a_flow(questions):
        if answer == "skip":
            continue
        if answer == "stop":
            break
        found.append((question, answer, twice))
    else:
        found.append("else")
    return found


@deflow
def waits_between(questions):
    return [(answer, suspend("mine"), ask("yours")) for answer in answers(questions)]


@deflow
def by_next(questions):
    generator = answers(questions)
    first = next(generator)
    second = generator.send("one")
    return [first, second, next(generator, "none"), next(generator, suspend("default"))]


@deflow
def by_next_in_expressions(questions):
    found = answers(questions)
    return [next(found) + next(found), {next(found, 0): found.send("more")}]


@deflow
def next_at_the_end():
    generator = answers(["a"])
    found = [next(generator)]
    try:
        found.append(next(generator))
    except StopIteration as end:
        found.append(end.value)
    return found


@deflow
def comprehensions(questions):
    listed = [a for a in answers(questions) if a]
    made = {a for a in answers(questions)}
    pairs = {q: a for q, a, _ in by_a_flow(questions)}
    nested = [(a, b) for a in answers("x") for b in answers(questions)]
    return listed, sorted(made, key=str), pairs, nested


@deflow
def builtins(questions):
    return (
        list(answers(questions)),
        tuple(answers(questions)),
        sum(answers(questions)),
        any(answers(questions)),
        all(answers(questions)),
        max(answers(questions), key=lambda n: -n),
        sorted(answers(questions)),
        set(answers(questions)),
        dict((q, a) for q, a, _ in by_a_flow(questions)),
        next(answers(questions)),
        sum(a for a in answers(questions) if a),
    )


@deflow
def delegates(pages):
    count = 0
    for page in pages:
        count += yield from answers(page)
    respond(f"{count} in all")
    got = yield suspend("last")
    return count, got


@deflow
def goes_through(pages):
    found = []
    for answer in delegates(pages):
        found.append(answer)
    return found


@deflow
def sends_through(pages):
    generator = delegates(pages)
    found = [next(generator)]
    try:
        while True:
            found.append(generator.send(len(found)))
    except StopIteration as end:
        return found, end.value


@deflow
def tree(depth):
    if depth:
        yield from tree(depth - 1)
        yield depth, suspend(f"at {depth}")
        yield from tree(depth - 1)


@deflow
def walks(depth):
    return [node for node in tree(depth)]


@deflow
def guarded(name):
    try:
        with Noted(name):
            first = suspend("first")
            yield first
            yield suspend("second")
    except ValueError as error:
        yield "caught", str(error), suspend("in the handler")
    finally:
        respond(f"finally {suspend('in the finally')}")


class Noted:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        respond(f"{self.name} entered")

    def __exit__(self, *exc):
        respond(f"{self.name} left")


@deflow
def thrown_in():
    generator = guarded("x")
    found = [next(generator)]
    found.append(generator.throw(ValueError("no")))
    found.append(next(generator, "end"))
    return found


@deflow
def thrown_and_lost():
    generator = guarded("x")
    next(generator)
    try:
        generator.throw(KeyError("lost"))
    except KeyError as error:
        return str(error), next(generator, "end")


@deflow
def closed_early():
    generator = guarded("x")
    first = next(generator)
    generator.close()
    respond("closed")
    return first, next(generator, "end")


@deflow
def around(name):
    try:
        yield from guarded(name)
    finally:
        respond(f"around {suspend('around')}")


@deflow
def closed_through():
    generator = around("x")
    first = next(generator)
    generator.close()
    return first, next(generator, "end")


@deflow
def thrown_through():
    generator = around("x")
    first = next(generator)
    return first, generator.throw(ValueError("no")), list(generator)


@deflow
def stubborn():
    try:
        yield suspend("a")
    except GeneratorExit:
        yield suspend("b")


@deflow
def closes_the_stubborn():
    generator = stubborn()
    next(generator)
    try:
        generator.close()
    except RuntimeError as error:
        return str(error)


@deflow
def closed_at_its_own():
    try:
        yield 1
    finally:
        suspend("bye")


@deflow
def delegates_to_stubborn():
    try:
        yield from stubborn()
    except RuntimeError as error:
        respond(str(error))
        raise


@deflow
def closes_one_that_delegates():
    generator = delegates_to_stubborn()
    next(generator)
    try:
        generator.close()
    except RuntimeError as error:
        return str(error)


@deflow
def several(questions):
    one, other = answers(questions), by_a_flow(questions)
    shared = one
    found = []
    for answer in one:
        found += [answer, next(other), next(shared, None)]
        ask("between")
    return found, one is shared


@deflow
def fails():
    yield suspend("a")
    raise ValueError(suspend("b"))


@deflow
def sees_it_fail():
    found = []
    try:
        for answer in fails():
            found.append(answer)
    except ValueError as error:
        found.append(str(error))
    return found


@deflow
def times_out():
    yield suspend("a", expires=timedelta(hours=1), default="late")
    try:
        yield suspend("b", expires=timedelta(hours=1))
    except TimeoutError:
        yield "expired", suspend("c")


@deflow
def until_late():
    return [each for each in times_out()]


@deflow
def saves():
    yield 1
    checkpoint()
    yield doubled(2), suspend("a")
    checkpoint()


@deflow
def saved():
    return [*[each for each in saves()], checkpoint()]


@deflow
def stops_inside():
    yield ask("a")
    next(iter([ask("b")][1:]))


@deflow
def sees_it_stop():
    try:
        return [each for each in stops_inside()]
    except RuntimeError as error:
        return str(error)


@deflow
async def asynchronous(questions):
    found = [await suspend("before")]
    for answer in answers(questions):
        found.append((answer, await suspend("between")))
    return found


class Form:
    def __init__(self, fields):
        self.fields = fields

    @deflow
    def filled(self):
        for field in self.fields:
            yield field, suspend(field)

    @deflow
    def as_dict(self):
        return {field: value for field, value in self.filled()}

    @classmethod
    @deflow
    def named(cls, name):
        yield cls.__name__, name, suspend(name)


@deflow
def fills(form):
    found = []
    for field, value in form.filled():
        found.append((field, value))
    for each in Form.named("n"):
        found.append(each)
    return found, form.as_dict()


@deflow
def asks_what_it_is_given(generator):
    found = [call_next(generator)]
    while True:
        try:
            found.append(call_next(generator))
        except StopIteration:
            return found


@deflow
def call_next(generator):
    return call(next, generator)


@deflow
def hands_one_over(questions):
    generator = answers(questions)
    next(generator)
    found = asks_what_it_is_given(generator)
    return found, call(generator.send, None) if not found else None


@deflow
def waits_in_the_first_iterable(questions):
    return [a for a in answers([ask("which"), *questions])]


@deflow
def walrus(questions):
    for answer in (generator := answers(questions)):
        return answer, next(generator, "none"), list(generator)
    return None


@deflow
def in_a_try(questions):
    try:
        for answer in answers(questions):
            if answer == "leave":
                return "left"
    finally:
        respond(ask("bye"))
    return "through"


@deflow
def with_parameters(one, /, *others, key="k", **named):
    """Say what it is given."""
    yield one, suspend(key)
    yield others, suspend(key)
    yield named, suspend(key)


@deflow
def gives_parameters():
    return [each for each in with_parameters(1, 2, 3, key="x", more=4)]


FLOWS = [
    (all_loops, [["a", "b"]], range(6)),
    (all_loops, [["a", "b", "c"]], [1, 2, 3, "skip", 5, "stop"]),
    (all_loops, [[]], []),
    (waits_between, [["a", "b"]], range(9)),
    (by_next, [["a", "b", "c"]], range(9)),
    (by_next, [["a", "b"]], range(9)),
    (by_next, [["a"]], range(9)),
    (by_next_in_expressions, ["abcd"], range(9)),
    (next_at_the_end, [], [1]),
    (comprehensions, [["a", "bb"]], range(20)),
    (builtins, [["a", "bb"]], range(1, 40)),
    (goes_through, [["ab", "", "c"]], range(9)),
    (sends_through, [["ab", "", "c"]], range(9)),
    (walks, [3], range(9)),
    (thrown_in, [], range(9)),
    (thrown_and_lost, [], range(9)),
    (closed_early, [], range(9)),
    (closed_through, [], range(9)),
    (thrown_through, [], range(9)),
    (closes_the_stubborn, [], range(9)),
    (closes_one_that_delegates, [], range(9)),
    (several, [["a", "b", "c"]], range(20)),
    (sees_it_fail, [], range(9)),
    (until_late, [], [EXPIRE, EXPIRE, 3]),
    (until_late, [], [1, 2]),
    (saved, [], range(9)),
    (sees_it_stop, [], range(9)),
    (asynchronous, [["a", "b"]], range(9)),
    (fills, [Form(["a", "b"])], range(9)),
    (hands_one_over, [["a", "b", "c"]], range(9)),
    (waits_in_the_first_iterable, [["a"]], range(9)),
    (walrus, [["a", "b", "c"]], range(9)),
    (in_a_try, [["a", "b"]], [1, "leave", "bye"]),
    (in_a_try, [["a", "b"]], range(9)),
    (gives_parameters, [], range(9)),
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
def takes_it_all(generator):
    return list(generator)


@deflow
def takes_it_by_calls(generator):
    found = []
    while True:
        try:
            found.append(call(next, generator))
        except StopIteration:
            return found


@deflow
def by_c_code(how):
    if how == "enumerate":
        return list(enumerate(answers("a")))
    if how == "unpacked":
        (only,) = answers("a")
        return only
    return takes_it_all(answers("a"))


@deflow
def by_the_text(how):
    if how == "enumerate":
        number, found = 0, []
        for answer in answers("a"):
            found.append((number, answer))
            number = number + 1
        return found
    if how == "unpacked":
        (only,) = list(answers("a"))
        return only
    return takes_it_by_calls(answers("a"))


@pytest.fixture
def engine():
    return Engine("memory://")


@pytest.mark.parametrize("how", ["enumerate", "unpacked", "given"])
def test_where_no_text_shows_who_asks_it_is_refused_with_what_helps(engine, how):
    remedy = "call answers in the `for` that goes through it, or write `call(next, generator)`, *"
    with printed(remedy):
        engine.start_flow(by_c_code, how)

    run = engine.start_flow(by_the_text, how)
    assert engine.process_event(run.id, "a", 1).result == interpret(by_c_code, [how], [1]).result


@deflow
def refused_later():
    first = suspend("first")
    return first, takes_it_all(answers("a"))


def test_a_refused_run_is_as_it_was(engine):
    run = engine.start_flow(refused_later)
    with printed("call answers in the `for`"):
        engine.process_event(run.id, "first", 1)

    assert engine.get_run(run.id).waiting_for == "first"


@deflow
def hands_on(generator):
    yield from generator


@deflow
def hands_on_by_calls(generator):
    while True:
        try:
            value = call(next, generator)
        except StopIteration:
            return
        yield value


@deflow
def goes_through_what_it_is_given(generator):
    return [each for each in generator]


@deflow
def through(hands):
    return [each for each in hands(answers("ab"))]


@deflow
def through_by_calls():
    return [each for each in hands_on_by_calls(answers("ab"))]


def test_a_comprehension_over_what_it_is_given_is_refused(engine):
    with printed("write `call(next, generator)`, which is a resume point wherever it stands"):
        engine.start_flow(goes_through_what_it_is_given, answers("a"))


def test_a_generator_that_hands_on_what_it_is_given_must_show_it(engine):
    with printed("write `call(next, generator)`, which is a resume point wherever it stands"):
        engine.start_flow(through, hands_on)

    assert play(through_by_calls, [], [1, 2]) == interpret(through_by_calls, [], [1, 2])


@contextmanager
@deflow
def asked_first(name):
    yield suspend(name)


@contextmanager
@deflow
def told(name):
    yield name


@deflow
def enters():
    with asked_first("a") as found:
        return found, suspend("b")


@deflow
def waits_before():
    with told(suspend("a")) as found:
        return found, suspend("b")


def test_a_manager_whose_generator_waits_is_refused_with_what_helps(engine):
    with printed("wait in the flow itself, before the `with` or inside it") as refused:
        engine.start_flow(enters)

    assert "a part of contextlib" in str(refused.value)
    assert play(waits_before, [], range(3)).result == (0, 1)


done: list[str] = []


@deflow
def cancelled_inside():
    try:
        yield suspend("a")
    except Cancelled:
        done.append("cleaned")
        raise
    finally:
        done.append("finally")


@deflow
def is_cancelled():
    try:
        return [each for each in cancelled_inside()]
    finally:
        done.append("left")


def test_a_cancelled_run_unwinds_through_the_generator(engine):
    done.clear()
    run = engine.start_flow(is_cancelled)
    run = engine.cancel(run.id)

    assert (run.state, done) == ("cancelled", ["cleaned", "finally", "left"])


def test_an_exception_of_the_generator_shows_where_it_was(engine):
    run = engine.start_flow(fails_at_once)
    with pytest.raises(ZeroDivisionError) as raised:
        engine.process_event(run.id, "a", 0)

    names = [
        entry.name for entry in raised.traceback if entry.path.name == __file__.rpartition("/")[2]
    ]
    assert names[-2:] == ["fails_at_once", "divides"]


@deflow
def divides():
    yield 1 / suspend("a")


@deflow
def fails_at_once():
    return [each for each in divides()]


SURVEY = """
from longterm import deflow, suspend

@deflow
def answers(questions):
    for question in questions:
        yield question, suspend(question)

@deflow
def main():
    found = []
    for question, answer in answers("ab"):
        found.append(answer)
    return found
"""


def test_the_frame_of_a_generator_goes_on_in_changed_code_as_any(engine, tmp_path, monkeypatch):
    with deploying("asked_survey", tmp_path, monkeypatch) as write:
        run = engine.start_flow(write(SURVEY).main)
        write(SURVEY.replace("yield question, suspend", "yield question.upper(), suspend"))
        with pytest.raises(FlowChanged, match="asked_survey:answers"):
            engine.process_event(run.id, "a", 1)
        assert engine.get_run(run.id).waiting_for == "a"

        write(
            SURVEY.replace(
                "    for question in questions:", "    print\n    for question in questions:"
            )
        )
        run = engine.process_event(run.id, "a", 1)
        assert engine.process_event(run.id, "b", 2).result == [1, 2]


FORMS = """
from longterm import deflow, suspend

@deflow
def answers(questions):
    yield from asked(questions)

@deflow
def asked(questions):
    for question in questions:
        yield suspend(question)

@deflow
def numbers(end):
    yield from range(end)

class Form:
    @deflow
    def filled(self):
        yield suspend("field")

form = Form()
"""
USES_FORMS = """
import asked_forms
from asked_forms import Form, answers, form, numbers
from longterm import deflow, suspend

again = answers

@deflow
def main(given):
    found = [n for n in numbers(2)]
    for answer in answers("ab"):
        found.append(answer)
    for answer in again("c"):
        found.append(answer)
    for answer in asked_forms.asked("d"):
        found.append(answer)
    for answer in form.filled():
        found.append(answer)
    return found + [answer for answer in given.filled()]
"""


def test_what_is_imported_is_told_by_what_it_is(engine, tmp_path, monkeypatch, capsys):
    (tmp_path / "asked_forms.py").write_text(FORMS)
    with deploying("asked_uses", tmp_path, monkeypatch) as write:
        module = write(USES_FORMS)
        run = engine.start_flow(module.main, module.form)
        for number, name in enumerate(["a", "b", "c", "d", "field", "field"]):
            assert run.waiting_for == name
            run = engine.process_event(run.id, name, number)
        assert run.result == [0, 1, 0, 1, 2, 3, 4, 5]

        # The command line reads the source, and says the same of it.
        monkeypatch.chdir(tmp_path)
        assert compiled(["asked_uses:main", "--points", "--color=never"]) == 0
        assert flow_of(module.main).version in capsys.readouterr().out


def test_a_generator_that_may_not_wait_makes_no_points():
    @deflow
    def goes_through():
        return [number for number in plain_numbers()] + list(plain_numbers())

    assert flow_of(goes_through).fresh.points == {}


@deflow
def plain_numbers():
    yield from range(3)


@deflow
def one_of_two():
    """They ask each other, and one of them waits: both may."""
    yield from other_of_two(1)


@deflow
def other_of_two(depth):
    if depth:
        yield from one_of_two_again(depth)


@deflow
def one_of_two_again(depth):
    yield from other_of_two(depth - 1)
    yield suspend("inside")


@deflow
def asks_the_two():
    return [each for each in one_of_two()]


def test_generators_may_ask_each_other_in_a_circle():
    assert play(asks_the_two, [], [1]) == interpret(asks_the_two, [], [1])


def test_it_is_shown_where_such_a_run_stands(engine):
    run = engine.start_flow(goes_through, ["ab"])

    stack = stack_of(run)
    assert [frame.flow.rpartition(":")[2] for frame in stack.frames] == [
        "goes_through",
        "delegates",
        "answers",
    ]
    assert [frame.source.strip() for frame in stack.frames] == [
        "for answer in delegates(pages):",
        "count += yield from answers(page)",
        "sent = yield suspend(question)",
    ]
    assert "(generator)" in dict(stack.frames[-1].own)


def test_what_a_waiting_generator_takes_in_the_store(engine):
    run = engine.start_flow(all_loops, ["a"])
    plain = engine.start_flow(asks_by_itself, ["a"])

    assert len(run.stack) - len(plain.stack) < 180


@deflow
def asks_by_itself(questions):
    found = []
    for question in questions:
        found.append(ask(question))
    return found


def test_stored_bytes_must_fit_together():
    decoded = decode(encode(FlowGenerator(plain_numbers, None, Asked(closes=False))))
    with pytest.raises(CorruptData, match="lack the frame of a generator"):
        next(decoded)
    with pytest.raises(CorruptData, match="waits elsewhere"):
        plain_numbers().put_back(lambda: None)
    with pytest.raises(TypeError, match="asked, or is closing"):
        Asked.of("else")


@deflow
def drops_it():
    generator = closed_at_its_own()
    found = next(generator)
    generator = None
    return found


@deflow
def closes_it():
    generator = closed_at_its_own()
    found = next(generator)
    generator.close()
    return found


def test_one_that_waits_when_it_is_dropped_is_refused_with_what_helps(engine):
    hooked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", hooked.append)
        with printed("call its `close()` before, where the flow may wait"):
            engine.start_flow(drops_it)
    assert len(hooked) == 1

    run = engine.start_flow(closes_it)
    assert engine.process_event(run.id, "bye").result == 1


@deflow
def with_one_inside(people):
    total = 0

    @deflow
    def asked(questions):
        nonlocal total
        for question in questions:
            total += suspend(question)
            yield f"{question} of {people}", total

    found = [each for each in asked("ab")]
    for each in asked("c"):
        total += suspend("between")
        found.append(each)
    held = asked("de")
    return found, next(held), suspend("wait"), list(held), total


def test_one_that_stands_inside_a_flow_shares_its_variables():
    assert play(with_one_inside, ["two"], range(9)) == interpret(with_one_inside, ["two"], range(9))
