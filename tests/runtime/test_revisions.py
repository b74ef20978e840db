"""An event that is meant for one save of a run is accepted only while the run rests there."""

import asyncio
import threading

import pytest

from longterm import (
    Engine,
    KeyReused,
    NotSupported,
    RunBusy,
    RunComplete,
    RunNotSuspended,
    StaleEvent,
    WrongEvent,
    deflow,
    suspend,
)
from longterm.cli import main
from longterm.store.memory import MemoryStore
from tests.runtime.test_first_turn import FourMethods

begun, go_on = threading.Event(), threading.Event()


@pytest.fixture
def engine(each_engine):
    begun.clear()
    go_on.clear()
    return each_engine


@deflow
def asks():
    return [suspend("answer"), suspend("answer"), suspend("else", "answer")]


@deflow
async def asks_in_loop():
    return [await suspend("answer"), await suspend("answer")]


@deflow
def holds():
    suspend("answer")
    begun.set()
    assert go_on.wait(10)
    return suspend("answer")


@deflow
def fails():
    suspend("answer")
    raise ValueError("no")


def doors(engine):
    return [engine.process_event, engine.send]


def without_turn(run):
    return {**run.to_dict(), "turn": None, "stack": run.stack, "saved_turn": run.saved_turn}


# -- process_event -------------------------------------------------------------------------------


def test_second_click_is_refused(engine):
    run = engine.start_flow(asks)
    page = run.revision
    after = engine.process_event(run.id, "answer", "yes", revision=page)

    with pytest.raises(StaleEvent, match=f"revision {page}: it is at revision") as stale:
        engine.process_event(run.id, "answer", "yes", revision=page)

    assert (stale.value.revision, stale.value.current) == (page, after.revision)
    assert without_turn(engine.get_run(run.id)) == without_turn(after)
    assert engine.get_run(run.id).state == "suspended"
    assert engine.process_event(run.id, "answer", 2, revision=after.revision).awaits == (
        "else",
        "answer",
    )


def test_refused_events_make_no_page_stale(engine):
    run = engine.start_flow(asks)
    for _ in range(2):
        with pytest.raises(StaleEvent):
            engine.process_event(run.id, "answer", "yes", revision=run.revision + 1)
        with pytest.raises(WrongEvent):
            engine.process_event(run.id, "question", "yes", revision=run.revision)

    assert engine.process_event(run.id, "answer", 1, revision=run.revision).revision > run.revision


def test_old_page_is_stale_whatever_the_run_waits_for_now(engine):
    run = engine.start_flow(asks)
    engine.process_event(run.id, "answer")
    engine.process_event(run.id, "answer")

    with pytest.raises(StaleEvent):
        engine.process_event(run.id, "answer", revision=run.revision)  # one of two
    with pytest.raises(StaleEvent):
        engine.process_event(run.id, "question", revision=run.revision)


def test_repeat_by_key_is_known_before_the_revision_is_compared(engine):
    run = engine.start_flow(asks)
    done = engine.process_event(run.id, "answer", 1, key="click", revision=run.revision)

    again = engine.process_event(run.id, "answer", 1, key="click", revision=run.revision)
    assert (again.is_duplicate, again.revision) == (True, done.revision)
    assert engine.send(run.id, "answer", 1, key="click", revision=run.revision).is_duplicate
    for door in doors(engine):
        with pytest.raises(KeyReused):
            door(run.id, "answer", 2, key="click", revision=run.revision)


def test_stale_event_does_not_take_its_key(engine):
    run = engine.start_flow(asks)
    with pytest.raises(StaleEvent):
        engine.process_event(run.id, "answer", 1, key="click", revision=99)

    assert not engine.process_event(run.id, "answer", 1, key="click").is_duplicate


def test_what_was_sent_before_comes_first_and_makes_it_stale(engine):
    run = engine.start_flow(asks)
    engine.send(run.id, "answer", "first")

    with pytest.raises(StaleEvent):
        engine.process_event(run.id, "answer", "second", revision=run.revision)

    now = engine.get_run(run.id)
    assert (now.unread, now.revision > run.revision) == ((), True)


def test_async_flow_is_guarded_too(engine):
    async def run_it():
        run = await engine.astart_flow(asks_in_loop)
        with pytest.raises(StaleEvent):
            await engine.aprocess_event(run.id, "answer", 1, revision=run.revision + 1)
        done = await engine.aprocess_event(run.id, "answer", 1, revision=run.revision)
        with pytest.raises(StaleEvent):
            await engine.asend(run.id, "answer", 1, revision=run.revision)
        assert (await engine.asend(run.id, "answer", 2, revision=done.revision)).number == 1
        await engine.arun_pending()
        return await engine.aget_run(run.id)

    assert asyncio.run(run_it()).result == [1, 2]


# -- both doors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", [0, 1])
def test_turn_under_way_is_busy_and_then_stale(engine, door):
    run = engine.start_flow(holds)
    turn = threading.Thread(target=engine.process_event, args=(run.id, "answer"))
    turn.start()
    assert begun.wait(10)

    with pytest.raises(RunBusy):
        doors(engine)[door](run.id, "answer", revision=run.revision)
    go_on.set()
    turn.join()
    with pytest.raises(StaleEvent):
        doors(engine)[door](run.id, "answer", revision=run.revision)
    assert engine.get_run(run.id).unread == ()


@pytest.mark.parametrize("door", [0, 1])
def test_run_that_does_not_wait_says_why(engine, door):
    failed, ended = engine.start_flow(fails), engine.start_flow(fails)
    with pytest.raises(ValueError, match="no"):
        engine.process_event(failed.id, "answer")
    engine.cancel(ended.id)
    complete = engine.start_flow(returns_at_once)

    with pytest.raises(RunNotSuspended, match="is failed"):
        doors(engine)[door](failed.id, "answer", revision=failed.revision)
    with pytest.raises(RunNotSuspended, match="is cancelled"):
        doors(engine)[door](ended.id, "answer", revision=ended.revision)
    with pytest.raises(RunComplete):
        doors(engine)[door](complete.id, "answer", revision=complete.revision)


@deflow
def returns_at_once():
    return 1


@pytest.mark.parametrize("door", [0, 1])
@pytest.mark.parametrize("given", ["1", 1.0, True])
def test_revision_is_a_number(engine, door, given):
    run = engine.start_flow(asks)

    with pytest.raises(TypeError, match=r"give `run\.revision`"):
        doors(engine)[door](run.id, "answer", revision=given)
    assert engine.get_run(run.id) == run


# -- send ----------------------------------------------------------------------------------------


def test_one_answer_is_stored_for_a_page(engine):
    run = engine.start_flow(asks)
    engine.send(run.id, "question", 0)
    engine.send(run.id, "answer", 1, revision=run.revision)

    with pytest.raises(StaleEvent, match="was sent an event, which it is about to read"):
        engine.send(run.id, "answer", 2, revision=run.revision)

    assert engine.get_run(run.id).unread == ("question", "answer")
    assert engine.get_run(run.id).revision == run.revision  # a `send` does not raise it
    engine.run_pending()
    with pytest.raises(StaleEvent, match="it is at revision"):
        engine.send(run.id, "answer", 2, revision=run.revision)
    assert engine.send(run.id, "answer", 2).number == 3


def test_of_concurrent_answers_one_is_stored(engine):
    run = engine.start_flow(asks)
    gate = threading.Barrier(8)
    outcomes = []

    def answer(number):
        gate.wait(10)
        try:
            outcomes.append(engine.send(run.id, "answer", number, revision=run.revision).number)
        except StaleEvent as error:
            outcomes.append(error)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each for each in outcomes if not isinstance(each, StaleEvent)] == [1]
    assert engine.get_run(run.id).unread == ("answer",)


# -- stores --------------------------------------------------------------------------------------


def test_store_that_keeps_no_revision_says_so():
    class Forgets(MemoryStore):
        def create(self, run):
            return super().create(run.changed(saved_turn=None))

        def update(self, run):
            return super().update(run.changed(saved_turn=None))

    engine = Engine(Forgets())
    run = engine.start_flow(asks)
    assert run.revision == 0

    for door in doors(engine):
        with pytest.raises(NotSupported, match="revisions"):
            door(run.id, "answer", revision=0)
    now = engine.get_run(run.id)
    assert (now.state, now.unread) == ("suspended", ())


def test_inbox_that_takes_no_revision_says_so():
    class Older(MemoryStore):
        def post(self, event, *, limit):
            return super().post(event, limit=limit)

    engine = Engine(Older())
    run = engine.start_flow(asks)

    with pytest.raises(NotSupported, match="revision"):
        engine.send(run.id, "answer", revision=run.revision)
    assert engine.send(run.id, "answer").number == 1


def test_store_of_four_methods_guards_by_its_saved_turn():
    engine = Engine(FourMethods())
    run = engine.start_flow(asks)

    engine.process_event(run.id, "answer", revision=run.revision)
    with pytest.raises(StaleEvent):
        engine.process_event(run.id, "answer", revision=run.revision)


def test_command_takes_a_revision(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    run = engine.start_flow(asks)
    command = ["--store", url, "send", run.id, "answer", "1", "--revision"]

    assert main([*command, "7"]) == 1
    assert "does not rest at revision 7" in capsys.readouterr().err
    assert main([*command, "7", "--later"]) == 1
    assert main([*command, str(run.revision), "--later"]) == 0
    assert main([*command, str(run.revision), "--later"]) == 1
    assert engine.get_run(run.id).unread == ("answer",)
    engine.store.close()
