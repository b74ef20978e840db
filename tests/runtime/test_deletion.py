"""Runs are ended without their code, and deleted: one, or all of a customer."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from fixtures.folder_store import FolderStore
from longterm import (
    ClaimLost,
    Engine,
    InvalidQuery,
    NotSupported,
    RunNotEnded,
    RunNotSuspended,
    RunState,
    UnknownFlow,
    UnknownRun,
    blind,
    deflow,
    set_index,
    set_keys,
    suspend,
)
from longterm._codec import encode
from longterm.frame import Frame
from longterm.run import Run
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

CLEANED = []


@deflow
def serve(customer):
    set_index(customer=customer)
    try:
        return suspend("order")
    finally:
        CLEANED.append(customer)


@deflow
def serve_blind(customer):
    set_index(**blind(customer=customer))
    return suspend("order")


@deflow
def blocked():
    suspend("begin")
    ENTERED.set()
    assert GO_ON.wait(20)


ENTERED, GO_ON = threading.Event(), threading.Event()


@pytest.fixture(params=["memory", "sqlite", "postgres", "folder"])
def engine(request, tmp_path):
    CLEANED.clear()
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
    elif request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/runs.db"
    else:
        url = FolderStore(tmp_path, desk="d") if request.param == "folder" else "memory://"
    engine = Engine(url)
    yield engine
    if hasattr(engine.store, "close"):
        engine.store.close()


@pytest.fixture
def full(engine):
    """An engine whose store offers all that these functions need."""
    if isinstance(engine.store, FolderStore):
        pytest.skip("the store of four methods cannot delete: see the test of that")
    return engine


# -- cancel(force=True) ---------------------------------------------------------------------------


def test_run_whose_code_is_gone_is_ended_by_force(engine):
    stack = encode([Frame("gone:flow", "v1", point=1, line=1)])
    run = Run(id="r1", flow="gone:flow", state=RunState.SUSPENDED, waiting_for="e", stack=stack)
    run = engine.store.create(run.with_error("parked: flow gone:flow is not known"))

    with pytest.raises(UnknownFlow):
        engine.cancel(run.id)
    ended = engine.cancel(run.id, force=True)

    assert (ended.state, ended.waiting_for, ended.stack) == (RunState.CANCELLED, None, None)
    assert engine.get_run(run.id) == ended
    assert ended.error is None


def test_force_runs_nothing_of_the_flow(engine):
    run = engine.start_flow(serve, 7)

    assert asyncio.run(engine.acancel(run.id, force=True)).state is RunState.CANCELLED

    assert CLEANED == []
    assert engine.get_run(run.id).index == {"customer": 7}


def test_turn_under_way_is_not_saved_after_a_force(engine):
    ENTERED.clear()
    GO_ON.clear()
    run = engine.start_flow(blocked)
    caught = []

    def deliver():
        try:
            engine.process_event(run.id, "begin")
        except ClaimLost as error:
            caught.append(error)

    thread = threading.Thread(target=deliver)
    thread.start()
    assert ENTERED.wait(20)
    engine.cancel(run.id, force=True)
    GO_ON.set()
    thread.join()

    assert len(caught) == 1
    assert engine.get_run(run.id).state is RunState.CANCELLED


def test_run_whose_process_died_is_ended_by_force(engine):
    run = engine.start_flow(serve, 7)
    engine.store.unsuspend(run.id, "order")  # by a process that is no more

    assert engine.cancel(run.id, force=True).state is RunState.CANCELLED


def test_what_has_ended_stays_as_it_was(engine):
    run = engine.start_flow(serve, 7)
    done = engine.process_event(run.id, "order", "tea")

    with pytest.raises(RunNotSuspended):
        engine.cancel(run.id, force=True)

    assert engine.get_run(run.id) == done
    with pytest.raises(UnknownRun):
        engine.cancel("none", force=True)


def test_force_wins_in_the_end_against_turns_that_come_in_between(full, monkeypatch):
    run = full.start_flow(serve, 7)
    get, count = full.store.get, iter(range(3))

    def get_and_be_overtaken(run_id):
        found = get(run_id)
        if next(count, None) is not None and found.state is RunState.SUSPENDED:
            full.store.unsuspend(run_id, "order")
        elif found.state is RunState.RUNNING and next(count, None) is not None:
            full.store.update(found.changed(state=RunState.SUSPENDED))
        return found

    monkeypatch.setattr(full.store, "get", get_and_be_overtaken)

    assert full.cancel(run.id, force=True).state is RunState.CANCELLED


# -- delete ---------------------------------------------------------------------------------------


def ended(engine, customer):
    return engine.process_event(engine.start_flow(serve, customer).id, "order", "tea")


def test_one_run_is_deleted(full):
    run, other = ended(full, 7), ended(full, 7)

    assert full.delete(run.id) == 1

    with pytest.raises(UnknownRun):
        full.get_run(run.id)
    with pytest.raises(UnknownRun):
        full.delete(run.id)
    assert [each.id for each in full.find_runs(index={"customer": 7})] == [other.id]


def test_waiting_run_is_not_deleted_and_the_error_names_the_way(full):
    run = full.start_flow(serve, 7)

    with pytest.raises(RunNotEnded, match=r"is suspended .* \(cancel it first") as refused:
        full.delete(run.id)

    assert (refused.value.run_id, refused.value.state) == (run.id, "suspended")
    assert full.get_run(run.id) == run
    full.cancel(run.id)
    assert asyncio.run(full.adelete(run.id)) == 1


def test_all_runs_of_a_customer_are_deleted_or_none(full, monkeypatch):
    monkeypatch.setattr("longterm._records.deletion._AT_ONCE", 2)
    for _ in range(5):
        ended(full, 7)
    kept, waiting = ended(full, "7"), full.start_flow(serve, 7)

    with pytest.raises(RunNotEnded):
        full.delete(index={"customer": 7})
    assert len(full.find_runs(index={"customer": 7})) == 6
    full.cancel(waiting.id, force=True)

    assert full.delete(index={"customer": 7}) == 6
    assert full.delete(index={"customer": 7}) == 0
    assert full.find_runs() == [kept]


@pytest.mark.usefixtures("envelope")
def test_runs_are_deleted_by_blind_facts_of_any_key(full):
    for key in (KEY, OTHER_KEY):
        set_keys(key)
        full.cancel(full.start_flow(serve_blind, "Ada").id)
    set_keys(OTHER_KEY, KEY)

    assert full.delete(blind={"customer": "Ada"}) == 2


def test_delete_without_a_condition_is_refused(full):
    run = ended(full, 7)

    for wrong in ({}, {"index": {}}, {"index": None, "blind": {}}):
        with pytest.raises(InvalidQuery, match="at least one fact"):
            full.delete(**wrong)
    with pytest.raises(InvalidQuery, match="not both"):
        full.delete(run.id, index={"customer": 7})

    assert full.get_run(run.id) == run


def test_store_that_cannot_delete_says_so(tmp_path):
    engine = Engine(FolderStore(tmp_path, desk="d"))
    run = ended(engine, 7)

    for wanted in ((run.id,), ()):
        with pytest.raises(NotSupported, match="FolderStore does not offer deleting one run"):
            engine.delete(*wanted, **({} if wanted else {"index": {"customer": 7}}))
    with pytest.raises(NotSupported, match="deleting runs"):
        engine.prune(timedelta(0))
