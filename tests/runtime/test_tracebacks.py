"""Tracebacks, breakpoints and line events show the author's own lines, resumed or not."""

from __future__ import annotations

import bdb
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from longterm import Engine, RunState, deflow, suspend
from longterm._flows.context import current
from longterm.testing import _uncompiled
from tests.runtime import assertions


@deflow
def outer(x):
    doubled = [
        x * 2,
        middle(x) + 1,
    ]
    return doubled


@deflow
def middle(x):
    for each in [x]:
        try:
            value = inner(each)
        finally:
            x = None
    return value


@deflow
def inner(x):
    answer = suspend("divisor")
    return x / answer


@deflow
def multiline(x):
    result = max(
        suspend("first"),
        min(
            x,
            suspend("second") / x,
        ),
    )
    return result


@deflow
def in_handler(x):
    try:
        int(suspend("number"))
    except ValueError as error:
        reason = suspend("reason")
        raise KeyError(reason) from error


@deflow
def bare_raise(x):
    try:
        raise LookupError("first")
    except LookupError:
        suspend("go")
        raise


@deflow
def through_with(x):
    with Recorder([]) as recorder:
        recorder.log.append(suspend("value"))
        return recorder.log[5]


class Recorder:
    def __init__(self, log):
        self.log = log

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def raised_by_author(flow: Callable[..., Any], args: list[Any], events: list[Any]) -> BaseException:
    """Run the uncompiled function with events that have come already."""

    class Now:
        def __init__(self) -> None:
            self.responses: list[Any] = []
            self.events = iter(events)

        def suspend(self, event_id: str) -> Any:
            return next(self.events)

    with _uncompiled():
        token = current.set(Now())
        try:
            flow(*args)
        except Exception as error:
            return error
        finally:
            current.reset(token)
    raise AssertionError("the flow did not raise")


def raised_by_run(flow: Callable[..., Any], args: list[Any], events: list[Any]) -> BaseException:
    engine = Engine("memory://")
    run = engine.start_flow(flow, *args)
    try:
        for value in events:
            run = engine.process_event(run.id, run.waiting_for, value)
    except Exception as error:
        return error
    raise AssertionError("the flow did not raise")


def authors_lines(
    error: BaseException, path: str = __file__
) -> list[tuple[str, int | None, str, str]]:
    """Return what a traceback shows of a file, carets included, from the flow on."""
    entries = traceback.TracebackException.from_exception(error).stack
    shown = [e for e in entries if e.filename == path and not e.name.startswith("raised_by")]
    return [(e.name, e.lineno, e.line or "", f"{e.colno}-{e.end_colno}") for e in shown]


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [
        (outer, [6], [0]),
        (middle, [6], [0]),
        (multiline, [0], [1, 2]),
        (multiline, [1], ["a", 2]),
        (in_handler, [1], ["no number", "why"]),
        (through_with, [1], [1]),
    ],
)
def test_traceback_of_a_resumed_flow_is_the_authors(flow, args, events):
    author, run = raised_by_author(flow, args, events), raised_by_run(flow, args, events)

    assert (type(run), run.args) == (type(author), author.args)
    assert authors_lines(run) == authors_lines(author)
    assert len(authors_lines(run)) >= 1


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [
        (assertions.compared, [1], [2]),
        (assertions.explained, [1], ["so"]),
        (assertions.asserted, [1], [0]),
        (assertions.asserted_of_several, [None], [0]),
        (assertions.asserted_of_a_choice, [1], [0]),
        (assertions.not_as_asserted, [1], [0]),
    ],
)
def test_traceback_of_a_failed_assertion_is_the_authors(flow, args, events):
    author, run = raised_by_author(flow, args, events), raised_by_run(flow, args, events)

    assert (type(run), run.args) == (type(author), author.args)
    assert authors_lines(run, assertions.__file__) == authors_lines(author, assertions.__file__)
    assert len(authors_lines(run, assertions.__file__)) == 1


def test_every_frame_of_the_stack_is_in_the_traceback():
    names = [name for name, *_ in authors_lines(raised_by_run(outer, [6], [0]))]

    assert names == ["outer", "middle", "inner"]


def test_no_frame_of_ours_stands_between_the_flows():
    entries = traceback.extract_tb(raised_by_run(outer, [6], [0]).__traceback__)
    first = next(i for i, e in enumerate(entries) if e.filename == __file__ and e.name == "outer")

    assert [e.name for e in entries[first:]] == ["outer", "middle", "inner"]


@pytest.mark.parametrize(
    ("flow", "events"), [(in_handler, ["no number", "why"]), (bare_raise, [None])]
)
def test_exception_state_survives_a_suspend_in_a_handler(flow, events):
    author, run = raised_by_author(flow, [1], events), raised_by_run(flow, [1], events)

    def chain(error: BaseException | None) -> list[object]:
        found: list[object] = []
        while error is not None:
            found.append((type(error), error.args, error.__suppress_context__))
            error = error.__cause__ or error.__context__
        return found

    assert chain(run) == chain(author)


class Stops(bdb.Bdb):
    """A debugger that notes where it stops, and goes on."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.stops: list[tuple[str, int, Any]] = []
        self.set_break(__file__, line)

    def user_line(self, frame: Any) -> None:
        if self.break_here(frame):
            at = (frame.f_code.co_name, frame.f_lineno, frame.f_locals.get("x"))
            self.stops.append(at)
        self.set_continue()


def test_breakpoint_stops_in_a_resumed_flow():
    line = inner.__code__.co_firstlineno + 3
    engine = Engine("memory://")
    run = engine.start_flow(outer, 6)
    debugger = Stops(line)

    run = debugger.runcall(engine.process_event, run.id, "divisor", 2)

    assert debugger.stops == [("inner", line, 6)]
    assert run.state is RunState.COMPLETE


def lines_run(function: Callable[[], Any]) -> list[tuple[str, int]]:
    """Return the line events in this file's flows while a function runs."""
    seen: list[tuple[str, int]] = []
    flows = {"outer", "middle", "inner", "multiline", "through_with", "in_handler"}

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != __file__ or frame.f_code.co_name not in flows:
            return None
        if event == "line":
            seen.append((frame.f_code.co_name, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except Exception:
        pass
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.parametrize(
    ("flow", "args", "events"),
    [(outer, [6], [2]), (through_with, [1], [1]), (in_handler, [1], ["no number", "why"])],
)
def test_fresh_body_has_the_line_events_of_the_authors_code(flow, args, events):
    class Now:
        def __init__(self) -> None:
            self.responses: list[Any] = []
            self.events = iter(events)

        def suspend(self, event_id: str) -> Any:
            return next(self.events)

    def run() -> None:
        token = current.set(Now())
        try:
            flow(*args)
        finally:
            current.reset(token)

    with _uncompiled():
        author = lines_run(run)

    assert lines_run(run) == author
