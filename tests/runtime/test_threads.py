"""Threads of one process that come to the same flow at the same time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

import longterm._flows.flow
import longterm._flows.registry
from longterm import Engine, RunState, deflow, suspend
from longterm._flows.registry import flow_of

THREADS = 8


@deflow
def outer(x):
    @deflow
    def inner():
        return [x, suspend("a")]

    return inner()


@pytest.fixture
def slowly(monkeypatch):
    """Make what is done when a body is made take long, so that other threads come in between."""
    add_body = longterm._flows.flow.add_body

    def add_slowly(body):
        time.sleep(0.02)
        add_body(body)

    for module in (longterm._flows.flow, longterm._flows.registry):
        monkeypatch.setattr(module, "add_body", add_slowly)


def at_once(step, arguments):
    """Take a step for each argument at the same moment, and return the results."""
    start = Barrier(len(arguments))

    def take(argument):
        start.wait()
        return step(argument)

    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(take, arguments))


def test_threads_that_are_the_first_to_resume_a_point_run_the_same_code(slowly):
    @deflow
    def collect():
        got = [suspend("a")]
        got.append(suspend("b"))
        return got

    engine = Engine("memory://")
    runs = [engine.start_flow(collect) for _ in range(THREADS)]

    flow_of(collect)._resumes.clear()  # as in a process that has only just started
    runs = at_once(lambda run: engine.process_event(run.id, "a", 1), runs)
    assert {(run.state, run.waiting_for) for run in runs} == {(RunState.SUSPENDED, "b")}
    runs = at_once(lambda run: engine.process_event(run.id, "b", 2), runs)
    assert [run.result for run in runs] == [[1, 2]] * THREADS


def test_threads_that_are_the_first_to_define_an_inner_flow_define_the_same(slowly):
    engine = Engine("memory://")

    runs = at_once(lambda x: engine.start_flow(outer, x), range(THREADS))
    del longterm._flows.registry._flows[f"{__name__}:outer.<locals>.inner"]  # as in a new process
    runs = at_once(lambda run: engine.process_event(run.id, "a", "b"), runs)

    assert [run.result for run in runs] == [[x, "b"] for x in range(THREADS)]
