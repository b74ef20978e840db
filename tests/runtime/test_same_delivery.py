"""One delivery that comes by both doors at once, under one key, is read once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from longterm import Engine, RunState, checkpoint, deflow, suspend
from longterm.testing import FakeClock

during: list[Any] = []


def happens() -> None:
    if during:
        during.pop()()


@deflow
def counts(fails: bool = False) -> list[int]:
    seen = [suspend("n")]
    happens()
    if fails and not attempts:
        attempts.append(1)
        raise LookupError("at first")
    seen.append(suspend("n", expires=timedelta(days=1), default="late"))
    return seen


@deflow
def saves_between() -> list[int]:
    seen = [suspend("n")]
    checkpoint()
    happens()
    checkpoint()
    seen.append(suspend("n", expires=timedelta(days=1), default="late"))
    return seen


attempts: list[int] = []


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/runs.db"}.get(request.param)
    if url is None:
        url = request.getfixturevalue("server").url(request.getfixturevalue("fresh_database")())
    attempts.clear()
    engine = Engine(url, clock=FakeClock())
    yield engine
    if hasattr(engine.store, "close"):
        engine.store.close()


@pytest.mark.parametrize("flow", [counts, saves_between])
def test_it_is_read_once(engine: Any, flow: Any) -> None:
    run = engine.start_flow(flow)
    during.append(lambda: engine.send(run.id, "n", 1, key="k"))

    rests = engine.process_event(run.id, "n", 1, key="k")

    assert (rests.state, rests.unread) == (RunState.SUSPENDED, ())
    assert engine.run_pending() == 0
    assert engine.send(run.id, "n", 1, key="k").is_duplicate
    engine.clock.advance(timedelta(days=2))
    engine.run_pending()
    assert engine.get_run(run.id).result == [1, "late"]


def test_another_value_is_not_lost(engine: Any) -> None:
    run = engine.start_flow(counts)
    during.append(lambda: engine.send(run.id, "n", 2, key="k"))

    engine.process_event(run.id, "n", 1, key="k")
    engine.run_pending()

    assert engine.get_run(run.id).result == [1, 2]


def test_a_turn_that_fails_keeps_it_once(engine: Any) -> None:
    run = engine.start_flow(counts, True)
    during.append(lambda: engine.send(run.id, "n", 1, key="k"))

    with pytest.raises(LookupError):
        engine.process_event(run.id, "n", 1, key="k")

    assert engine.get_run(run.id).unread == ("n",)
    rests = engine.retry(run.id)
    assert (rests.waiting_for, rests.unread) == ("n", ())
    engine.clock.advance(timedelta(days=2))
    engine.run_pending()
    assert engine.get_run(run.id).result == [1, "late"]
