"""Engines, the default one and others; two deliveries of one event."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

import longterm
from longterm import (
    Engine,
    Run,
    RunNotSuspended,
    RunState,
    StoreError,
    deflow,
    get_run,
    process_event,
    respond,
    set_runstore,
    start_flow,
    suspend,
)
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock


@deflow
def greet(name):
    respond(f"How are you, {name}?")
    helper("from a helper")
    return suspend("mood"), name


def helper(text):
    respond(text, len(text))


@deflow
def starts_another(engine_url):
    inner = Engine(engine_url).start_flow(greet, "inner")
    respond(inner.response)
    event = inner.waiting_for
    return suspend("outer"), event


@pytest.fixture
def default_store():
    set_runstore("memory://")
    yield
    set_runstore("memory://")


def test_module_level_functions_share_the_default_store(default_store):
    run = start_flow(greet, "Ann")

    assert get_run(run.id) == run
    assert process_event(run.id, "mood", "fine").result == ("fine", "Ann")


def test_helpers_of_a_flow_may_respond(default_store):
    assert start_flow(greet, "Ann").response == ["How are you, Ann?", "from a helper", 13]


@pytest.mark.parametrize("year", [1, 1969, 2026, 9999])
def test_ids_are_uuids_that_sort_by_when_their_runs_began(year):
    clock = FakeClock(datetime(year, 3, 4, tzinfo=UTC))
    engine = Engine("memory://", clock=clock)
    ids = []
    for _ in range(20):
        ids.append(engine.start_flow(greet, "Ann").id)
        clock.advance(timedelta(milliseconds=1))

    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {(7, RFC_4122)}
    assert len(set(ids)) == 20
    if year > 1970:  # the time in a UUID begins there
        assert ids == sorted(ids) == [run.id for run in engine.find_runs()]


def test_engines_keep_their_runs_apart():
    one, two = Engine("memory://"), Engine("memory://")
    run = one.start_flow(greet, "Ann")

    with pytest.raises(longterm.UnknownRun):
        two.get_run(run.id)


def test_flow_may_start_a_run_of_its_own():
    engine = Engine("memory://")

    run = engine.start_flow(starts_another, "memory://")

    assert run.response == [["How are you, inner?", "from a helper", 13]]
    assert engine.process_event(run.id, "outer", 1).result == (1, "mood")


def test_url_from_the_environment_is_the_default(tmp_path):
    script = (
        "from longterm import Engine, get_run, set_runstore, start_flow\n"
        "from longterm._api import default_engine\n"
        "print(type(default_engine().store).__name__)"
    )
    url = f"sqlite:///{tmp_path}/runs.db"

    names = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
        ).stdout.strip()
        for env in ({"LONGTERM_URL": url}, {"LONGTERM_URL": ""})
    ]

    assert names == ["SQLiteStore", "MemoryStore"]


@pytest.mark.parametrize("url", ["nosuch://x", "runs", "mysql://h/db"])
def test_unknown_url_is_refused_and_the_default_store_stays(default_store, url):
    run = start_flow(greet, "Ann")

    with pytest.raises(StoreError):
        set_runstore(url)

    assert get_run(run.id) == run


def test_two_deliveries_of_one_event_have_one_winner():
    engine = Engine("memory://")
    run = engine.start_flow(greet, "Ann")
    results: list[object] = []
    barrier = threading.Barrier(8)

    def deliver(number: int) -> None:
        barrier.wait()
        try:
            results.append(engine.process_event(run.id, "mood", number))
        except (RunNotSuspended, longterm.WrongEvent) as error:
            results.append(error)

    threads = [threading.Thread(target=deliver, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [each for each in results if isinstance(each, Run)]
    assert len(results) == 8
    assert len(winners) == 1
    assert engine.get_run(run.id).result == winners[0].result


@deflow
def loses_its_claim(run_id):
    suspend("go")
    steal_claim(run_id)
    suspend("never")


def steal_claim(run_id):
    store = longterm._api.default_engine().store
    store.update(dataclasses.replace(store.get(run_id), state=RunState.SUSPENDED))
    store.unsuspend(run_id, "go")


def test_claim_lost_in_the_middle_of_a_turn_saves_nothing(default_store):
    run = start_flow(takes_its_id)
    run = process_event(run.id, "id", run.id)

    with pytest.raises(longterm.ClaimLost):
        process_event(run.id, "go")

    stored = get_run(run.id)
    assert (stored.state, stored.turn, stored.stack) == (RunState.RUNNING, run.turn + 2, run.stack)


@deflow
def takes_its_id():
    loses_its_claim(suspend("id"))


@dataclass(frozen=True, kw_only=True)
class TenantRun(Run):
    """A run with a field of its store's own."""

    tenant: str = "acme"


class TenantStore(MemoryStore):
    """Marks every run with a tenant."""

    def create(self, run: Run) -> Run:
        fields = {each.name: getattr(run, each.name) for each in dataclasses.fields(Run)}
        return super().create(TenantRun(**fields, tenant="umbrella"))


def test_fields_of_a_stores_own_reach_the_caller_in_every_turn():
    engine = Engine(TenantStore())

    run = engine.start_flow(greet, "Ann")
    assert run.tenant == "umbrella"

    run = engine.process_event(run.id, "mood", 1)
    assert run.tenant == "umbrella"
    assert engine.get_run(run.id).tenant == "umbrella"


def test_result_and_response_are_copies():
    engine = Engine("memory://")
    run = engine.start_flow(greet, "Ann")

    run.response.append("mine")

    assert "mine" not in run.response


@deflow
def holds_a_run(name):
    child = start_inner(name)
    answer = suspend("after")
    return child, answer


def start_inner(name):
    return start_flow(greet, name)


def test_run_in_a_flow_is_stored_by_id_and_read_as_it_is_then(default_store):
    run = start_flow(holds_a_run, "Ann")
    (child_id,) = {each.id for each in longterm.find_runs(waiting_for="mood")}
    process_event(child_id, "mood", "fine")

    child, answer = process_event(run.id, "after", 1).result

    assert (child.id, child.state, child.result) == (child_id, RunState.COMPLETE, ("fine", "Ann"))
    assert answer == 1
