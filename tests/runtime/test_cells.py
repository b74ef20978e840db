"""Flows in a text that is only a part of its module: a notebook's cells, and doctest's examples."""

from __future__ import annotations

import doctest
import linecache
import types

import pytest

from longterm import Engine
from longterm._flows.registry import flow_of

FIRST = """
import longterm
from longterm import deflow as flow, suspend

@flow
def ask(question):
    return suspend(question)

def plain(question):
    return question
"""
SECOND = """
@flow
def by_form(questions):
    return [suspend(each) for each in questions]

@longterm.deflow
def by_flow(questions):
    return [ask(plain(each)) for each in questions], [longterm.suspend(each) for each in "c"]
"""


@pytest.fixture
def cells(monkeypatch):
    """Return the names that two cells of a notebook bind."""
    namespace = {"__name__": "__main__"}
    for number, text in enumerate([FIRST, SECOND]):
        path = f"/tmp/ipykernel_1/{number}.py"
        lines = text.splitlines(keepends=True)
        monkeypatch.setitem(linecache.cache, path, (len(text), None, lines, path))
        exec(compile(text, path, "exec"), namespace)
    return types.SimpleNamespace(**namespace)


def test_names_of_another_cell_are_what_they_stand_for(cells):
    engine = Engine("memory://")
    run = engine.start_flow(cells.by_form, ["a", "b"])
    for value in (1, 2):
        run = engine.process_event(run.id, run.waiting_for, value)
    assert run.result == [1, 2]

    run = engine.start_flow(cells.by_flow, ["a", "b"])
    for value in (1, 2, 3):
        run = engine.process_event(run.id, run.waiting_for, value)
    assert run.result == ([1, 2], [3])


def test_a_flow_of_another_cell_is_compiled_the_same_once_it_is_defined_again(cells):
    version = flow_of(cells.by_flow).version

    exec(compile(SECOND, "/tmp/ipykernel_1/1.py", "exec"), vars(cells))

    assert flow_of(cells.by_flow).version == version


def asks():
    """
    >>> from longterm import Engine, deflow, suspend
    >>> @deflow
    ... def ask_all(questions):
    ...     return [suspend(each) for each in questions]
    >>> Engine("memory://").start_flow(ask_all, ["a"]).waiting_for
    'a'
    """


def test_names_of_another_example_are_what_they_stand_for():
    (example,) = doctest.DocTestFinder().find(asks, globs={"__name__": __name__})

    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
