"""A fork goes on from what another run is or was, and a run can be put back to what it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from longterm import (
    CannotFork,
    CannotRewind,
    Engine,
    NotSupported,
    RunBusy,
    RunExists,
    RunState,
    UnknownRevision,
    acting_as,
    current_run,
    deflow,
    now,
    respond,
    set_index,
    set_keys,
    spawn,
    step,
    step_key,
    suspend,
)
from longterm.run import Run
from longterm.testing import FakeClock
from tests.runtime.test_first_turn import FourMethods
from tests.runtime.test_history import adds, child, store_url

__all__ = ["store_url"]

OLD, NEW = "0123456789abcdefghijklmnopqrstuv", "vutsrqponmlkjihgfedcba9876543210"
charged: list[str] = []


@step()
def charges(amount: int) -> int:
    charged.append(step_key())
    return amount


@deflow
def collects() -> list[int]:
    found: list[int] = []
    while len(found) < 3:
        set_index(count=len(found))
        respond(list(found))
        found.append(suspend("number", expires=timedelta(days=30), to="ada"))
    return found


@deflow
def pays() -> tuple[int, int]:
    first = charges(suspend("amount"))
    return first, charges(suspend("amount"))


@deflow
def asks_child() -> str:
    begun = spawn(child)
    suspend("go")
    return suspend(begun)


@deflow
def tells_itself() -> tuple[str, Any]:
    suspend("go")
    run = current_run()
    return run.id, run.started == now()


@pytest.fixture
def kept(store_url: str, clock: FakeClock) -> Iterator[Engine]:
    engine = Engine(store_url, clock=clock, history="frames")
    yield engine
    close = getattr(engine.store, "close", None)
    if close is not None:
        close()


@pytest.fixture
def sealed() -> Iterator[None]:
    set_keys(OLD)
    yield
    set_keys()


def straight(engine: Engine, numbers: list[int]) -> Run:
    """Return a run that went a way without a fork."""
    run = engine.start_flow(collects)
    for number in numbers:
        run = engine.process_event(run.id, "number", number)
    return run


def plain(run: Run) -> dict[str, Any]:
    """Return what two runs have in common that have gone the same way."""
    shown = run.to_dict()
    different = ("id", "created_at", "updated_at", "turn", "revision", "deadline")
    return {name: value for name, value in shown.items() if name not in different}


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_fork_goes_on_as_the_run_did(
    kept: Engine, at: int, seal: bool, request: pytest.FixtureRequest
) -> None:
    if seal:
        request.getfixturevalue("sealed")
    run = straight(kept, [1, 2])
    before = kept.get_run(run.id)

    fork = kept.fork(run.id, at=at)

    assert kept.get_run(run.id) == before
    if at == 0:
        assert fork.waiting_for == "longterm.start"
        assert kept.run_pending() == 1
        fork = kept.get_run(fork.id)
    assert plain(fork) == plain(straight(kept, [1, 2][: max(at - 1, 0)]))
    for number in (7, 8, 9)[max(at - 1, 0) :]:
        fork = kept.process_event(fork.id, "number", number)
    assert fork.result == [1, 2][: max(at - 1, 0)] + [7, 8, 9][max(at - 1, 0) :]
    assert kept.process_event(run.id, "number", 3).result == [1, 2, 3]


@pytest.mark.parametrize("seal", [False, True])
def test_the_present_can_be_forked_without_a_history(
    every_engine: Engine, clock: FakeClock, seal: bool, request: pytest.FixtureRequest
) -> None:
    if seal:
        request.getfixturevalue("sealed")
    run = straight(every_engine, [1])
    clock.advance(timedelta(days=1))

    fork = every_engine.fork(run.id)

    assert fork.id != run.id
    assert fork.created_at == clock.now()
    assert fork.deadline == run.deadline
    assert (fork.state, fork.index, fork.audience) == ("suspended", {"count": 1}, ("ada",))
    assert fork.response == run.response == [[1]]
    assert fork == every_engine.get_run(fork.id)
    every_engine.process_event(fork.id, "number", 5)
    assert every_engine.process_event(fork.id, "number", 6).result == [1, 5, 6]
    assert every_engine.get_run(run.id) == run


def test_a_fork_of_a_fork_goes_on(kept: Engine) -> None:
    run = straight(kept, [1])
    with acting_as("ada"):
        fork = kept.fork(kept.fork(run.id, at=1, id="first").id, id="second")
    assert kept.process_event(fork.id, "number", 2).response == [[2]]

    first = kept.history("first")[0]
    assert (first.event, first.actor, first.value) == ("longterm.fork", "ada", [run.id, 1])
    assert [entry.event for entry in kept.history("second")] == ["longterm.fork", "number"]
    assert kept.process_event(kept.fork("second", at=1).id, "number", 3).response == [[3]]


def test_a_fork_has_an_id_an_inbox_and_keys_of_its_own(kept: Engine) -> None:
    run = kept.start_flow(collects)
    kept.process_event(run.id, "number", 1, key="k1")
    kept.send(run.id, "other", 2)

    fork = kept.fork(run.id, id="mine")

    assert fork.id == "mine"
    assert kept.unread_events("mine") == []
    done = kept.process_event("mine", "number", 3, key="k1")
    assert not done.is_duplicate
    assert done.response == [[1, 3]]
    with pytest.raises(RunExists):
        kept.fork(run.id, id="mine")


def test_steps_that_were_done_are_not_done_again(kept: Engine) -> None:
    charged.clear()
    run = kept.start_flow(pays)
    kept.process_event(run.id, "amount", 5)
    fork = kept.fork(run.id)

    assert kept.process_event(fork.id, "amount", 7).result == (5, 7)
    assert kept.process_event(run.id, "amount", 6).result == (5, 6)

    assert len(charged) == len(set(charged)) == 3


def test_a_flow_in_a_fork_knows_its_own_run(kept: Engine, clock: FakeClock) -> None:
    run = kept.start_flow(tells_itself)
    clock.advance(timedelta(days=1))
    fork = kept.fork(run.id)

    assert kept.process_event(fork.id, "go").result == (fork.id, True)
    assert kept.process_event(run.id, "go").result == (run.id, False)


def test_a_failed_run_is_forked_as_failed_and_retried(kept: Engine) -> None:
    run = kept.start_flow(adds, 1)
    with pytest.raises(ValueError, match="too much"):
        kept.process_event(run.id, "number", 100)

    fork = kept.fork(run.id)

    assert fork.state == RunState.FAILED
    assert fork.error == kept.get_run(run.id).error
    assert kept.retry(fork.id).waiting_for == "number"
    assert kept.process_event(fork.id, "number", 99).result == 100
    assert kept.process_event(kept.fork(run.id, at=1).id, "number", 99).result == 100


def test_what_no_other_run_can_go_on_from_is_refused(kept: Engine) -> None:
    complete = kept.start_flow(child)
    with_child = kept.start_flow(asks_child)
    busy = kept.start_flow(collects)
    assert kept.store.unsuspend(busy.id, "number") is not None
    daily = kept.schedule(child, "0 3 * * *")
    runs = len(kept.find_runs())

    with pytest.raises(CannotFork, match=r"it is complete .*longterm history"):
        kept.fork(complete.id)
    with pytest.raises(CannotFork, match="its children tell"):
        kept.fork(with_child.id)
    with pytest.raises(RunBusy):
        kept.fork(busy.id)
    with pytest.raises(CannotFork, match="it is a schedule"):
        kept.fork(daily.id)
    with pytest.raises(UnknownRevision, match="at revision 9"):
        kept.fork(busy.id, at=9)
    with pytest.raises(TypeError):
        kept.fork(busy.id, at="1")  # type: ignore[arg-type]

    assert len(kept.find_runs()) == runs
    assert kept.fork(with_child.id, at=0).state == "suspended"
    assert kept.fork(complete.id, at=0).state == "suspended"


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("to", [0, 1, 2, 3])
def test_a_run_that_is_put_back_goes_on_from_there(
    kept: Engine, to: int, seal: bool, request: pytest.FixtureRequest
) -> None:
    if seal:
        request.getfixturevalue("sealed")
    run = straight(kept, [1, 2])

    with acting_as("ada"):
        back = kept.rewind(run.id, to=to)

    assert back.revision == run.revision + 1
    if to == 0:
        assert kept.run_pending() == 1
        back = kept.get_run(run.id)
    assert plain(back) == plain(straight(kept, [1, 2][: max(to - 1, 0)]))
    row = kept.history(run.id)[3]
    assert (row.event, row.actor, row.value, row.outcome) == (
        *("longterm.rewind", "ada", to, "suspended"),
    )
    for number in (7, 8, 9)[max(to - 1, 0) :]:
        back = kept.process_event(run.id, "number", number)
    assert back.result == [1, 2][: max(to - 1, 0)] + [7, 8, 9][max(to - 1, 0) :]


def test_putting_back_can_be_taken_back(kept: Engine) -> None:
    run = straight(kept, [1, 2])
    kept.rewind(run.id, to=1)
    kept.rewind(run.id, to=3)

    assert kept.process_event(run.id, "number", 3).result == [1, 2, 3]


def test_a_failed_run_is_put_back(kept: Engine) -> None:
    run = kept.start_flow(adds, 1)
    kept.process_event(run.id, "number", 50)
    with pytest.raises(ValueError, match="too much"):
        kept.process_event(run.id, "number", 100)

    # The event that has failed it is unread, and would be read again.
    assert kept.rewind(kept.fork(run.id).id, to=2).state == RunState.SUSPENDED
    (event,) = kept.unread_events(run.id)
    kept.discard_event(run.id, event.number)

    back = kept.rewind(run.id, to=1)

    assert (back.state, back.error, back.response) == ("suspended", None, [{"total": 1}])
    assert kept.process_event(run.id, "number", 99).result == 100


def test_what_cannot_be_taken_back_is_refused(kept: Engine) -> None:
    complete = kept.start_flow(child)
    with_child = kept.start_flow(asks_child)
    kept.process_event(with_child.id, "go")
    waiting = kept.start_flow(asks_child)

    for run, to, reason in (
        (complete, 0, "it is complete, and others may know .*fork"),
        (waiting, 0, "it has begun children since"),
    ):
        before = kept.get_run(run.id)
        with pytest.raises(CannotRewind, match=reason):
            kept.rewind(run.id, to=to)
        after = kept.get_run(run.id)
        assert (after.state, after.stack, after.revision) == (
            *(before.state, before.stack, before.revision),
        )
    with pytest.raises(UnknownRevision, match="at revision 9"):
        kept.rewind(waiting.id, to=9)


def test_the_present_of_any_store_can_be_forked(clock: FakeClock) -> None:
    engine = Engine(FourMethods(), clock=clock)
    run = straight(engine, [1])

    fork = engine.fork(run.id)

    assert engine.process_event(fork.id, "number", 2).response == [[1, 2]]
    with pytest.raises(NotSupported, match="histories"):
        engine.fork(run.id, at=1)
    with pytest.raises(NotSupported, match="histories"):
        engine.rewind(run.id, to=1)


@pytest.mark.usefixtures("sealed")
def test_all_that_is_kept_is_sealed_anew(kept: Engine) -> None:
    run = straight(kept, [1, 2])
    set_keys(NEW, OLD)

    assert kept.seal_runs().is_complete
    set_keys(NEW)

    assert [entry.value for entry in kept.history(run.id)] == [None, 1, 2]
    assert kept.history(run.id)[1].response == [[1]]
    assert kept.process_event(kept.fork(run.id, at=1).id, "number", 7).response == [[7]]


def test_asynchronous_code_forks_and_puts_back(kept: Engine) -> None:
    import asyncio

    async def calls(run_id: str) -> list[Any]:
        fork = await kept.afork(run_id, at=1)
        await kept.arewind(run_id, to=1)
        done = [await kept.aprocess_event(one, "number", 5) for one in (fork.id, run_id)]
        return [run.response for run in done]

    assert asyncio.run(calls(straight(kept, [1]).id)) == [[[5]], [[5]]]


def test_a_fork_of_a_run_in_a_queue_waits_there_too(kept: Engine) -> None:
    kept.queue("model", concurrency=1)
    run = kept.start(collects, queue="model", partition="big")

    forks = [kept.fork(run.id), kept.fork(run.id, at=0)]

    assert [(fork.queue, fork.partition) for fork in forks] == [("model", "big")] * 2
    assert kept.queues()[0].waiting == 3
    assert kept.run_pending() == 3
    assert [kept.get_run(fork.id).waiting_for for fork in forks] == ["number"] * 2


@deflow
def holds() -> str:
    value = suspend("go")
    lock = threading.Lock() if value == "bad" else value
    suspend("next")
    return str(lock)


def test_a_fork_of_a_parked_run_waits_as_long_as_that_would(kept: Engine, clock: FakeClock) -> None:
    run = kept.start_flow(holds)
    kept.send(run.id, "go", "bad")
    kept.run_pending()
    parked = kept.get_run(run.id)
    assert parked.error is not None
    assert parked.deadline is not None

    present, at = kept.fork(run.id), kept.fork(run.id, at=1)
    kept.discard_event(run.id, 1)
    kept.send(run.id, "go", "bad")
    kept.run_pending()
    kept.send(run.id, "other")
    kept.discard_event(run.id, 2)
    kept.process_event(run.id, "go", "good")
    past = kept.fork(run.id, at=1)
    clock.advance(timedelta(days=1))

    assert kept.run_pending() == 0
    for fork in (present, at, past):
        assert (fork.error, fork.deadline) == (None, None)
        assert kept.process_event(fork.id, "go", "good").waiting_for == "next"
