"""The position of a run: which frames it waits in, as one text that a store can count."""

from __future__ import annotations

import pytest

from longterm import Engine, checkpoint, deflow, suspend
from longterm._flows.registry import flow_of


@deflow
def pay(amount):
    return suspend("card"), amount


@deflow
def sell(cart):
    suspend("agreed")
    return pay(len(cart))


@deflow
def deep(depth):
    return suspend("bottom") if depth == 0 else deep(depth - 1)


@deflow
def holding(which):
    one = (lambda: which + 1,)
    two = (lambda: which + 2,)
    held = one if which else two
    suspend("e")
    return held[0]()


@deflow
def saving():
    checkpoint()
    raise ValueError("after the checkpoint")


@pytest.fixture(params=["memory://", "sqlite:///{}/runs.db"])
def engine(request, tmp_path):
    return Engine(request.param.format(tmp_path))


def version_of(flow):
    return flow_of(flow).version[:8]


def test_position_says_where_a_run_waits(engine):
    run = engine.start_flow(sell, "ab")
    assert run.position == f"{__name__}:sell@{version_of(sell)}:1"

    run = engine.process_event(run.id, "agreed")
    sold, paid = version_of(sell), version_of(pay)
    assert run.position == f"{__name__}:sell@{sold}:2>{__name__}:pay@{paid}:1"
    assert engine.get_run(run.id).position == run.position
    assert run.to_dict()["position"] == run.position

    assert engine.process_event(run.id, "card").position is None


def test_a_refused_turn_leaves_the_position_and_a_failed_run_keeps_it(engine):
    run = engine.start_flow(sell, 7)

    with pytest.raises(TypeError):
        engine.process_event(run.id, "agreed")

    failed = engine.get_run(run.id)
    assert (failed.position, failed.stack) == (run.position, run.stack)


def test_a_run_that_fails_after_a_checkpoint_is_where_that_was(engine):
    with pytest.raises(ValueError, match="after the checkpoint"):
        engine.start_flow(saving)

    (failed,) = engine.find_runs()
    assert failed.position == f"{__name__}:saving@{version_of(saving)}:1"


def test_of_a_deep_stack_the_ends_are_shown_and_all_counts(engine):
    run = engine.start_flow(deep, 40)
    other = engine.start_flow(deep, 41)

    places = run.position.split(">")
    assert len(places) == 17
    assert places[8].startswith("…")
    assert run.position != other.position


def test_functions_that_the_stack_holds_count(engine):
    one, two, same = (engine.start_flow(holding, which) for which in (True, False, True))

    assert one.position != two.position
    assert one.position == same.position
    assert one.position.rpartition("+")[0] == f"{__name__}:holding@{version_of(holding)}:1"


def test_a_run_that_has_not_begun_has_no_position(engine):
    assert engine.start(sell, ("ab",), at=engine.start_flow(sell, "ab").updated_at).position is None
