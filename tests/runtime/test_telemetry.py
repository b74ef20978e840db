"""What `Telemetry` makes of turns: one span each, in a chain, and metrics; no values of users."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="NOT CHECKED: the SDK of OpenTelemetry is missing")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from longterm import (
    CannotStore,
    Engine,
    InvalidValue,
    RunState,
    deflow,
    get_run,
    process_event,
    respond,
    send,
    set_runstore,
    spawn,
    start_flow,
    step,
    suspend,
)
from longterm._codec import encode
from longterm.cli import main
from longterm.store.base import RunStore
from longterm.store.memory import MemoryStore
from longterm.store.sqlite import SQLiteStore
from longterm.telemetry import Telemetry
from longterm.unread import UnreadEvent
from longterm.worker import Worker

SECRET = "what a user has said"
AT_ONCE: dict[str, Any] = {"max_attempts": 3, "backoff": lambda attempt: timedelta(0)}
attempts = 0
end_of_others: Callable[[], object]


class Recorded:
    """An engine that is observed, and what was recorded."""

    def __init__(self, store: RunStore | str = "memory://", **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.tracer = self.traces.get_tracer("application")
        self.telemetry = Telemetry(
            tracer_provider=self.traces,
            meter_provider=MeterProvider([self._reader]),
            **options,
        )
        self.engine = Engine(store, observer=self.telemetry)

    def spans(self, prefix: str = "") -> list[ReadableSpan]:
        """The spans that have ended, in the order in which they did."""
        found = self._exporter.get_finished_spans()
        return [span for span in found if span.name.startswith(prefix)]

    def metric(self, name: str, value: str) -> dict[tuple[Any, ...], float]:
        """The points of a metric by the values of their attributes."""
        data = self._reader.get_metrics_data()
        return {
            tuple((point.attributes or {}).values()): getattr(point, value)
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        }


def links(span: ReadableSpan, kind: str) -> list[int]:
    """The ids of the spans to which one has links of a kind."""
    found = [link for link in span.links if (link.attributes or {})["longterm.link"] == kind]
    return [link.context.span_id for link in found]


def own_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    """A store of a kind, which is closed after the test."""
    if request.param == "memory":
        yield MemoryStore()
        return
    with closing(SQLiteStore(tmp_path / "runs.db")) as opened:
        yield opened


@deflow
def adds(first):
    second = suspend("second")
    return first, second, suspend("third")


@deflow
def says():
    respond(get_current_span().get_span_context().span_id)
    suspend("go")
    respond(get_current_span().get_span_context().span_id)


@step(**AT_ONCE)
def fails_once(value):
    global attempts
    attempts += 1
    if attempts == 1:
        raise ValueError(SECRET)
    return value, get_current_span().get_span_context().span_id


@step(**AT_ONCE)
async def afails_once(value):
    await asyncio.sleep(0)
    return fails_once.__wrapped__(value)


@deflow
def tries(value):
    return fails_once(suspend("go"))


@deflow
async def atries(value):
    return await afails_once(await suspend("go"))


@deflow
def raises():
    if suspend("go") == SECRET:
        raise LookupError(SECRET)


@deflow
def holds_what_cannot_be_stored():
    suspend("go")
    held = threading.Lock()
    suspend("more")
    return held


@deflow
def child():
    return suspend("go")


@deflow
def parent():
    return suspend(spawn(child))


@deflow
def tells(run_id):
    suspend("go")
    send(run_id, "second", SECRET)


@deflow
def wants_number():
    return suspend("number", type=int)


@step
def interrupted():
    raise KeyboardInterrupt


@deflow
def is_interrupted():
    suspend("go")
    interrupted()


@step
def lets_others_end_the_run():
    end_of_others()


@deflow
def is_ended_by_others():
    suspend("go")
    lets_others_end_the_run()


def test_each_turn_is_a_trace_of_its_own_and_linked_to_the_one_before(recorded: Recorded) -> None:
    engine = recorded.engine
    run = engine.start_flow(adds, SECRET)
    engine.process_event(run.id, "second", SECRET)
    engine.process_event(run.id, "third", SECRET)

    turns = recorded.spans("turn")
    assert [span.name for span in turns] == [f"turn {run.flow}"] * 3
    assert [span.kind for span in turns] == [SpanKind.CONSUMER] * 3
    assert [parent_id(span) for span in turns] == [None] * 3
    assert len({span.context.trace_id for span in turns if span.context}) == 3
    assert [links(span, "before") for span in turns] == [[], *([own_id(s)] for s in turns[:2])]
    known = [dict(span.attributes or {}) for span in turns]
    assert {each["messaging.message.conversation_id"] for each in known} == {run.id}
    assert [each["longterm.turn"] for each in known] == [1, 2, 3]
    assert [each.get("longterm.event") for each in known] == [None, "second", "third"]
    assert [each["longterm.outcome"] for each in known] == ["suspended", "suspended", "complete"]
    assert engine.get_run(run.id).traceparent is not None


def test_no_values_of_users_are_recorded(recorded: Recorded) -> None:
    global attempts
    attempts = 0
    engine = recorded.engine
    for flow in (adds, tries):
        run = engine.start_flow(flow, SECRET)
        engine.process_event(run.id, run.waiting_for or "", SECRET)
    failing = engine.start_flow(raises)
    with pytest.raises(LookupError):
        engine.process_event(failing.id, "go", SECRET)

    assert len(recorded.spans("step")) == 2
    assert SECRET not in "".join(span.to_json() for span in recorded.spans())


def test_a_turn_is_inside_the_span_of_the_request_that_waits_for_it(recorded: Recorded) -> None:
    with recorded.tracer.start_as_current_span("POST /orders") as request:
        run = recorded.engine.start_flow(adds, 1)
        assert get_current_span() is request
    with recorded.tracer.start_as_current_span("POST /orders/answer") as answer:
        recorded.engine.process_event(run.id, "second", 2)

    first, second = recorded.spans("turn")
    assert parent_id(first) == request.get_span_context().span_id
    assert first.links == ()  # its creator is its parent
    assert parent_id(second) == answer.get_span_context().span_id
    assert links(second, "before") == [own_id(first)]


def test_the_code_of_a_flow_is_inside_its_turn(recorded: Recorded) -> None:
    run = recorded.engine.start_flow(says)
    first = run.response
    second = recorded.engine.process_event(run.id, "go").response

    assert [*first, *second] == [own_id(span) for span in recorded.spans("turn")]
    assert not get_current_span().get_span_context().is_valid


@pytest.mark.parametrize("flow", [tries, atries])
def test_each_attempt_at_a_step_is_a_span_in_the_turn(
    recorded: Recorded, flow: Callable[..., Any]
) -> None:
    global attempts
    attempts = 0

    async def both():
        run = await recorded.engine.astart_flow(flow, 1)
        return await recorded.engine.aprocess_event(run.id, "go", 2)

    done = asyncio.run(both())

    turn = recorded.spans("turn")[-1]
    first, second = recorded.spans("step")
    assert [parent_id(first), parent_id(second)] == [own_id(turn)] * 2
    known = [dict(span.attributes or {}) for span in (first, second)]
    assert [each["longterm.step.attempt"] for each in known] == [1, 2]
    assert [each["longterm.step.number"] for each in known] == [1, 1]
    assert [each.get("error.type") for each in known] == ["ValueError", None]
    assert [span.status.status_code for span in (first, second)] == [
        *(StatusCode.ERROR, StatusCode.UNSET),
    ]
    assert done.result == (2, own_id(second))
    assert turn.status.status_code is StatusCode.UNSET


def test_a_failed_turn_says_by_what_and_the_retry_is_linked_to_it(recorded: Recorded) -> None:
    engine = recorded.engine
    run = engine.start_flow(raises)
    with pytest.raises(LookupError):
        engine.process_event(run.id, "go", SECRET)
    with pytest.raises(LookupError):
        engine.retry(run.id)

    _, failed, retried = recorded.spans("turn")
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "LookupError"
    assert (failed.attributes or {})["longterm.outcome"] == "failed"
    (event,) = failed.events
    assert "raise LookupError" in str((event.attributes or {})["exception.stacktrace"])
    assert links(retried, "before") == [own_id(failed)]


def test_messages_of_exceptions_are_recorded_if_asked_for() -> None:
    recorded = Recorded(exceptions=True)
    run = recorded.engine.start_flow(raises)
    with pytest.raises(LookupError):
        recorded.engine.process_event(run.id, "go", SECRET)

    (event,) = recorded.spans("turn")[-1].events
    assert (event.attributes or {})["exception.message"] == SECRET


def test_a_turn_that_is_undone_leaves_the_chain_as_it_was(recorded: Recorded) -> None:
    engine = recorded.engine
    run = engine.start_flow(holds_what_cannot_be_stored)
    before = engine.get_run(run.id).traceparent
    with pytest.raises(CannotStore):
        engine.process_event(run.id, "go")

    undone = recorded.spans("turn")[-1]
    assert (undone.attributes or {})["longterm.outcome"] == "undone"
    assert (undone.attributes or {})["error.type"] == "longterm.errors.CannotStore"
    assert engine.get_run(run.id).traceparent == before


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
def test_a_workers_turn_is_a_root_with_links_to_the_sender_and_the_turn_before(
    store: RunStore,
) -> None:
    recorded = Recorded(store)
    engine = recorded.engine
    run = engine.start_flow(adds, 1)
    with recorded.tracer.start_as_current_span("POST /orders/answer") as request:
        engine.send(run.id, "second", SECRET)
    with recorded.tracer.start_as_current_span("main"):
        Worker(engine).run_once()

    (sent,) = recorded.spans("send")
    assert sent.kind is SpanKind.PRODUCER
    assert parent_id(sent) == request.get_span_context().span_id
    first, second = recorded.spans("turn")
    assert parent_id(second) is None
    assert links(second, "before") == [own_id(first)]
    assert links(second, "sender") == [own_id(sent)]


def test_a_send_that_is_refused_is_an_error(recorded: Recorded) -> None:
    engine = recorded.engine
    run = engine.start_flow(adds, 1)
    engine.cancel(run.id)
    with pytest.raises(Exception, match="cancelled"):
        engine.send(run.id, "second", SECRET)

    (sent,) = recorded.spans("send")
    assert sent.status.status_code is StatusCode.ERROR
    assert SECRET not in sent.to_json()


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
def test_children_are_linked_to_their_parents_and_back(store: RunStore) -> None:
    recorded = Recorded(store)
    engine = recorded.engine
    run = engine.start_flow(parent)
    (born,) = engine.get_run(run.id).children
    engine.process_event(born, "go", SECRET)

    spawned, begun, ended, read = recorded.spans("turn")
    assert links(begun, "before") == [own_id(spawned)]
    assert (begun.attributes or {})["longterm.parent"] == run.id
    assert links(ended, "before") == [own_id(begun)]
    assert links(read, "before") == [own_id(spawned)]
    assert links(read, "sender") == [own_id(ended)]
    assert engine.get_run(run.id).result == SECRET


def test_what_a_flow_sends_is_linked_to_its_turn(recorded: Recorded) -> None:
    engine = recorded.engine
    told = engine.start_flow(adds, 1)
    teller = engine.start_flow(tells, told.id)
    engine.process_event(teller.id, "go")

    sent, read = recorded.spans("turn")[-2:]
    assert links(read, "sender") == [own_id(sent)]
    assert parent_id(read) is None


def test_a_run_that_is_started_later_is_linked_to_whoever_did(recorded: Recorded) -> None:
    with recorded.tracer.start_as_current_span("POST /orders") as request:
        recorded.engine.start(adds, (1,), at=timedelta(0))
    Worker(recorded.engine).run_once()

    (turn,) = recorded.spans("turn")
    assert links(turn, "before") == [request.get_span_context().span_id]


def test_a_run_that_is_cancelled_has_no_error(recorded: Recorded) -> None:
    run = recorded.engine.start_flow(adds, 1)
    recorded.engine.cancel(run.id)

    turn = recorded.spans("turn")[-1]
    assert (turn.attributes or {})["longterm.outcome"] == "cancelled"
    assert turn.status.status_code is StatusCode.UNSET


def test_an_interrupted_step_ends_with_its_turn(recorded: Recorded) -> None:
    run = recorded.engine.start_flow(is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        recorded.engine.process_event(run.id, "go")

    (interrupted_step,) = recorded.spans("step")
    turn = recorded.spans("turn")[-1]
    assert (interrupted_step.attributes or {})["error.type"] == "KeyboardInterrupt"
    assert (turn.attributes or {})["longterm.outcome"] == "undone"


def test_turns_runs_steps_and_waits_are_counted(recorded: Recorded) -> None:
    global attempts
    attempts = 0
    engine = recorded.engine
    flow = f"{__name__}:tries"
    run = engine.start_flow(tries, 1)
    engine.process_event(run.id, "go", 2)

    turns = recorded.metric("longterm.turn.duration", "count")
    assert turns == {(flow, "suspended"): 1, (flow, "complete"): 1}
    assert recorded.metric("longterm.wait.duration", "count") == {(flow,): 1}
    assert recorded.metric("longterm.run.started", "value") == {(flow,): 1}
    assert recorded.metric("longterm.run.ended", "value") == {(flow, "complete"): 1}
    name = f"{__name__}:fails_once"
    steps = recorded.metric("longterm.step.duration", "count")
    assert steps == {(name, "ValueError"): 1, (name,): 1}


def test_a_refused_event_is_counted_and_stands_in_its_turn(recorded: Recorded) -> None:
    pytest.importorskip("pydantic", reason="NOT CHECKED: types need pydantic")
    engine = Engine(recorded.engine.store, observer=recorded.telemetry)
    run = engine.start_flow(wants_number)
    engine.store.post(_letter(run.id), limit=9)  # type: ignore[attr-defined]
    Worker(engine).run_once()

    flow = f"{__name__}:wants_number"
    counts = recorded.metric("longterm.event.refused", "value")
    assert counts == {(flow, "longterm.errors.InvalidValue"): 1}
    assert [event.name for event in recorded.spans("turn")[-1].events] == ["event refused"]
    with pytest.raises(InvalidValue):
        engine.process_event(run.id, "number", SECRET)
    undone = dict(recorded.spans("turn")[-1].attributes or {})
    assert (undone["longterm.outcome"], undone["error.type"]) == (
        *("undone", "longterm.errors.InvalidValue"),
    )


def _letter(run_id: str) -> UnreadEvent:
    return UnreadEvent(
        run_id=run_id,
        event_id="number",
        encoded_value=encode(SECRET, ("inbox", run_id, None, "number")),
        key="a click",
        sent_at=datetime.now(UTC),
    )


def test_queues_are_observed(recorded: Recorded) -> None:
    engine = recorded.engine
    engine.queue("mail", concurrency=1)
    for _ in range(2):
        engine.start(adds, (1,), queue="mail")
    recorded.telemetry.observe_queues(engine)

    depth = recorded.metric("longterm.queue.depth", "value")
    assert depth == {("mail", "waiting"): 2, ("mail", "running"): 0}


def test_what_is_kept_of_a_trace_may_be_anything(recorded: Recorded) -> None:
    engine = recorded.engine
    run = engine.start_flow(adds, 1)
    claimed = engine.store.unsuspend(run.id, "second")
    assert claimed is not None
    engine.store.update(claimed.changed(state=RunState.SUSPENDED, traceparent="00-zz\n"))
    engine.process_event(run.id, "second", 2)

    assert recorded.spans("turn")[-1].links == ()


def test_nothing_is_kept_where_nobody_observes() -> None:
    store = MemoryStore()
    engine = Engine(store)
    run = engine.start_flow(adds, 1)
    engine.send(run.id, "second", 2)

    assert store.get(run.id).traceparent is None
    assert [event.traceparent for event in store.unread(run.id)] == [None]


def test_the_default_engine_can_be_observed(recorded: Recorded) -> None:
    try:
        set_runstore("memory://", observer=recorded.telemetry)
        run = start_flow(adds, 1)
        process_event(run.id, "second", 2)
        assert get_run(run.id).traceparent is not None
    finally:
        set_runstore("memory://")

    assert len(recorded.spans("turn")) == 2


def test_without_an_sdk_nothing_is_made_and_nothing_kept() -> None:
    engine = Engine("memory://", observer=Telemetry())
    run = engine.start_flow(adds, 1)
    run = engine.process_event(run.id, "second", 2)

    assert (run.state, run.traceparent) == (RunState.SUSPENDED, None)


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try: import longterm.telemetry\n"
        "except ImportError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == (
        "longterm.telemetry needs OpenTelemetry (pip install 'longterm[telemetry]')"
    )


def test_a_command_says_that_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("longterm.telemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    assert main(["--store", f"sqlite:///{tmp_path / 'runs.db'}", "--telemetry", "worker"]) == 2
    assert "pip install 'longterm[telemetry]'" in capsys.readouterr().err


def test_a_command_says_that_no_spans_are_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--store", f"sqlite:///{tmp_path / 'runs.db'}", "--telemetry", "migrate"]) == 0
    assert "OpenTelemetry is not set up" in caplog.text


def test_a_worker_observes_async_flows(recorded: Recorded) -> None:
    global attempts
    attempts = 0
    engine = recorded.engine
    run = engine.start(atries, (1,), at=timedelta(0))
    Worker(engine).run_once()
    engine.send(run.id, "go", 2)
    Worker(engine).run_once()

    first, second = recorded.spans("turn")
    assert links(second, "before") == [own_id(first)]
    assert [parent_id(each) for each in recorded.spans("step")] == [own_id(second)] * 2
    assert engine.get_run(run.id).result == (2, own_id(recorded.spans("step")[-1]))


def test_a_turn_whose_claim_is_lost_in_its_middle_is_undone(recorded: Recorded) -> None:
    global end_of_others
    engine = recorded.engine
    run = engine.start_flow(is_ended_by_others)
    end_of_others = lambda: engine.cancel(run.id, force=True)  # noqa: E731
    engine.send(run.id, "go")
    Worker(engine).run_once()

    turn = recorded.spans("turn")[-1]
    assert (turn.attributes or {})["longterm.turn"] == 2
    assert (turn.attributes or {})["longterm.outcome"] == "undone"
    assert (turn.attributes or {})["error.type"] == "longterm.errors.ClaimLost"
