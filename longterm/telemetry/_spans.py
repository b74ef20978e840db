"""The spans of a turn and of its steps, named as OpenTelemetry's conventions for messages say.

A turn is a "process" span (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/,
at "Consumer spans"): for each message that it accounts for it links to the context in which that
was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from opentelemetry.context import attach
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from longterm.run import Run, RunState
from longterm.telemetry._errors import Errors
from longterm.telemetry._instruments import Instruments
from longterm.telemetry._trace_context import span_context, traceparent_of
from longterm.unread import UnreadEvent


def attributes_of(run: Run, event_id: str | None) -> dict[str, Any]:
    """Return the attributes of a turn that begins; none of them is a value of a flow's."""
    known = {
        "messaging.system": "longterm",
        "messaging.operation.name": "turn",
        "messaging.operation.type": "process",
        "messaging.destination.name": run.flow,
        "messaging.message.conversation_id": run.id,
        "longterm.run": run.id,
        "longterm.flow": run.flow,
        "longterm.turn": run.turn,
        "longterm.event": event_id or None,
        "longterm.position": run.position,
        "longterm.queue": run.queue,
        "longterm.parent": run.parent,
        "longterm.dead_turns": run.attempts or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def links_of(run: Run, read: Sequence[UnreadEvent], *, has_caller: bool) -> list[Link]:
    """Return the links of a turn that begins: to the turn before, and to the senders.

    Of a run that has had no turn, to what has created it; unless that is the parent anyhow.
    """
    parent = get_current_span().get_span_context() if has_caller else None
    before = None if run.traceparent is None else span_context(run.traceparent)
    links = []
    if before is not None and (parent is None or before.span_id != parent.span_id):
        links.append(Link(before, {"longterm.link": "before"}))
    links += [link for event in read if (link := link_to_sender(event)) is not None]
    return links


def link_to_sender(event: UnreadEvent) -> Link | None:
    """Return the link to whoever sent an event, if that was observed."""
    sender = None if event.traceparent is None else span_context(event.traceparent)
    if sender is None:
        return None
    return Link(sender, {"longterm.link": "sender", "longterm.event": event.event_id})


class StepSpan:
    """An attempt at a step."""

    def __init__(self, instruments: Instruments, errors: Errors, span: Span, name: str) -> None:
        """Begin the attempt of a span that has begun."""
        self._instruments = instruments
        self._errors = errors
        self._span = span
        self._name = name
        self._begin = perf_counter()
        self._is_over = False

    def enter(self) -> None:
        """Be the current span of the step's code."""
        attach(set_span_in_context(self._span))

    def end(self, error: BaseException | None) -> None:
        """End the span; once."""
        if self._is_over:
            return
        self._is_over = True
        if error is not None:
            self._errors.record(self._span, error)
        self._instruments.note_step(self._name, error, perf_counter() - self._begin)
        self._span.end()


class TurnSpan:
    """A turn."""

    def __init__(
        self, tracer: Tracer, instruments: Instruments, errors: Errors, span: Span, run: Run
    ) -> None:
        """Begin the turn of a span that has begun."""
        self._tracer = tracer
        self._instruments = instruments
        self._errors = errors
        self._span = span
        self._run = run
        self._step: StepSpan | None = None
        self._begin = perf_counter()
        self.traceparent = traceparent_of(span)
        self.error: BaseException | None = None

    def enter(self) -> None:
        """Be the current span of the flow's code."""
        attach(set_span_in_context(self._span))

    def step(self, name: str, number: int, attempt: int, max_attempts: int) -> StepSpan:
        """Begin a span inside for an attempt at a step."""
        attributes: dict[str, Any] = {
            "longterm.step": name,
            "longterm.step.number": number,
            "longterm.step.attempt": attempt,
            "longterm.step.max_attempts": max_attempts,
            "longterm.run": self._run.id,
        }
        span = self._tracer.start_span(
            f"step {name}",
            context=set_span_in_context(self._span),
            kind=SpanKind.INTERNAL,
            attributes=attributes,
        )
        self._step = StepSpan(self._instruments, self._errors, span, name)
        return self._step

    def read(self, event: UnreadEvent) -> None:
        """Link to the sender of an event that the flow reads in the middle of the turn."""
        link = link_to_sender(event)
        if link is not None:
            self._span.add_link(link.context, link.attributes)

    def refuse(self, event_id: str, error: BaseException) -> None:
        """Note that the turn has read an event whose value does not fit."""
        self._instruments.note_refused(self._run.flow, error)
        self._span.add_event("event refused", {"longterm.event": event_id})

    def end(self, run: Run | None) -> None:
        """End the span, and the one of a step that was interrupted."""
        error, outcome = self.error, self._outcome(run)
        if self._step is not None:
            self._step.end(error)
        if error is not None and outcome != RunState.CANCELLED.value:
            self._errors.record(self._span, error)
        self._span.set_attribute("longterm.outcome", outcome)
        if run is not None and run.awaits:
            self._span.set_attribute("longterm.awaits", run.awaits)
        seconds = perf_counter() - self._begin
        self._instruments.note_end(self._run.flow, run, outcome, error, seconds)
        self._span.end()

    def _outcome(self, run: Run | None) -> str:
        """Return how the turn has left its run."""
        if run is None:
            return "undone"
        is_parked = run.state is RunState.SUSPENDED and run.encoded_error is not None
        return "parked" if is_parked else run.state.value
