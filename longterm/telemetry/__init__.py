"""OpenTelemetry for the turns of an engine: `Engine(store, observer=Telemetry())`.

A turn is a span, with a link to the turn before it and to whoever sent what it reads; an attempt at
a step is a span inside. So a run of months is a chain of short traces, and none waits for its end.
Needs the extra `telemetry`, which is the interface of OpenTelemetry alone: the application chooses
the SDK, and where it sends what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

try:
    import opentelemetry.trace as otel
except ImportError as error:
    raise ImportError(
        "longterm.telemetry needs OpenTelemetry (pip install 'longterm[telemetry]')"
    ) from error
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, TracerProvider

from longterm._version import __version__
from longterm.engine import Engine
from longterm.run import Run
from longterm.telemetry._errors import Errors
from longterm.telemetry._instruments import Instruments
from longterm.telemetry._spans import TurnSpan, attributes_of, links_of
from longterm.telemetry._trace_context import traceparent_of
from longterm.unread import UnreadEvent

__all__ = ["Telemetry"]


def has_sdk() -> bool:
    """Tell whether spans are made in this process: somebody has set up an SDK."""
    return not isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)


class Telemetry:
    """Makes spans and metrics of what the engines do that it observes."""

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        exceptions: bool = False,
    ) -> None:
        """Use the providers of the process, unless others are given.

        Args:
            tracer_provider: what makes the spans.
            meter_provider: what makes the metrics.
            exceptions: whether the messages of exceptions are recorded too. They may hold what
                users have said; without them there are the exception's class and its lines.
        """
        self._tracer = otel.get_tracer("longterm", __version__, tracer_provider)
        self._instruments = Instruments("longterm", __version__, meter_provider)
        self._errors = Errors(with_messages=exceptions)

    def observe_queues(self, engine: Engine) -> None:
        """Report how many runs wait in each queue of an engine, and how many run.

        Each time that metrics are collected the store is asked once. In one process is enough.
        """
        self._instruments.observe_queues(engine)

    def traceparent(self) -> str | None:
        """Return the context of the current span."""
        return traceparent_of(otel.get_current_span())

    @contextmanager
    def send(self, run_id: str, event_id: str) -> Iterator[str | None]:
        """Make a span of an event that is stored for a run; yield its context."""
        attributes: dict[str, Any] = {
            "messaging.system": "longterm",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.message.conversation_id": run_id,
            "longterm.run": run_id,
            "longterm.event": event_id,
        }
        with self._tracer.start_as_current_span(
            "send",
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield traceparent_of(span)
            except Exception as error:
                self._errors.record(span, error)
                raise

    def begin(
        self,
        run: Run,
        event_id: str | None,
        read: Sequence[UnreadEvent],
        now: datetime,
        *,
        has_caller: bool,
    ) -> TurnSpan:
        """Make a span of a turn: inside the current one if its caller waits for it, else a root."""
        span = self._tracer.start_span(
            f"turn {run.flow}",
            context=None if has_caller else Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes_of(run, event_id),
            links=links_of(run, read, has_caller=has_caller),
        )
        self._instruments.note_begin(run, now)
        return TurnSpan(self._tracer, self._instruments, self._errors, span, run)
