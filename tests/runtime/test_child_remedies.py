"""Every remedy that is named of children, of starts and of revisions is followed, and helps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import longterm
from longterm import ChildCancelled, Engine, RunState, deflow, gather, spawn, suspend
from longterm._turns import outgoing
from longterm.testing import FakeClock, interpret
from tests.advice import printed


@deflow
def asks() -> Any:
    return suspend("q")


@deflow
def is_done(value: Any = "done") -> Any:
    return value


@deflow
def sends(run_id: str, **options: Any) -> None:
    longterm.send(run_id, "q", 1, **options)


@deflow
def takes(keeps: bool) -> Any:
    child = spawn(is_done)
    first = suspend(child)
    return (first, first) if keeps else (first, suspend(child))


@deflow
def counts(count: int, at_once: int) -> int:
    ended: list[Any] = []
    while len(ended) < count:
        ended += gather(*[spawn(is_done) for _ in range(at_once)])
    return len(ended)


@deflow
def begins(count: int) -> int:
    return len([longterm.start_flow(is_done) for _ in range(count)])


@deflow
def loses_its_child(catches: bool) -> Any:
    child = spawn(asks)
    child.cancel()
    try:
        return suspend(child)
    except ChildCancelled:
        if not catches:
            raise
        return "without"


class OnFire(Exception):
    def __init__(self) -> None:
        super().__init__("it is on fire")
        self.lock = threading.Lock()


@deflow
def burns() -> None:
    raise OnFire


@deflow
def waits_for(flow: Any) -> Any:
    return suspend(spawn(flow))


@pytest.fixture
def engine(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("LONGTERM_URL", f"sqlite:///{tmp_path}/runs.db")
    engine = Engine(f"sqlite:///{tmp_path}/runs.db", clock=FakeClock())
    with engine.store:  # type: ignore[attr-defined]
        yield engine


def failed(engine: Engine, flow: Any, *args: Any) -> str:
    """Run a flow that fails by the end of a child, and return its error."""
    run = engine.start_flow(flow, *args)
    assert run.state is RunState.FAILED
    return run.error or ""


def test_a_result_that_is_wanted_twice(engine: Engine) -> None:
    with printed("keep the result in a variable; the run that spawns a child waits for it"):
        raise AssertionError(failed(engine, takes, False))

    assert engine.start_flow(takes, True).result == ("done", "done")


def test_too_many_children(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MOST_CHILDREN", 5)
    with printed("wait for some of them first, or start runs of their own by `start_flow`"):
        engine.start_flow(counts, 6, 6)

    assert engine.start_flow(counts, 6, 3).result == 6
    assert engine.start_flow(begins, 6).result == 6


def test_a_child_that_was_cancelled(engine: Engine) -> None:
    with printed("catch ChildCancelled to go on without its result"):
        raise AssertionError(failed(engine, loses_its_child, False))

    assert engine.start_flow(loses_its_child, True).result == "without"


def test_a_child_whose_exception_cannot_be_stored(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    from longterm.cli import main

    with printed("`longterm show *` says more"):
        raise AssertionError(failed(engine, waits_for, burns))

    (child,) = engine.find_runs(flow=burns)
    main(["show", child.id])
    assert "OnFire: it is on fire" in capsys.readouterr().out


def test_a_child_that_waits_in_a_script(engine: Engine) -> None:
    with printed("test it with an engine"):
        interpret(waits_for, [asks])

    run = engine.start_flow(waits_for, asks)
    engine.process_event(run.children[0], "q", 1)
    assert engine.get_run(run.id).result == 1


def test_a_flow_that_sends_for_a_revision(engine: Engine) -> None:
    other = engine.start_flow(asks)
    with printed("leave `revision` out"):
        engine.start_flow(sends, other.id, revision=1)

    engine.start_flow(sends, other.id)
    assert engine.get_run(other.id).result == 1


def test_a_revision_that_is_none(engine: Engine) -> None:
    run = engine.start_flow(asks)
    with printed("give `run.revision`"):
        engine.process_event(run.id, "q", 1, revision="1")  # type: ignore[arg-type]

    assert engine.process_event(run.id, "q", 1, revision=run.revision).result == 1


def test_a_revision_that_is_over(engine: Engine) -> None:
    run = engine.start_flow(asks)
    with printed("read the run again, and see whether the event is still meant"):
        engine.process_event(run.id, "q", 1, revision=run.revision + 1)

    again = engine.get_run(run.id)
    assert engine.process_event(run.id, "q", 1, revision=again.revision).result == 1


def test_an_id_of_a_start(engine: Engine) -> None:
    with printed("give what it is about, such as id='order 4711'"):
        engine.start(is_done, id="")
    engine.start(is_done, id="order 4711")
    with printed("give each run an id of its own, such as the order's number"):
        engine.start(is_done, ("other",), id="order 4711")

    assert engine.start(is_done, ("other",), id="order 4712").result == "other"


def test_the_arguments_of_a_start(engine: Engine) -> None:
    with printed("write start(flow, (item,)), or start_flow(flow, item)"):
        engine.start(is_done, "tea")  # type: ignore[call-overload]
    with printed("give it a string as its name"):
        engine.start(is_done, index={1: "tea"})  # type: ignore[dict-item]

    assert engine.start(is_done, ("tea",)).result == "tea"
    assert engine.start_flow(is_done, "tea").result == "tea"
    assert engine.start(is_done, index={"item": "tea"}).index == {"item": "tea"}


def test_a_run_that_does_not_come_to_rest(engine: Engine) -> None:
    run = engine.start_flow(asks)
    engine.send(run.id, "q", 1)
    with printed(
        "see that a worker runs which knows its flow, or call `run_pending`; or allow more time"
    ):
        engine.join(run.id, timeout=0.05)

    engine.run_pending()
    assert engine.join(run.id, timeout=5).result == 1
