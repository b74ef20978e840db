"""What is refused leaves the run as it was; what fails keeps the frames of before the turn."""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

import longterm
from longterm import (
    AsyncFlow,
    CannotStore,
    Engine,
    FlowChanged,
    InvalidEventId,
    LongtermError,
    NotInRun,
    RunComplete,
    RunNotSuspended,
    RunState,
    UnknownFlow,
    UnknownRun,
    WrongEvent,
    deflow,
    respond,
    suspend,
)
from longterm.store.memory import MemoryStore


@deflow
def waits(x):
    value = suspend("go")
    return [x, value]


@deflow
def fails_at_first():
    respond("hello")
    raise ValueError("at once")


@deflow
def fails_after(x):
    respond("asking")
    value = suspend("go")
    respond("failing")
    raise KeyError(value)


@deflow
def asks_for(event_id):
    return suspend(event_id)


@deflow
def keeps_lock(x):
    suspend("go")
    lock = threading.Lock()
    suspend("again")
    return lock.locked()


@deflow
def lock_is_dead(x):
    lock = threading.Lock()
    with lock:
        x += 1
    return x + suspend("go")


@deflow
def captured_lock(x):
    lock = threading.Lock()
    is_locked = lambda: lock.locked()  # noqa: E731
    suspend("go")
    return is_locked()


@deflow
def manager_is_a_lock(x):
    with threading.Lock():
        suspend("go")


@deflow
def iterates_over_generator(x):
    for each in (i for i in range(x)):
        suspend(str(each))


@deflow
def returns_lock(x):
    suspend("go")
    return threading.Lock()


@deflow
def responds_lock(x):
    suspend("go")
    respond(threading.Lock())


@deflow
async def is_async():
    return suspend("go")


@pytest.fixture
def engine() -> Engine:
    return Engine("memory://")


def test_unknown_run(engine):
    with pytest.raises(UnknownRun, match="no run 'nope'"):
        engine.process_event("nope", "go")
    with pytest.raises(UnknownRun):
        engine.get_run("nope")


def test_other_event_changes_nothing(engine):
    run = engine.start_flow(waits, 1)

    with pytest.raises(WrongEvent) as caught:
        engine.process_event(run.id, "stop")

    assert (caught.value.event_id, caught.value.waiting_for) == ("stop", "go")
    assert engine.get_run(run.id) == run


class BusyOnce(MemoryStore):
    """Refuses a claim as if another turn had been under way, which has ended since."""

    def claim(self, run_id, event_id, *, now, until):
        return None


def test_a_turn_that_ended_just_now_was_in_the_way():
    engine = Engine(BusyOnce())
    run = engine.start_flow(waits, 1)

    with pytest.raises(RunNotSuspended, match=f"run '{run.id}' is running and takes no event now"):
        engine.process_event(run.id, "go")


@pytest.mark.parametrize("event_id", [None, 5, b"go", "", ["go"]])
def test_event_id_that_is_no_string_is_refused_at_the_door(engine, event_id):
    run = engine.start_flow(waits, 1)

    with pytest.raises(InvalidEventId, match="an event id is a string"):
        engine.process_event(run.id, event_id)

    assert engine.get_run(run.id) == run


@pytest.mark.parametrize("event_id", [None, 5, ""])
def test_event_id_that_is_no_string_fails_the_flow_that_asks(engine, event_id):
    with pytest.raises(InvalidEventId):
        engine.start_flow(asks_for, event_id)


def test_complete_run_takes_no_more_events(engine):
    run = engine.start_flow(waits, 1)
    done = engine.process_event(run.id, "go", 2)

    with pytest.raises(RunComplete, match="is complete and takes no more events"):
        engine.process_event(run.id, "go", 2)

    assert engine.get_run(run.id) == done


def test_run_in_the_middle_of_a_turn_takes_no_event(engine):
    run = engine.start_flow(waits, 1)
    engine.store.unsuspend(run.id, "go")

    with pytest.raises(RunNotSuspended, match="another turn is under way"):
        engine.process_event(run.id, "go", 2)


def test_failure_in_the_first_turn_is_stored_with_the_call(engine, monkeypatch):
    created = []
    create = engine.store.create
    monkeypatch.setattr(engine.store, "create", lambda run: created.append(run) or create(run))

    with pytest.raises(ValueError, match="at once") as caught:
        engine.start_flow(fails_at_first)

    (run,) = created
    assert any(run.id in note and "fails_at_first" in note for note in caught.value.__notes__)
    stored = engine.get_run(run.id)
    assert stored.state is RunState.FAILED
    assert stored.stack is not None


def test_failure_keeps_the_frames_of_before_the_turn(engine):
    run = engine.start_flow(fails_after, 1)

    with pytest.raises(KeyError) as caught:
        engine.process_event(run.id, "go", "missing")

    failed = engine.get_run(run.id)
    assert caught.value.args == ("missing",)
    assert any(f"run {run.id} of flow" in note for note in caught.value.__notes__)
    assert failed.state is RunState.FAILED
    assert failed.stack == run.stack
    assert failed.waiting_for == "go"
    assert failed.response == []
    assert "KeyError: 'missing'" in failed.error
    assert "in fails_after\n    raise KeyError(value)" in failed.error
    assert "engine.py" not in failed.error
    with pytest.raises(RunNotSuspended, match="its last turn raised"):
        engine.process_event(run.id, "go", "missing")


@dataclass(frozen=True)
class Frozen(Exception):
    why: str = ""


class TakesNoNotes(Exception):
    def add_note(self, note):
        raise AssertionError("the author's code runs")


class NotesOfItsOwn(Exception):
    __notes__ = 5


@pytest.mark.parametrize("kind", [Frozen, TakesNoNotes, NotesOfItsOwn])
def test_failure_by_an_exception_that_resists_notes_is_stored(engine, kind):
    error = kind()
    run = engine.start_flow(waits, 1)

    with pytest.raises(kind) as caught:
        engine.throw(run.id, error)

    assert caught.value is error
    failed = engine.get_run(run.id)
    assert failed.state is RunState.FAILED
    assert kind.__name__ in failed.error
    is_noted = f"run {run.id} of flow" in failed.error
    assert is_noted is (kind is not NotesOfItsOwn)
    assert not engine._claims.keeper._held


def test_notes_that_are_no_list_stay_as_they_are(engine):
    error = ValueError("no")
    error.__notes__ = ("a hint",)
    run = engine.start_flow(waits, 1)

    with pytest.raises(ValueError, match="no"):
        engine.throw(run.id, error)

    assert error.__notes__ == ("a hint",)
    assert engine.get_run(run.id).state is RunState.FAILED


class Interrupts(Exception):
    @property
    def __notes__(self):
        raise KeyboardInterrupt


def test_interrupt_while_a_failure_is_written_down_leaves_the_run_waiting(engine):
    run = engine.start_flow(waits, 1)

    with pytest.raises(KeyboardInterrupt):
        engine.throw(run.id, Interrupts())

    assert engine.get_run(run.id).state is RunState.SUSPENDED
    assert not engine._claims.keeper._held


def test_frozen_exception_is_raised_anew_as_it_was():
    cause, error = KeyError("cause"), Frozen("no")
    try:
        try:
            raise cause
        except KeyError:
            raise error from None
    except Frozen:
        traceback = error.__traceback__

    with pytest.raises(Frozen) as caught:
        longterm._flows.rt.again(error)

    assert caught.value is error
    assert error.__context__ is cause
    entry = error.__traceback__
    while entry is not None and entry is not traceback:
        entry = entry.tb_next
    assert entry is traceback


def test_value_that_cannot_be_stored_leaves_the_run_waiting(engine):
    run = engine.start_flow(keeps_lock, 1)

    with pytest.raises(CannotStore) as caught:
        engine.process_event(run.id, "go")

    text = str(caught.value)
    line = keeps_lock.__code__.co_firstlineno
    assert "cannot store local 'lock' of" in text
    assert f"keeps_lock at line {line + 4}: lock is a _thread.lock" in text
    assert f"live because line {line + 5} reads it" in text
    waiting = engine.get_run(run.id)
    assert (waiting.state, waiting.stack, waiting.waiting_for) == (
        RunState.SUSPENDED,
        run.stack,
        "go",
    )


def test_start_that_cannot_be_stored_leaves_no_run(engine):
    for flow in (captured_lock, manager_is_a_lock, iterates_over_generator):
        with pytest.raises(CannotStore):
            engine.start_flow(flow, 1)

    assert engine.find_runs() == []


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (captured_lock, "variable 'lock' .*an inner function shares it|local 'is_locked'"),
        (manager_is_a_lock, "the context manager of .*it is a _thread.lock"),
        (iterates_over_generator, "the iterator of the loop of .*it is a generator"),
    ],
)
def test_refusal_says_what_the_compiler_kept(engine, flow, words):
    with pytest.raises(CannotStore, match=words):
        engine.start_flow(flow, 1)


def test_what_is_never_read_again_is_not_stored(engine):
    run = engine.start_flow(lock_is_dead, 1)

    assert engine.process_event(run.id, "go", 2).result == 4


@pytest.mark.parametrize(
    ("flow", "words"), [(returns_lock, "the result of"), (responds_lock, "a response of")]
)
def test_result_and_response_must_be_storable(engine, flow, words):
    run = engine.start_flow(flow, 1)

    with pytest.raises(CannotStore, match=f"cannot store {words}"):
        engine.process_event(run.id, "go")

    assert engine.get_run(run.id).state is RunState.SUSPENDED


def test_arguments_need_not_be_storable_if_they_are_used_up(engine):
    @deflow
    def uses_up(lock):
        with lock:
            number = 3
        return number + suspend("go")

    run = engine.start_flow(uses_up, threading.Lock())

    assert engine.process_event(run.id, "go", 4).result == 7


def test_interrupt_in_a_turn_leaves_the_run_waiting(engine):
    @deflow
    def interrupted():
        raise suspend("go")

    run = engine.start_flow(interrupted)

    with pytest.raises(KeyboardInterrupt):
        engine.process_event(run.id, "go", KeyboardInterrupt())

    assert engine.get_run(run.id).state is RunState.SUSPENDED


def test_forms_outside_of_a_run(engine):
    with pytest.raises(NotInRun, match=r"suspend\(\)"):
        suspend("x")
    with pytest.raises(NotInRun, match=r"respond\(\)"):
        respond("x")


def test_async_flow_needs_the_async_twins(engine):
    with pytest.raises(AsyncFlow, match="await astart_flow"):
        engine.start_flow(is_async)


FLOW_FILE = '''\
from longterm import deflow, suspend
{above}

@deflow
def approve(order):
    """{doc}"""
    answer = suspend("answer")  {comment}
    {middle}return ({constant}, order, answer)
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch):
    """Write a module of a shop, and import it afresh."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(above="", doc="Approve.", comment="", middle="", constant="1", name="approve"):
        text = FLOW_FILE.format(**locals()).replace("def approve", f"def {name}")
        (tmp_path / "longterm_test_shop.py").write_text(text)
        sys.modules.pop("longterm_test_shop", None)
        importlib.invalidate_caches()
        return importlib.import_module("longterm_test_shop")

    yield write
    sys.modules.pop("longterm_test_shop", None)


@pytest.mark.parametrize(
    "change",
    [
        {"above": "\n\nLINES = 'moved'\n\n"},
        {"doc": "Another documentation."},
        {"comment": "# a remark"},
        {"middle": "\n    # blank lines and remarks\n\n    "},
    ],
    ids=["lines above", "docstring", "comment", "blank lines"],
)
def test_change_without_meaning_is_no_change(engine, shop, change):
    run = engine.start_flow(shop().approve, "order")

    shop(**change)

    assert engine.process_event(run.id, "answer", "yes").result == (1, "order", "yes")


def test_change_of_meaning_is_refused_and_the_run_waits_on(engine, shop):
    run = engine.start_flow(shop().approve, "order")

    shop(constant="2")

    with pytest.raises(FlowChanged, match="has changed since this run was suspended"):
        engine.process_event(run.id, "answer", "yes")
    waiting = engine.get_run(run.id)
    assert (waiting.state, waiting.stack) == (RunState.SUSPENDED, run.stack)
    shop(constant="1")
    assert engine.process_event(run.id, "answer", "yes").result == (1, "order", "yes")


def test_flow_that_is_unknown_in_this_process_is_refused(engine, shop):
    module = shop()
    run = engine.start_flow(module.approve, "order")
    from longterm._flows import registry

    del registry._flows["longterm_test_shop:approve"]
    del sys.modules["longterm_test_shop"]

    with pytest.raises(UnknownFlow, match="import longterm_test_shop"):
        engine.process_event(run.id, "answer", "yes")
    assert engine.get_run(run.id).state is RunState.SUSPENDED


def test_refused_retry_of_a_first_turn_leaves_the_run_failed(engine, monkeypatch):
    with pytest.raises(ValueError, match="at once"):
        engine.start_flow(fails_at_first)
    (failed,) = engine.find_runs()
    from longterm._flows import registry

    with monkeypatch.context() as patch:
        patch.delitem(registry._flows, failed.flow)
        patch.delitem(globals(), "fails_at_first")
        with pytest.raises(UnknownFlow):
            engine.retry(failed.id)

    stored = engine.get_run(failed.id)
    assert (stored.state, stored.error) == (RunState.FAILED, failed.error)
    with pytest.raises(ValueError, match="at once"):
        engine.retry(failed.id)


def test_every_error_is_a_longterm_error():
    kinds = [getattr(longterm, name) for name in longterm.__all__]
    errors = [k for k in kinds if isinstance(k, type) and issubclass(k, Exception)]

    assert len(errors) > 10
    assert all(issubclass(each, LongtermError) for each in errors)


@deflow
def cleans_up(log):
    log.append("start")
    try:
        suspend("go")
        log.append("went on")
    except ValueError as error:
        log.append(f"caught {error}")
        log.append(suspend("after"))
    finally:
        log.append("cleaned")
    respond(*log)
    return log


def test_thrown_exception_arrives_at_the_suspend(engine):
    run = engine.start_flow(cleans_up, [])

    run = engine.throw(run.id, ValueError("no"))
    assert run.waiting_for == "after"
    run = engine.process_event(run.id, "after", "done")

    assert run.result == ["start", "caught no", "done", "cleaned"]


def test_thrown_exception_that_the_flow_lets_out_fails_the_run(engine):
    run = engine.start_flow(cleans_up, [])

    with pytest.raises(LookupError, match="out"):
        engine.throw(run.id, LookupError("out"))

    assert engine.get_run(run.id).state is RunState.FAILED


def test_cancel_unwinds_the_flow_and_ends_the_run(engine, tmp_path):
    @deflow
    def cleans_file(path):
        try:
            suspend("go")
        except Exception:
            return "kept going"
        finally:
            with open(path, "w") as file:
                file.write("cleaned")

    run = engine.start_flow(cleans_file, str(tmp_path / "trace"))

    run = engine.cancel(run.id)

    assert (run.state, run.waiting_for, run.stack) == (RunState.CANCELLED, None, None)
    assert (tmp_path / "trace").read_text() == "cleaned"
    with pytest.raises(RunNotSuspended, match="it was cancelled"):
        engine.cancel(run.id)


def test_flow_may_refuse_to_be_cancelled(engine):
    @deflow
    def stubborn():
        try:
            suspend("go")
        except longterm.Cancelled:
            return "still here"

    assert engine.cancel(engine.start_flow(stubborn).id).result == "still here"


def test_flow_that_raises_cancelled_by_itself_waits_again(engine):
    @deflow
    def gives_up():
        suspend("go")
        raise longterm.Cancelled("another run")

    run = engine.start_flow(gives_up)

    with pytest.raises(longterm.Cancelled):
        engine.process_event(run.id, "go")

    assert engine.get_run(run.id).state is RunState.SUSPENDED


def test_cancelled_flow_that_raises_its_own_waits_again(engine):
    @deflow
    def replaces():
        try:
            suspend("go")
        except longterm.Cancelled:
            raise longterm.Cancelled("another run") from None

    run = engine.start_flow(replaces)

    with pytest.raises(longterm.Cancelled):
        engine.cancel(run.id)

    assert engine.get_run(run.id).state is RunState.SUSPENDED
