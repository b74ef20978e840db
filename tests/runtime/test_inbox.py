"""Events that are sent before they are waited for: kept, and read once, in their order."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from longterm import (
    Cancelled,
    CannotStore,
    ClaimLost,
    Engine,
    EventTooLarge,
    InboxFull,
    InvalidDeliveryKey,
    InvalidEventId,
    KeyReused,
    NotSupported,
    RunComplete,
    RunNotSuspended,
    RunState,
    UnknownRun,
    WrongEvent,
    WrongSeal,
    current_run,
    deflow,
    respond,
    set_keys,
    set_payload_codec,
    sleep,
    suspend,
)
from longterm._turns.claim import Claim
from longterm.cli import main
from longterm.store.base import Leases
from longterm.store.inbox import Inbox
from longterm.store.memory import MemoryStore
from longterm.testing._races import race
from longterm.worker import Worker
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

LEASE = timedelta(seconds=60)


@deflow
def asks(*names):
    answers = []
    for name in names:
        answer = suspend(*name.split("|"))
        respond(f"{name}: {answer}")
        answers.append(answer)
    return answers


@deflow
async def asks_async(*names):
    answers = []
    for name in names:
        answer = await suspend(*name.split("|"))
        respond(f"{name}: {answer}")
        answers.append(answer)
    return answers


@deflow
def divides():
    first = 1 / suspend("divisor")
    return first, suspend("more")


@deflow
def waits_a_day():
    return suspend("answer", expires=timedelta(days=1), default="none")


@deflow
def naps():
    sleep(timedelta(days=1))
    return suspend("answer")


def sends(run_id, event_id, value):
    """Stand for an engine's method, until a test puts it here."""


@deflow
def sends_to_itself():
    sends(current_run().id, "answer", "early")
    return suspend("answer")


@deflow
def holds_what_comes():
    lock = None if suspend("go") else threading.Lock()
    suspend("more")
    return lock


@pytest.fixture
def engine(every_engine):
    return every_engine


def unread(engine, run):
    return [(event.event_id, event.value) for event in engine.unread_events(run.id)]


def work(engine):
    return engine.run_pending(limit=1000)


# -- send ----------------------------------------------------------------------------------------


def test_event_that_comes_early_is_read_when_it_is_waited_for(engine):
    run = engine.start_flow(asks, "a", "b", "c")

    receipts = [engine.send(run.id, name, name.upper()) for name in ("c", "b")]

    assert [receipt.number for receipt in receipts] == [1, 2]
    assert not any(receipt.is_duplicate for receipt in receipts)
    assert unread(engine, run) == [("c", "C"), ("b", "B")]
    assert engine.get_run(run.id) == run
    assert engine.get_run(run.id).unread == ("c", "b")

    done = engine.process_event(run.id, "a", "A")

    assert (done.state, done.result) == (RunState.COMPLETE, ["A", "B", "C"])
    assert (done.unread, unread(engine, run)) == ((), [])


def test_worker_reads_what_was_sent(engine):
    run = engine.start_flow(asks, "a", "a", "b")
    other = engine.start_flow(asks, "b", "a")
    for value in (1, 2, 3):
        engine.send(run.id, "a", value)
    engine.send(other.id, "a", 4)

    assert work(engine) == 2
    assert work(engine) == 0

    assert engine.get_run(run.id).waiting_for == "b"
    assert engine.get_run(run.id).response == ["a: 2"]
    assert unread(engine, run) == [("a", 3)]
    assert engine.get_run(other.id) == other

    engine.send(run.id, "b", 5)
    assert work(engine) == 1
    assert engine.get_run(run.id).result == [1, 2, 5]
    assert unread(engine, run) == [("a", 3)]


def test_worker_reads_all_events_in_one_round(engine):
    runs = [engine.start_flow(asks, *"aaa") for _ in range(3)]
    runs += [asyncio.run(engine.astart_flow(asks_async, *"aaa"))]
    for run in runs:
        for value in range(3):
            engine.send(run.id, "a", value)

    assert Worker(engine, threads=2).run_once() == 12

    assert [engine.get_run(run.id).result for run in runs] == [[0, 1, 2]] * 4


def test_running_worker_is_woken_by_a_send(engine):
    run = engine.start_flow(asks, *"aaaa")
    worker = Worker(engine, poll=timedelta(seconds=0.5))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for value in range(4):
            engine.send(run.id, "a", value)
        for _ in range(200):
            if engine.get_run(run.id).state is RunState.COMPLETE:
                break
            threading.Event().wait(0.05)
    finally:
        worker.stop()
        thread.join()

    assert engine.get_run(run.id).result == [0, 1, 2, 3]


def test_oldest_event_among_several_names_is_read_first(engine):
    run = engine.start_flow(asks, "x", "b|a", "a|b", "a|b")
    for name, value in (("c", 0), ("a", 1), ("b", 2), ("a", 3)):
        engine.send(run.id, name, value)

    done = engine.process_event(run.id, "x", "X")

    assert done.result == ["X", ("a", 1), ("b", 2), ("a", 3)]
    assert unread(engine, run) == [("c", 0)]


def test_sleep_is_not_ended_by_an_event(engine, clock):
    run = engine.start_flow(naps)
    engine.send(run.id, "answer", "yes")
    assert work(engine) == 0

    clock.advance(timedelta(days=1))

    assert work(engine) == 2
    assert engine.get_run(run.id).result == "yes"


def test_event_that_is_stored_before_the_claim_wins_over_a_deadline_that_has_passed(engine, clock):
    runs = [engine.start_flow(waits_a_day) for _ in range(2)]
    clock.advance(timedelta(days=2))
    engine.send(runs[0].id, "answer", "late")

    assert work(engine) == 2

    assert [engine.get_run(run.id).result for run in runs] == ["late", "none"]


def test_event_sent_while_a_turn_runs_is_read_after_it(engine):
    run = engine.start_flow(asks, "a", "b")
    with Claim(engine._claims) as claim:
        claim.take(run.id, "a")
        assert engine.send(run.id, "b", 2).number == 1
        assert engine.get_run(run.id).state is RunState.RUNNING
        claim.release()

    assert engine.process_event(run.id, "a", 1).result == [1, 2]


def test_event_sent_in_the_first_turn_is_read_after_it(engine, monkeypatch):
    monkeypatch.setitem(globals(), "sends", engine.send)

    done = engine.start_flow(sends_to_itself)

    assert (done.state, done.result) == (RunState.COMPLETE, "early")


def test_responses_of_all_turns_of_a_call_are_returned(engine):
    run = engine.start_flow(asks, "a", "b", "c", "d")
    engine.send(run.id, "b", 2)
    engine.send(run.id, "c", 3)

    waiting = engine.process_event(run.id, "a", 1)

    assert waiting.response == ["a: 1", "b: 2", "c: 3"]
    assert engine.get_run(run.id).response == waiting.response
    assert engine.process_event(run.id, "d", 4).response == ["d: 4"]


# -- process_event -------------------------------------------------------------------------------


def test_process_event_reads_older_events_first(engine):
    run = engine.start_flow(asks, "a", "a", "b", "a")
    engine.send(run.id, "a", 1)
    engine.send(run.id, "b", 3)

    waiting = engine.process_event(run.id, "a", 2)

    assert waiting.waiting_for == "a"
    assert waiting.response == ["a: 2", "b: 3"]
    assert engine.process_event(run.id, "a", 4).result == [1, 2, 3, 4]


def test_process_event_is_taken_if_an_older_event_leads_to_its_wait(engine):
    run = engine.start_flow(asks, "a", "b")
    engine.send(run.id, "a", 1)

    assert engine.process_event(run.id, "b", 2).result == [1, 2]


def test_process_event_is_refused_if_the_run_waits_for_another_after_older_events(engine):
    run = engine.start_flow(asks, "a", "b", "c")
    engine.send(run.id, "a", 1)

    with pytest.raises(WrongEvent, match="it waits for 'b'"):
        engine.process_event(run.id, "a", "too late")

    assert engine.get_run(run.id).waiting_for == "b"
    with pytest.raises(WrongEvent):
        engine.process_event(run.id, "c", 3)
    engine.send(run.id, "b", 2)
    assert engine.process_event(run.id, "c", 3).result == [1, 2, 3]


def test_async_flow_reads_what_was_sent(engine):
    async def main():
        run = await engine.astart_flow(asks_async, *"abcd")
        await engine.asend(run.id, "a", 1)
        await engine.asend(run.id, "c", 3)
        run = await engine.aprocess_event(run.id, "b", 2)
        assert run.response == ["b: 2", "c: 3"]
        assert (await engine.aunread_events(run.id)) == []
        with pytest.raises(WrongEvent):
            await engine.aprocess_event(run.id, "a", 1)
        return await engine.aprocess_event(run.id, "d", 4)

    assert asyncio.run(main()).result == [1, 2, 3, 4]


def test_plain_flow_reads_what_was_sent_from_asynchronous_code(engine):
    async def main():
        run = await engine.astart_flow(asks, *"abc")
        await engine.asend(run.id, "a", 1)
        await engine.asend(run.id, "c", 3)
        return await engine.aprocess_event(run.id, "b", 2)

    assert asyncio.run(main()).result == [1, 2, 3]


def test_events_sent_and_brought_at_once_are_all_read_once(engine):
    run = engine.start_flow(asks, *["a"] * 16)
    workers = [Worker(engine, threads=2) for _ in range(2)]

    def deliver(number):
        while True:
            try:
                return engine.process_event(run.id, "a", number, key=f"key {number}")
            except (RunNotSuspended, ClaimLost):
                threading.Event().wait(0.01)

    steps = [partial(engine.send, run.id, "a", number, key=f"key {number}") for number in range(8)]
    steps += [partial(deliver, number) for number in range(8, 16)]
    outcomes = race([*steps, *(worker.run_once for worker in workers)])

    assert not [each for each in outcomes if isinstance(each, Exception)]
    workers[0].run_once()
    assert sorted(engine.get_run(run.id).result) == list(range(16))
    assert unread(engine, run) == []


# -- failure -------------------------------------------------------------------------------------


def test_event_of_a_turn_that_failed_comes_again_by_retry(engine):
    run = engine.start_flow(divides)
    engine.send(run.id, "divisor", 0, key="k")

    assert work(engine) == 1

    failed = engine.get_run(run.id)
    assert (failed.state, unread(engine, run)) == (RunState.FAILED, [("divisor", 0)])
    assert "ZeroDivisionError" in failed.error
    assert work(engine) == 0
    assert engine.send(run.id, "divisor", 0, key="k").is_duplicate
    assert engine.send(run.id, "more", 5).number == 2  # a failed run takes events

    with pytest.raises(ZeroDivisionError):
        engine.retry(run.id)

    again = engine.get_run(run.id)
    assert (again.state, again.turn) == (RunState.FAILED, failed.turn + 2)
    assert unread(engine, run) == [("divisor", 0), ("more", 5)]


def test_failure_of_an_older_event_is_raised_and_the_event_is_not_taken(engine):
    run = engine.start_flow(divides)
    engine.send(run.id, "divisor", 0)

    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 1, key="mine")

    assert unread(engine, run) == [("divisor", 0)]
    with pytest.raises(RunNotSuspended):
        engine.process_event(run.id, "divisor", 1, key="mine")


def test_failure_after_the_turn_of_process_event_is_returned(engine):
    run = engine.start_flow(asks_then_divides)
    engine.send(run.id, "divisor", 0)

    failed = engine.process_event(run.id, "a", 1)

    assert failed.state is RunState.FAILED
    assert "ZeroDivisionError" in failed.error


@deflow
def asks_then_divides():
    return suspend("a") / suspend("divisor")


def test_turn_that_is_refused_parks_the_run_until_later(engine, clock):
    run = engine.start_flow(holds_what_comes)
    engine.send(run.id, "go", False)

    assert work(engine) == 1
    assert work(engine) == 0

    parked = engine.get_run(run.id)
    assert parked.state is RunState.SUSPENDED
    assert "cannot store local 'lock'" in parked.error
    assert unread(engine, run) == [("go", False)]
    with pytest.raises(CannotStore):
        engine.process_event(run.id, "go", True)
    clock.advance(timedelta(minutes=2))
    assert work(engine) == 1
    assert unread(engine, run) == [("go", False)]


def test_dead_turn_is_done_again_with_its_event(engine, clock):
    run = engine.start_flow(asks, "a", "b")
    engine.send(run.id, "a", 1)
    assert isinstance(engine.store, Leases)
    assert isinstance(engine.store, Inbox)
    claimed = engine.store.claim_unread(now=clock.now(), until=clock.now() + LEASE, limit=1)
    assert [each.id for each in claimed] == [run.id]
    clock.advance(2 * LEASE)

    (released,) = engine.release_stale()

    assert released.attempts == 1
    assert work(engine) == 1
    assert engine.get_run(run.id).response == ["a: 1"]
    assert engine.get_run(run.id).attempts == 0


def test_unread_events_of_an_ended_run_are_kept_and_deleted_with_it(engine):
    run = engine.start_flow(asks, "a")
    engine.send(run.id, "later", 1)
    engine.process_event(run.id, "a", 0)
    cancelled = engine.start_flow(asks, "a")
    engine.send(cancelled.id, "later", 1)
    engine.cancel(cancelled.id)

    assert unread(engine, run) == unread(engine, cancelled) == [("later", 1)]
    assert engine.get_run(run.id).unread == ("later",)
    with pytest.raises(RunComplete):
        engine.send(run.id, "later", 2)
    with pytest.raises(RunNotSuspended, match="cancelled"):
        engine.send(cancelled.id, "later", 2)

    engine.delete(run.id)

    with pytest.raises(UnknownRun):
        engine.unread_events(run.id)
    with pytest.raises(UnknownRun):
        engine.send(run.id, "later", 2)


def test_cancelled_run_that_waits_again_reads_what_was_sent(engine):
    run = engine.start_flow(cleans_up)
    engine.send(run.id, "cleaned", "early")
    engine.send(run.id, "a", "too late")

    done = engine.cancel(run.id)

    assert (done.result, unread(engine, run)) == ("early", [("a", "too late")])


@deflow
def cleans_up():
    try:
        suspend("a")
    except Cancelled:
        return suspend("cleaned")


# -- keys ----------------------------------------------------------------------------------------


def test_repeat_is_swallowed_whether_it_is_read_or_not(engine):
    run = engine.start_flow(asks, "a", "b")
    assert engine.send(run.id, "a", [1], key="k").number == 1

    for _ in range(2):
        again = engine.send(run.id, "a", [1], key="k")
        assert (again.is_duplicate, again.number) == (True, None)
        assert engine.process_event(run.id, "a", [1], key="k").is_duplicate
        work(engine)

    assert engine.get_run(run.id).response == ["a: [1]"]
    assert engine.get_run(run.id).delivery == "k"
    assert engine.process_event(run.id, "b", 2, key="l").result == [[1], 2]
    assert engine.send(run.id, "b", 2, key="l").is_duplicate  # though the run is complete


def test_same_key_with_other_content_is_refused(engine):
    run = engine.start_flow(asks, "a", "b", "c")
    engine.send(run.id, "b", 1, key="k")
    engine.process_event(run.id, "a", 1, key="l")

    for name, value, key in (("b", 2, "k"), ("c", 1, "k"), ("a", 2, "l")):
        with pytest.raises(KeyReused):
            engine.send(run.id, name, value, key=key)
        with pytest.raises(KeyReused):
            engine.process_event(run.id, name, value, key=key)


def test_keys_of_unread_events_outlive_thirty_days(engine, clock):
    run = engine.start_flow(asks, "a", "b")
    engine.send(run.id, "b", 2, key="k")
    clock.advance(timedelta(days=40))

    engine.prune(timedelta(days=1))
    assert engine.send(run.id, "b", 2, key="k").is_duplicate
    engine.process_event(run.id, "a", 1)
    clock.advance(timedelta(days=29))
    engine.prune(timedelta(days=90))
    assert engine.send(run.id, "b", 2, key="k").is_duplicate


def test_without_a_key_each_event_counts(engine):
    run = engine.start_flow(asks, "a", "a")
    engine.send(run.id, "a", 1)
    engine.send(run.id, "a", 1)

    work(engine)

    assert engine.get_run(run.id).result == [1, 1]


# -- refusals ------------------------------------------------------------------------------------


def test_what_cannot_be_sent_is_refused_and_nothing_kept(engine):
    run = engine.start_flow(asks, "a")

    with pytest.raises(CannotStore, match="cannot store the value of event 'a'"):
        engine.send(run.id, "a", threading.Lock())
    with pytest.raises(InvalidEventId):
        engine.send(run.id, "longterm.start")
    with pytest.raises(InvalidEventId):
        engine.send(run.id, "a\nb")
    with pytest.raises(InvalidDeliveryKey):
        engine.send(run.id, "a", key="")
    with pytest.raises(UnknownRun):
        engine.send("nobody", "a")

    assert unread(engine, run) == []
    assert engine.get_run(run.id).unread == ()


def test_limits_of_size_and_number(engine):
    small = Engine(engine.store, clock=engine.clock, max_event_bytes=100, max_unread=2)
    run = small.start_flow(asks, "a", "b")

    with pytest.raises(EventTooLarge):
        small.send(run.id, "b", "x" * 200)
    for number in (1, 2):
        assert small.send(run.id, "b", number).number == number
    with pytest.raises(InboxFull, match=r"2 unread events.*max_unread=4"):
        small.send(run.id, "b", 3)
    assert engine.send(run.id, "b", 3).number == 3

    with pytest.raises(ValueError, match="max_unread=0"):
        Engine(engine.store, max_unread=0)


def test_store_without_an_inbox_says_so(clock):
    class Plain(MemoryStore):
        post = None

    engine = Engine(Plain(), clock=clock)
    run = engine.start_flow(asks, "a")

    with pytest.raises(NotSupported, match="an inbox"):
        engine.send(run.id, "a", 1)
    with pytest.raises(NotSupported, match="an inbox"):
        engine.unread_events(run.id)
    assert engine.process_event(run.id, "a", 1).result == [1]


def test_pages_of_unread_events(engine):
    run = engine.start_flow(asks, "a")
    for number in range(5):
        engine.send(run.id, "b", number)

    first = engine.unread_events(run.id, limit=2)
    rest = engine.unread_events(run.id, after=first[-1].number)

    assert [event.value for event in (*first, *rest)] == [0, 1, 2, 3, 4]
    assert first[0].sent_at == engine.clock.now()


# -- seals ---------------------------------------------------------------------------------------


class Reversed:
    """A payload codec, as far as tests need one."""

    def encode(self, data):
        return data[::-1]

    def decode(self, data):
        return data[::-1]


def test_payload_codec_hides_the_values(engine, envelope):  # noqa: F811
    set_payload_codec(Reversed())
    run = engine.start_flow(asks, "a", "b")
    engine.send(run.id, "b", "what nobody should read")

    (event,) = engine.unread_events(run.id)
    assert b"what nobody should read" not in event.encoded_value
    assert engine.process_event(run.id, "a", 1).result == [1, "what nobody should read"]


def moved(engine, run, **place):
    """Put the bytes of a run's only unread event elsewhere, as who can write the database can."""
    (event,) = engine.unread_events(run.id)
    engine.store.post(replace(event, key="moved", number=0, **place), limit=9)


def test_seal_binds_a_value_to_its_run_and_event(engine, envelope):  # noqa: F811
    set_keys(KEY)
    run, other, named = (engine.start_flow(asks, "a", "b") for _ in range(3))
    engine.send(run.id, "b", "yes")
    moved(engine, run, run_id=other.id)
    engine.send(named.id, "c", "yes")
    moved(engine, named, event_id="b")

    assert engine.process_event(run.id, "a", 1).result == [1, "yes"]
    for each in (other, named):
        waiting = engine.process_event(each.id, "a", 1)
        assert waiting.waiting_for == "b"
        assert "somebody moved the bytes" in waiting.error
        with pytest.raises(WrongSeal, match="the unread event 'b' of run"):
            engine.process_event(each.id, "b", 2)


def test_unread_events_are_sealed_anew(engine, envelope):  # noqa: F811
    set_keys(KEY)
    run = engine.start_flow(asks, "a", "b")
    for value in range(3):
        engine.send(run.id, "b", value)
    set_keys(OTHER_KEY, KEY)

    assert engine.seal_runs().sealed == 1
    assert engine.seal_runs().unchanged == 1

    set_keys(OTHER_KEY)
    assert [event.value for event in engine.unread_events(run.id)] == [0, 1, 2]
    assert engine.process_event(run.id, "a", 1).result == [1, 0]
    set_keys("f" * 30 + "0123456789ab")
    assert set(engine.seal_runs().refused) == {run.id}


def test_repeat_under_another_key_of_the_seal_is_known(engine, envelope):  # noqa: F811
    set_keys(KEY)
    run = engine.start_flow(asks, "a", "b")
    engine.send(run.id, "b", 1, key="k")
    set_keys(OTHER_KEY, KEY)

    assert engine.send(run.id, "b", 1, key="k").is_duplicate
    with pytest.raises(KeyReused):
        engine.send(run.id, "b", 2, key="k")


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def longterm(capsys, tmp_path):
    def run(*arguments):
        status = main(["--store", f"sqlite:///{tmp_path}/runs.db", *arguments])
        return status, capsys.readouterr().out

    return run


def test_command_stores_and_shows_events(longterm, tmp_path):
    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    run = engine.start_flow(asks, "a", "b")

    assert longterm("send", run.id, "b", '{"x": [1]}', "--later", "--key", "k\x1b") == (
        0,
        f"stored as event 1 of run {run.id}\n",
    )
    assert longterm("send", run.id, "b", '{"x": [1]}', "--later", "--key", "k\x1b")[1] == (
        f"run {run.id} had it before, by its key\n"
    )
    receipt = json.loads(longterm("send", run.id, "c", "--later", "--json")[1])
    assert receipt == {"run_id": run.id, "number": 2, "is_duplicate": False}
    assert longterm("send", "nobody", "c", "--later")[0] == 1

    assert "  suspended, 2 unread  " in longterm("runs")[1]
    assert json.loads(longterm("runs", "--json")[1])["unread"] == ["b", "c"]
    _, shown = longterm("show", run.id)
    assert "state:         suspended, 2 unread\n" in shown
    assert "Unread events (oldest first):\n1: b, sent 20" in shown
    assert "UTC, key k\\x1b\n    {'x': [1]}\n2: c, sent 20" in shown
    inbox = json.loads(longterm("show", run.id, "--json")[1])["inbox"]
    assert [(each["event"], each["key"], each["value"]) for each in inbox] == [
        ("b", "k\x1b", "{'x': [1]}"),
        ("c", None, "None"),
    ]
    engine.store.close()
