"""The history of a run: what came, who sent it, and what each turn made of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longterm import (
    CannotStore,
    Engine,
    InvalidActor,
    NotSupported,
    UnreadableRun,
    WrongEvent,
    acting_as,
    checkpoint,
    deflow,
    respond,
    sleep,
    spawn,
    suspend,
)
from longterm.history import HistoryEntry
from longterm.store.sqlite import SQLiteStore
from longterm.testing import FakeClock
from tests.runtime.test_first_turn import FourMethods


@deflow
def adds(start: int) -> int:
    total = start
    while True:
        respond({"total": total})
        total += suspend("number")
        if total > 100:
            raise ValueError(f"{total} is too much")
        if total == 100:
            return total


@deflow
def reads_twice() -> list[int]:
    first = suspend("first")
    second = suspend("second", expires=timedelta(0), default=0)
    checkpoint()
    third = suspend("second", expires=timedelta(0), default=0)
    suspend("last")
    return [first, second, third]


interruptions: list[type[BaseException]] = []


@deflow
def ships() -> str:
    order = suspend("order")
    respond("charged")
    checkpoint()
    if interruptions:
        raise interruptions.pop()
    return order


@deflow
def child() -> str:
    return "done"


@deflow
def parent() -> str:
    return suspend(spawn(child))


@deflow
def naps() -> None:
    sleep(timedelta(days=1))


@deflow
def waits_with_cleanup() -> None:
    try:
        suspend("number")
    finally:
        respond("cleaned")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store_url(request: Any, tmp_path: Any) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db?synchronous=NORMAL"
    from tests.store.postgres_server import binaries_or_skip

    binaries_or_skip()
    server = request.getfixturevalue("server")
    return server.url(request.getfixturevalue("fresh_database")())


@pytest.fixture
def kept(store_url: str, clock: FakeClock) -> Iterator[Engine]:
    """Return an engine that keeps events, and frames."""
    yield from _opened(Engine(store_url, clock=clock, history="frames"))


@pytest.fixture
def memory(clock: FakeClock) -> Engine:
    return Engine("memory://", clock=clock, history="events")


def _opened(engine: Engine) -> Iterator[Engine]:
    yield engine
    close = getattr(engine.store, "close", None)
    if close is not None:
        close()


def shown(entries: list[HistoryEntry]) -> list[tuple[Any, ...]]:
    return [
        (entry.turn, entry.number, entry.event, entry.actor, entry.value, entry.outcome)
        for entry in entries
    ]


def test_each_turn_is_kept_with_who_sent_what(kept: Engine, clock: FakeClock) -> None:
    with acting_as("ada"):
        run = kept.start_flow(adds, 1)
    clock.advance(timedelta(hours=1))
    with acting_as("bob"):
        kept.send(run.id, "number", 2)
    clock.advance(timedelta(hours=1))
    kept.run_pending()
    with acting_as("eve"):
        kept.process_event(run.id, "number", 97)

    entries = kept.history(run.id)

    assert shown(entries) == [
        (1, 0, "longterm.start", "ada", None, "suspended"),
        (2, 0, "number", "bob", 2, "suspended"),
        (3, 0, "number", "eve", 97, "complete"),
    ]
    assert [entry.response for entry in entries] == [[{"total": 1}], [{"total": 3}], []]
    assert [entry.revision for entry in entries] == [0, 1, 2]
    assert [entry.waiting_for for entry in entries] == ["number", "number", None]
    assert entries[1].saved_at - entries[1].sent_at == timedelta(hours=1)
    assert kept.history(run.id, after=entries[0], limit=1) == [entries[1]]


def test_a_failed_turn_says_why_and_a_retry_says_who(kept: Engine, clock: FakeClock) -> None:
    run = kept.start_flow(adds, 1)
    with acting_as("ada"), pytest.raises(ValueError, match="too much"):
        kept.process_event(run.id, "number", 100)
    clock.advance(timedelta(hours=1))
    with acting_as("bob"), pytest.raises(ValueError, match="too much"):
        kept.retry(run.id)

    entries = kept.history(run.id)

    assert shown(entries) == [
        (1, 0, "longterm.start", None, None, "suspended"),
        (2, 0, "number", "ada", 100, "failed"),
        (3, 0, "longterm.retry", "bob", None, "suspended"),
        (4, 0, "number", "ada", 100, "failed"),
    ]
    assert entries[2].saved_at == clock.now()
    assert "101 is too much" in (entries[1].error or "")
    assert entries[0].error is None


def test_what_is_read_besides_is_kept_once(kept: Engine) -> None:
    run = kept.start_flow(reads_twice)
    with acting_as("ada"):
        kept.send(run.id, "second", 2)
        kept.send(run.id, "second", 3)
    kept.process_event(run.id, "first", 1)

    assert shown(kept.history(run.id))[1:] == [
        (2, 0, "first", None, 1, "suspended"),
        (2, 1, "second", "ada", 2, None),
        (2, 2, "second", "ada", 3, None),
    ]


def test_children_name_the_run_that_has_begun_them(kept: Engine) -> None:
    run = kept.start_flow(parent)

    begun, ended = kept.history(run.id)
    child_id = ended.event.removeprefix("run:")
    assert ended.actor == f"run:{child_id}"
    assert shown(kept.history(child_id)) == [
        (1, 0, "longterm.start", f"run:{run.id}", None, "suspended"),
        (2, 0, "longterm.start", None, None, "complete"),
    ]
    assert begun.outcome == "suspended"


def test_deadlines_cancels_and_exceptions_are_kept(kept: Engine, clock: FakeClock) -> None:
    napping = kept.start_flow(naps)
    clock.advance(timedelta(days=2))
    kept.run_pending()
    expired = kept.start_flow(naps)
    cancelled = kept.start_flow(waits_with_cleanup)
    ended = kept.start_flow(waits_with_cleanup)
    thrown = kept.start_flow(waits_with_cleanup)
    with acting_as("ada"):
        kept.expire(expired.id)
        kept.cancel(cancelled.id)
        kept.cancel(ended.id, force=True)
        with pytest.raises(OSError, match="disk"):
            kept.throw(thrown.id, OSError("disk"))

    last = [kept.history(run.id)[-1] for run in (napping, expired, cancelled, ended, thrown)]

    assert [(entry.event, entry.actor, entry.outcome) for entry in last] == [
        ("longterm.deadline", None, "complete"),
        ("longterm.deadline", "ada", "complete"),
        ("longterm.cancel", "ada", "cancelled"),
        ("longterm.cancel", "ada", "cancelled"),
        ("longterm.throw", "ada", "failed"),
    ]
    assert isinstance(last[4].value, OSError)


def test_a_forced_cancel_in_a_turn_leaves_what_that_has_read(kept: Engine) -> None:
    run = kept.start_flow(waits_with_cleanup)
    claimed = kept.store.unsuspend(run.id, "number")
    assert claimed is not None
    with acting_as("ada"):
        kept.cancel(run.id, force=True)

    (_, last) = kept.history(run.id)
    assert (last.event, last.actor, last.outcome) == ("longterm.cancel", "ada", "cancelled")
    assert last.number > 0


def test_what_is_discarded_is_kept(kept: Engine) -> None:
    run = kept.start_flow(adds, 1)
    kept.send(run.id, "other", "junk")
    with acting_as("ada"):
        kept.discard_event(run.id, 1)

    assert shown(kept.history(run.id))[-1] == (
        *(2, 0, "longterm.discard", "ada", "junk", "suspended"),
    )


def test_what_was_refused_leaves_nothing(kept: Engine) -> None:
    run = kept.start_flow(adds, 1)

    with pytest.raises(CannotStore, match="history of run"):
        kept.process_event(run.id, "number", threading.Lock())
    with pytest.raises(WrongEvent):
        kept.process_event(run.id, "other", 1)

    assert len(kept.history(run.id)) == 1
    assert kept.get_run(run.id).revision == run.revision
    assert kept.process_event(run.id, "number", 99).result == 100


def test_a_history_is_deleted_with_its_run(kept: Engine, clock: FakeClock) -> None:
    run = kept.start_flow(adds, 100 - 1)
    kept.process_event(run.id, "number", 1)
    clock.advance(timedelta(days=2))

    assert kept.prune(timedelta(days=1)) == 1

    assert kept.store.entries(run.id) == []  # type: ignore[attr-defined]


def test_nothing_is_kept_unless_it_is_asked_for(clock: FakeClock) -> None:
    engine = Engine("memory://", clock=clock)
    run = engine.start_flow(adds, 1)
    engine.process_event(run.id, "number", 1)

    assert engine.history(run.id) == []


def test_frames_are_kept_only_if_they_are_asked_for(memory: Engine) -> None:
    run = memory.start_flow(adds, 1)
    memory.process_event(run.id, "number", 1)

    assert [entry.has_frames for entry in memory.history(run.id)] == [True, False]


@pytest.mark.parametrize("kind", ["all", "", None])
def test_an_unknown_kind_of_history_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="choose 'off', 'events' or 'frames'"):
        Engine("memory://", history=kind)


def test_a_store_without_histories_is_refused() -> None:
    store = FourMethods()
    with pytest.raises(NotSupported, match="histories"):
        Engine(store, history="events")
    engine = Engine(store)
    run = engine.start_flow(adds, 1)
    with pytest.raises(NotSupported, match="histories"):
        engine.history(run.id)


@pytest.mark.parametrize("name", ["", "x" * 501, "a\0b", "\ud800", 4, None])
def test_a_name_that_no_store_can_hold_is_refused(name: Any) -> None:
    with pytest.raises(InvalidActor, match="1 to 500"), acting_as(name):
        raise AssertionError("it was taken")


def test_an_actor_ends_with_its_block(memory: Engine) -> None:
    run = memory.start_flow(adds, 1)
    with acting_as("ada"):
        with acting_as("bob"):
            memory.process_event(run.id, "number", 1)
        memory.process_event(run.id, "number", 1)
    memory.process_event(run.id, "number", 1)

    assert [entry.actor for entry in memory.history(run.id)] == [None, "bob", "ada", None]


def test_asynchronous_code_keeps_it_too(kept: Engine) -> None:
    async def calls() -> list[HistoryEntry]:
        with acting_as("ada"):
            run = await kept.astart_flow(adds, 1)
            await kept.aprocess_event(run.id, "number", 1)
        return await kept.ahistory(run.id)

    assert [entry.actor for entry in asyncio.run(calls())] == ["ada", "ada"]


def test_what_is_old_is_forgotten(kept: Engine, clock: FakeClock) -> None:
    run = kept.start_flow(adds, 1)
    clock.advance(timedelta(days=2))
    kept.process_event(run.id, "number", 1)

    assert kept.prune_history(timedelta(days=1)) == 1
    assert kept.prune_history(timedelta(days=1)) == 0

    assert [entry.turn for entry in kept.history(run.id)] == [2]
    assert kept.process_event(run.id, "number", 98).result == 100


def test_a_turn_that_ended_after_a_checkpoint_is_kept_as_one_that_was_under_way(
    kept: Engine,
) -> None:
    interruptions[:] = [KeyboardInterrupt]
    run = kept.start_flow(ships)
    with acting_as("ada"), pytest.raises(KeyboardInterrupt):
        kept.process_event(run.id, "order", "tea")
    kept.run_pending()

    entries = kept.history(run.id)

    assert shown(entries)[1:] == [
        (2, 0, "order", "ada", "tea", "running"),
        (3, 0, "longterm.checkpoint", None, None, "complete"),
    ]
    assert entries[1].response == ["charged"]
    assert kept.fork(run.id, at=2).waiting_for == "longterm.checkpoint"


def test_what_is_started_in_a_transaction_is_kept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with SQLiteStore(path) as store, closing(sqlite3.connect(path)) as connection:
        engine = Engine(store, history="events")
        engine.start_flow(adds, 1)
        with acting_as("ada"):
            kept = engine.within(connection).start(adds, (1,), id="kept")
            connection.commit()
            engine.within(connection).start(adds, (1,), id="lost")
            connection.rollback()

        assert shown(engine.history(kept.id)) == [
            (1, 0, "longterm.start", "ada", None, "suspended"),
        ]
        assert store.entries("lost") == []


def test_an_entry_that_was_changed_is_an_error_that_names_its_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with SQLiteStore(path) as store, closing(sqlite3.connect(path)) as connection:
        engine = Engine(store, history="frames")
        run = engine.start_flow(adds, 1)
        engine.process_event(run.id, "number", 1)
        with connection:
            connection.execute("UPDATE history SET actor = 'eve' WHERE turn = 2")
            connection.execute("UPDATE history SET stack = x'00' WHERE turn = 1")

        with pytest.raises(UnreadableRun, match=f"{run.id}.*turn 2 in its history"):
            engine.history(run.id)
        with pytest.raises(UnreadableRun, match=f"{run.id}.*turn 1 in its history"):
            engine.fork(run.id, at=0)
        assert engine.process_event(run.id, "number", 98).result == 100
