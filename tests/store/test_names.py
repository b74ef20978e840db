"""What callers and flows may give: what no store could hold is refused before anything happens."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum

import pytest

from longterm import (
    Engine,
    InvalidDeadline,
    InvalidDeliveryKey,
    InvalidEventId,
    InvalidFact,
    InvalidQuery,
    InvalidRunId,
    KeyReused,
    LongtermError,
    NotAnException,
    RunState,
    UnknownRun,
    deflow,
    respond,
    set_index,
    suspend,
)
from longterm.testing._sample_runs import suspended_run

done: list[str] = []


@deflow
def asks_for(event_id):
    done.append("before")
    answer = suspend(event_id)
    done.append("after")
    return answer


@deflow
def asks_until(expires):
    return suspend("go", expires=expires, default="late")


@deflow
def sets(facts):
    set_index(**facts)
    done.append("after")
    suspend("go")


@deflow
def divides():
    respond("ask")
    return 1 / suspend("divisor")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def engine(request, tmp_path):
    done.clear()
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        url = server.url(request.getfixturevalue("fresh_database")())
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/runs.db"}[request.param]
    engine = Engine(url)
    yield engine
    if hasattr(engine.store, "close"):
        engine.store.close()


class Event(StrEnum):
    GO = "go"


class OldEvent(str, Enum):  # noqa: UP042 - as people wrote it before Python 3.11
    GO = "go"


NO_NAMES = [None, 7, b"go", "", "a\0b", "\ud800", "x" * 501, ["go"]]
NAMES = ["x" * 500, "\U0001f600" * 500, "ein Wort ", "a b", "\x01" * 500]


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_what_no_store_holds_is_no_event_and_no_key(engine, name):
    with pytest.raises(InvalidEventId, match="an event id is a string of 1 to 500"):
        engine.start_flow(asks_for, name)
    assert done == ["before"]
    run = engine.start_flow(asks_for, "go")

    with pytest.raises(InvalidEventId):
        engine.process_event(run.id, name)
    if name is not None:
        with pytest.raises(InvalidDeliveryKey, match="the key of a delivery is a string of 1 to"):
            engine.process_event(run.id, "go", key=name)

    assert engine.get_run(run.id) == run


@pytest.mark.parametrize("name", NAMES, ids=len)
def test_longest_and_strangest_names_are_stored(engine, name):
    run = engine.start_flow(asks_for, name)
    assert engine.get_run(run.id).waiting_for == name

    run = engine.process_event(run.id, name, 1, key=name)

    assert (run.result, engine.get_run(run.id).delivery) == (1, name)


@pytest.mark.parametrize("name", [Event.GO, OldEvent.GO])
def test_member_of_an_enumeration_is_its_value(engine, name):
    run = engine.start_flow(asks_for, name)
    assert type(engine.get_run(run.id).waiting_for) is str
    assert engine.find_runs(waiting_for="go")

    assert engine.process_event(run.id, name, 1, key=name).delivery == "go"


FIRST = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
LAST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))


@pytest.mark.parametrize("expires", [timedelta.max, timedelta.min, FIRST, LAST], ids=repr)
def test_moment_that_no_store_holds_ends_no_wait(engine, expires):
    with pytest.raises(InvalidDeadline, match="it would not be in the years 1 to 9999"):
        engine.start_flow(asks_until, expires)


@pytest.mark.parametrize(
    "moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_first_and_last_moment_are_stored(engine, moment):
    run = engine.store.create(suspended_run().changed(deadline=moment))

    assert engine.get_run(run.id).deadline == moment


def test_moment_is_stored_in_utc(engine):
    moment = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5)))

    run = engine.start_flow(asks_until, moment)

    assert run.deadline == moment
    assert run.deadline.tzinfo is UTC


NO_FACTS = [
    {"a": 10**10_000},
    {"a": -(10**10_000)},
    {"a": "x" * 2_001},
    {"a": "\x01" * 500},
    {"x" * 101: 1},
    {"a": b"x"},
    {"a": [1]},
]
FACTS = [
    {"a": 2**2_000 - 1},
    {"a": "x" * 1_998},
    {"%" * 100: "é" * 999},
    {"a": "\ud800" * 333},
    {"\ud800\0": "\0"},
    {"a": float("inf")},
]


@pytest.mark.parametrize("facts", NO_FACTS, ids=range(len(NO_FACTS)))
def test_fact_that_no_store_indexes_is_refused(engine, facts):
    with pytest.raises(InvalidFact) as caught:
        engine.start_flow(sets, facts)

    assert len(str(caught.value)) < 400
    assert done == []
    with pytest.raises(InvalidFact):
        engine.find_runs(index=facts)


@pytest.mark.parametrize("facts", FACTS, ids=range(len(FACTS)))
def test_largest_and_strangest_facts_are_found(engine, facts):
    run = engine.start_flow(sets, facts)

    assert engine.find_runs(index=facts) == [engine.get_run(run.id)]
    assert dict(engine.get_run(run.id).index) == facts


def test_id_may_be_a_uuid(engine):
    run = engine.start_flow(asks_for, "go")
    run_id = uuid.UUID(run.id)

    assert engine.get_run(run_id).id == run.id
    with pytest.raises(ValueError, match="no"):
        engine.throw(run_id, ValueError("no"))
    engine.retry(run_id)
    assert engine.process_event(run_id, "go", 1).result == 1
    other = engine.start_flow(asks_for, "go")
    assert engine.cancel(uuid.UUID(other.id)).state is RunState.CANCELLED


@pytest.mark.parametrize("run_id", [None, 7, b"x"], ids=repr)
def test_what_is_no_id_is_refused(engine, run_id):
    for step in (engine.get_run, engine.cancel, engine.expire, engine.retry):
        with pytest.raises(InvalidRunId, match="a run's id is a string or a UUID, not"):
            step(run_id)
    with pytest.raises(InvalidRunId):
        engine.process_event(run_id, "go")


def test_run_in_place_of_its_id_is_refused_without_what_it_holds(engine):
    run = engine.start_flow(asks_for, "go")

    with pytest.raises(InvalidRunId, match="not a Run"):
        engine.process_event(run, "go")


@pytest.mark.parametrize("run_id", ["", "a\0b", "\ud800"], ids=ascii)
def test_text_that_is_no_id_is_unknown(engine, run_id):
    for step in (engine.get_run, engine.cancel, engine.retry):
        with pytest.raises(UnknownRun):
            step(run_id)
    with pytest.raises(UnknownRun):
        engine.process_event(run_id, "go")


def test_class_of_exceptions_is_thrown_as_raise_does(engine):
    run = engine.start_flow(asks_for, "go")

    with pytest.raises(TimeoutError):
        engine.throw(run.id, TimeoutError)

    assert engine.get_run(run.id).state is RunState.FAILED


@pytest.mark.parametrize("error", ["late", None, int, 7], ids=repr)
def test_what_cannot_be_raised_is_not_thrown(engine, error):
    run = engine.start_flow(asks_for, "go")

    with pytest.raises(NotAnException, match="an exception is thrown into a run, not"):
        engine.throw(run.id, error)

    assert engine.get_run(run.id) == run


def test_class_that_takes_arguments_is_refused_before_the_claim(engine):
    run = engine.start_flow(asks_for, "go")

    with pytest.raises(TypeError):
        engine.throw(run.id, UnicodeDecodeError)

    assert engine.get_run(run.id) == run


@pytest.mark.parametrize(
    "query",
    [
        {"state": "open"},
        {"limit": -1},
        {"limit": "5"},
        {"waiting_for": "a\0b"},
        {"flow": "\ud800"},
        {"older_than": timedelta.max},
    ],
    ids=repr,
)
def test_query_that_no_run_can_fit_is_refused(engine, query):
    (name,) = query
    with pytest.raises(InvalidQuery, match=f"^{name}="):
        engine.find_runs(**query)


def test_every_refusal_is_a_longterm_error():
    refusals = (
        *(InvalidDeadline, InvalidDeliveryKey, InvalidEventId, InvalidFact, InvalidQuery),
        *(InvalidRunId, NotAnException),
    )
    assert all(issubclass(kind, LongtermError) for kind in refusals)


def test_delivery_that_failed_is_taken_under_its_key(engine):
    run = engine.start_flow(divides)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0, key="click")

    again = engine.process_event(run.id, "divisor", 0, key="click")
    assert (again.state, again.is_duplicate) == (RunState.FAILED, True)
    with pytest.raises(KeyReused):
        engine.process_event(run.id, "divisor", 2, key="click")
