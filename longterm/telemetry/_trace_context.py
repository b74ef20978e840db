"""The place of a span in a trace as text, which stores keep: the header of W3C, and back.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanContext,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def traceparent_of(span: Span) -> str | None:
    """Return the context of a span; None if it has none, since there is no SDK."""
    # As the propagator writes it, which would need a context and a dict for that.
    known = span.get_span_context()
    if not known.is_valid:
        return None
    ids = f"{format_trace_id(known.trace_id)}-{format_span_id(known.span_id)}"
    return f"00-{ids}-{known.trace_flags:02x}"


def span_context(traceparent: str) -> SpanContext | None:
    """Return the context of a span that was written; None if the text is not such a context."""
    read = _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())
    found = get_current_span(read).get_span_context()
    return found if found.is_valid else None
