"""Children: runs that a flow spawns, and whose ends it waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

import longterm
from longterm import (
    AlreadyTaken,
    CannotRestart,
    CannotStore,
    Child,
    ChildCancelled,
    ChildFailed,
    Engine,
    InvalidEventId,
    NotAFlow,
    NotInRun,
    RunState,
    TooManyChildren,
    checkpoint,
    current_run,
    deflow,
    gather,
    respond,
    spawn,
    suspend,
)
from longterm._turns import outgoing
from longterm.errors import StoreError
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock, WrongScript, interpret, play
from tests.store.postgres_server import PostgresServer

MINUTE = timedelta(minutes=1)


class OutOfStock(Exception):
    """An application's own."""


@deflow
def square(number):
    return number * number


@deflow
def fails(number):
    raise OutOfStock(f"no {number}")


@deflow
def fails_on_answer():
    raise OutOfStock(f"no {suspend('answer')}")


class Strange(Exception):
    def __init__(self):
        super().__init__("strange")
        self.lock = __import__("threading").Lock()


@deflow
def fails_strangely():
    raise Strange


@deflow
def asks(question):
    return f"{question}: {suspend('answer')}"


@deflow
async def asks_async(question):
    await asyncio.sleep(0)
    return f"{question}: {await suspend('answer')}"


@deflow
def one(flow, *args):
    return suspend(spawn(flow, *args))


@deflow
def twice(number):
    child = spawn(square, number)
    first = suspend(child)
    try:
        suspend(child)
    except AlreadyTaken as error:
        return first, str(error)


@deflow
def race(*questions):
    children = [spawn(asks, question) for question in questions]
    what, value = suspend(*children)
    return children.index(what), value


@deflow
def race_with_event(question):
    child = spawn(asks, question)
    match suspend("stop", child):
        case ("stop", why):
            return f"stopped: {why}"
        case (Child(), answer):
            return answer


@deflow
def all_squares(count):
    return gather(*[spawn(square, number) for number in range(count)])


@deflow
def all_answers(*questions):
    return gather(*[spawn(asks, question) for question in questions])


@deflow
def in_order(*questions):
    return [suspend(child) for child in [spawn(asks, question) for question in questions]]


@deflow
def first_failure():
    children = [spawn(asks, "slow"), spawn(fails, 2), spawn(asks, "slower")]
    try:
        gather(*children)
    except OutOfStock as error:
        return str(error), current_run().id, suspend("more")


@deflow
def tree(depth):
    if depth == 0:
        return 1
    return sum(gather(spawn(tree, depth - 1), spawn(tree, depth - 1)))


@deflow
def fails_after_it(number):
    spawn(square, number)
    raise OutOfStock("after all")


@deflow
def fails_later(question):
    child = spawn(asks, question)
    suspend("go")
    if faults:
        raise OutOfStock(faults.pop())
    return suspend(child)


@deflow
def leaves_it(question):
    respond(spawn(asks, question).run_id)
    return suspend("done")


@deflow
def cancels_it(question):
    child = spawn(asks, question)
    suspend("go")
    child.cancel()
    try:
        return suspend(child)
    except ChildCancelled:
        return "cancelled"


@deflow
def waits_for(child):
    return suspend(child)


@deflow
def spawns_and_saves(number):
    child = spawn(square, number)
    checkpoint()
    return suspend(child)


@deflow
async def async_parent():
    children = [spawn(asks_async, "a"), spawn(square, 3)]
    return await gather(*children)


@deflow
def holds_a_lock():
    return suspend(spawn(one, __import__("threading").Lock()))


faults: list[str] = []


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Any) -> Iterator[Engine]:
    match request.param:
        case "memory":
            yield Engine("memory://", clock=clock)
        case "sqlite":
            with closing(Engine(f"sqlite:///{tmp_path}/runs.db", clock=clock).store) as store:
                yield Engine(store, clock=clock)
        case _:
            pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: it needs psycopg")
            server: PostgresServer = request.getfixturevalue("server")
            name = request.getfixturevalue("fresh_database")()
            from longterm.store.postgres import PostgresStore

            with PostgresStore(server.url(name)) as postgres:
                yield Engine(postgres)


def children_of(engine: Engine, run: Any) -> list[Any]:
    return [child for child in engine.find_runs() if child.parent == run.id]


def test_a_child_returns_its_result(engine):
    run = engine.start_flow(one, square, 3)

    assert (run.state, run.result, run.children) == (RunState.COMPLETE, 9, ())
    (child,) = children_of(engine, run)
    assert (child.state, child.result) == (RunState.COMPLETE, 9)


def test_a_child_waits_for_events_of_its_own(engine):
    run = engine.start_flow(one, asks, "tea?")
    (child,) = children_of(engine, run)

    assert run.children == (child.id,)
    assert run.waiting_for == f"run:{child.id}"
    assert (child.state, child.waiting_for) == (RunState.SUSPENDED, "answer")
    done = engine.process_event(child.id, "answer", "yes")

    assert done.result == "tea?: yes"
    assert engine.get_run(run.id).result == "tea?: yes"


def test_its_exception_is_raised_at_the_suspend(engine):
    run = engine.start_flow(one, fails, 3)

    assert run.state is RunState.FAILED
    assert "OutOfStock: no 3" in run.error
    assert "of flow tests.runtime.test_children:fails failed in turn 2" in run.error


def test_an_exception_that_cannot_be_stored_is_told_as_text(engine):
    run = engine.start_flow(one, fails_strangely)

    assert f"{ChildFailed.__name__}: run " in run.error
    assert "Strange: strange" in run.error


def test_a_failed_child_is_over_once_its_parent_was_told(engine):
    engine.start_flow(one, fails, 3)
    (child,) = engine.find_runs(flow=fails)

    with pytest.raises(CannotRestart, match="its parent has been told"):
        engine.retry(child.id)

    assert engine.get_run(child.id).state is RunState.FAILED


def test_a_child_that_fails_by_its_own_event_tells_its_parent_before_the_call_raises(engine):
    run = engine.start_flow(one, fails_on_answer)

    with pytest.raises(OutOfStock, match="no tea"):
        engine.process_event(run.children[0], "answer", "tea")

    assert "OutOfStock: no tea" in engine.get_run(run.id).error


def test_a_result_is_taken_once(engine):
    run = engine.start_flow(twice, 3)

    assert run.result[0] == 9
    assert "its result was taken before" in run.result[1]


def test_the_first_of_several_counts_and_the_others_are_cancelled_at_the_end(engine):
    run = engine.start_flow(race, "a", "b", "c")
    children = {child.flow: child for child in children_of(engine, run)}
    assert len(run.children) == 3
    second = run.children[1]

    engine.process_event(second, "answer", "yes")

    assert engine.get_run(run.id).result == (1, "b: yes")
    states = {child.id: child.state for child in children_of(engine, run)}
    assert states.pop(second) is RunState.COMPLETE
    assert set(states.values()) == {RunState.CANCELLED}
    assert children


def test_a_child_and_an_event_side_by_side(engine):
    stopped = engine.start_flow(race_with_event, "a")
    answered = engine.start_flow(race_with_event, "b")

    engine.process_event(stopped.id, "stop", "late")
    engine.process_event(answered.children[0], "answer", "yes")

    assert engine.get_run(stopped.id).result == "stopped: late"
    assert engine.get_run(stopped.children[0]).state is RunState.CANCELLED
    assert engine.get_run(answered.id).result == "b: yes"


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_gather_returns_all_results_in_order(engine, count):
    run = engine.start_flow(all_squares, count)

    assert run.result == [number * number for number in range(count)]
    assert run.children == ()


def test_gather_is_a_list_of_suspends(engine):
    answers = {"a": "1", "b": "2", "c": "3"}
    results = []
    for flow in (all_answers, in_order):
        run = engine.start_flow(flow, *answers)
        for child in reversed(run.children):
            assert engine.get_run(run.id).state is RunState.SUSPENDED
            engine.process_event(child, "answer", child)
        results.append([text[:3] for text in engine.get_run(run.id).result])

    assert results == [["a: ", "b: ", "c: "]] * 2


def test_gather_raises_the_first_failure_at_once(engine):
    run = engine.start_flow(first_failure)

    assert run.waiting_for == "more"
    assert len(run.children) == 2
    assert engine.process_event(run.id, "more", 1).result == ("no 2", run.id, 1)


def test_children_have_children(engine):
    run = engine.start_flow(tree, 3)

    assert run.result == 8
    assert len(engine.find_runs(flow=tree)) == 15


def test_a_turn_that_fails_begins_none(engine):
    with pytest.raises(OutOfStock):
        engine.start_flow(fails_after_it, 3)

    assert engine.find_runs(flow=square) == []


def test_children_stay_when_their_parent_fails(engine):
    run = engine.start_flow(fails_later, "tea?")
    (child,) = children_of(engine, run)
    faults.append("fault")
    with pytest.raises(OutOfStock):
        engine.process_event(run.id, "go")

    engine.process_event(child.id, "answer", "yes")
    engine.retry(run.id)
    if engine.get_run(run.id).waiting_for == "go":
        engine.process_event(run.id, "go")

    assert engine.get_run(run.id).result == "tea?: yes"


@pytest.mark.parametrize("force", [False, True])
def test_children_are_cancelled_with_their_parent(engine, force):
    run = engine.start_flow(leaves_it, "tea?")
    (child,) = children_of(engine, run)
    assert run.response == [child.id]

    engine.cancel(run.id, force=force)

    assert engine.get_run(run.id).state is RunState.CANCELLED
    assert engine.get_run(child.id).state is RunState.CANCELLED


def test_children_are_cancelled_when_their_parent_is_complete(engine):
    run = engine.start_flow(leaves_it, "tea?")

    engine.process_event(run.id, "done", 1)

    (child,) = children_of(engine, run)
    assert child.state is RunState.CANCELLED


def test_a_flow_cancels_its_child(engine):
    run = engine.start_flow(cancels_it, "tea?")

    engine.process_event(run.id, "go")

    assert engine.get_run(run.id).result == "cancelled"


def test_somebody_else_cancels_a_child(engine):
    run = engine.start_flow(one, asks, "tea?")

    engine.cancel(run.children[0])

    failed = engine.get_run(run.id)
    assert failed.state is RunState.FAILED
    assert "ChildCancelled" in failed.error


def test_only_the_run_that_spawned_it_waits_for_a_child(engine):
    other = engine.start_flow(leaves_it, "tea?")

    with pytest.raises(AlreadyTaken):
        engine.start_flow(waits_for, Child(other.children[0]))


def test_a_child_is_begun_at_a_checkpoint(engine):
    assert engine.start_flow(spawns_and_saves, 3).result == 9


def test_async_flows_have_children(engine):
    async def story():
        run = await engine.astart_flow(async_parent)
        child = next(one for one in children_of(engine, run) if "asks" in one.flow)
        await engine.aprocess_event(child.id, "answer", "yes")
        return engine.get_run(run.id)

    assert asyncio.run(story()).result == ["a: yes", 9]


@deflow
def cannot_go_on_after_a_checkpoint():
    number = suspend("number")
    spawn(square, number)
    checkpoint()
    plain()


def plain():
    return suspend("never")


def test_what_a_checkpoint_has_saved_stays_when_the_turn_is_parked(engine):
    run = engine.start_flow(cannot_go_on_after_a_checkpoint)
    engine.send(run.id, "number", 3)

    while engine.run_pending():
        pass

    parked = engine.get_run(run.id)
    (child,) = children_of(engine, run)
    assert "plain function" in parked.error
    assert (parked.waiting_for, parked.children) == ("longterm.checkpoint", (child.id,))
    assert child.result == 9


@deflow
def exits_after_a_checkpoint():
    number = suspend("number")
    spawn(square, number)
    checkpoint()
    raise SystemExit(3)


def test_what_a_checkpoint_has_saved_stays_when_the_flow_exits(engine):
    run = engine.start_flow(exits_after_a_checkpoint)
    engine.send(run.id, "number", 3)
    thread = threading.Thread(target=engine.run_pending)
    thread.start()
    thread.join()

    failed = engine.get_run(run.id)
    assert (failed.state, failed.waiting_for) == (RunState.FAILED, "longterm.checkpoint")
    assert failed.children == tuple(child.id for child in children_of(engine, run))


turns = {"begun": threading.Event(), "go": threading.Event()}


@deflow
def slow_between():
    first, second = spawn(asks, "a"), spawn(asks, "b")
    answers = [suspend(first)]
    turns["begun"].set()
    assert turns["go"].wait(30)
    return [*answers, suspend(second)]


def test_a_child_ends_while_another_thread_runs_its_parent(engine):
    for event in turns.values():
        event.clear()
    run = engine.start_flow(slow_between)
    first, second = run.children
    other = threading.Thread(target=engine.process_event, args=(first, "answer", 1))
    other.start()
    assert turns["begun"].wait(30)

    engine.process_event(second, "answer", 2)
    turns["go"].set()
    other.join()

    assert engine.get_run(run.id).result == ["a: 1", "b: 2"]


@deflow
def fails_with_a_child():
    spawn(asks, "tea?")
    suspend("go")
    raise OutOfStock("none")


def test_children_of_a_failed_child_are_cancelled(engine):
    top = engine.start_flow(one, fails_with_a_child)
    with pytest.raises(OutOfStock):
        engine.process_event(top.children[0], "go")

    (grandchild,) = engine.find_runs(flow=asks)
    assert grandchild.state is RunState.CANCELLED
    assert engine.get_run(top.children[0]).children == ()
    assert engine.get_run(top.id).state is RunState.FAILED


def test_a_family_that_ends_together_warns_of_nothing(engine, caplog):
    run = engine.start_flow(leaves_it, "tea?")

    engine.process_event(run.id, "done", 1)

    assert caplog.records == []


def test_what_cannot_be_stored_is_refused_at_the_spawn(engine):
    with pytest.raises(CannotStore, match="lock"):
        engine.start_flow(holds_a_lock)

    assert engine.find_runs() == []


def test_left_to_workers(engine):
    engine = Engine(engine.store, clock=engine.clock, inline=False)
    run = engine.start_flow(all_squares, 3)
    assert {child.waiting_for for child in children_of(engine, run)} == {"longterm.start"}

    while engine.run_pending():
        pass

    assert engine.get_run(run.id).result == [0, 1, 4]


def test_too_many(engine, monkeypatch):
    monkeypatch.setattr(outgoing, "MOST_CHILDREN", 5)

    assert engine.start_flow(all_squares, 5).state is RunState.COMPLETE
    with pytest.raises(TooManyChildren):
        engine.start_flow(all_squares, 6)


def test_misuse():
    with pytest.raises(NotInRun, match="spawn"):
        spawn(square, 1)
    with pytest.raises(NotInRun, match="gather"):
        gather()
    with pytest.raises(NotInRun, match="cancel"):
        Child("x").cancel()


@deflow
def gathers(*values):
    return gather(*values)


@deflow
def spawns(value):
    return spawn(value)


def test_what_is_no_child_or_no_flow_is_refused(engine):
    with pytest.raises(InvalidEventId, match="gather waits for children"):
        engine.start_flow(gathers, "event")
    with pytest.raises(NotAFlow):
        engine.start_flow(spawns, len)


@pytest.mark.parametrize("name", ["run:x", "longterm.cancel"])
def test_nobody_else_can_send_the_end_of_a_child(engine, name):
    run = engine.start_flow(one, asks, "tea?")

    for send in (engine.send, engine.process_event, longterm.process_event):
        with pytest.raises(InvalidEventId):
            send(run.id, name, ["result", 1])


@deflow
def counts_failures(*numbers):
    failures = 0
    children = [spawn(fails if number < 0 else square, number) for number in numbers]
    for child in children:
        try:
            respond(suspend(child))
        except OutOfStock:
            failures += 1
    return failures, gather(*[spawn(square, number) for number in numbers]), suspend("more")


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [
        (one, (square, 3), []),
        (all_squares, (5,), []),
        (all_squares, (0,), []),
        (tree, (2,), []),
        (spawns_and_saves, (3,), []),
        (counts_failures, (1, -2, 3, -4), ["yes"]),
        (counts_failures, (1, -2), []),
    ],
)
def test_compiled_and_interpreted_do_the_same(flow, args, events):
    assert play(flow, args, events) == interpret(flow, args, events)


def test_a_script_has_no_events_for_children():
    with pytest.raises(WrongScript, match="child asks waits for 'answer'"):
        interpret(one, [asks, "tea?"])


@deflow
def changes_its_mind():
    suspend("begin")
    first, second = spawn(waits_for_ever), spawn(waits_for_ever)
    suspend("cancel")
    second.cancel()
    return suspend(first)


@deflow
def waits_for_ever():
    suspend("never")


class OutOfReach(MemoryStore):
    is_out_of_reach = False

    def create(self, run):
        if self.is_out_of_reach:
            raise StoreError("out of reach")
        return super().create(run)


def test_a_child_whose_begin_comes_late_is_begun_before_it_is_cancelled(clock):
    store = OutOfReach()
    engine = Engine(store, clock=clock)
    run = engine.start_flow(changes_its_mind)
    store.is_out_of_reach = True
    engine.process_event(run.id, "begin")
    engine.process_event(run.id, "cancel")  # both messages to the second child are due together now
    store.is_out_of_reach = False
    for _ in range(9):
        clock.advance(timedelta(minutes=1))
        engine.run_pending()

    states = [child.state for child in engine.find_runs(flow=waits_for_ever)]
    assert sorted(states) == [RunState.CANCELLED, RunState.SUSPENDED]
