"""How an exception is recorded: by its class and its lines, and by its words only if asked for.

The words of an exception can hold what users said.
"""

from __future__ import annotations

import traceback

from opentelemetry.trace import Span, StatusCode


class Errors:
    """Records exceptions in spans."""

    def __init__(self, *, with_messages: bool) -> None:
        """Choose whether their messages are recorded."""
        self._with_messages = with_messages

    def record(self, span: Span, error: BaseException) -> None:
        """Mark a span as failed by an exception."""
        if not span.is_recording():
            return
        span.set_attribute("error.type", type_of(error))
        span.set_status(StatusCode.ERROR)
        if self._with_messages:
            span.record_exception(error)
        else:
            lines = "".join(traceback.format_tb(error.__traceback__))
            known = {"exception.type": type_of(error), "exception.stacktrace": lines}
            span.add_event("exception", known)


def type_of(error: BaseException) -> str:
    """Return the name of an exception's class, as the attribute `error.type` has it."""
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
