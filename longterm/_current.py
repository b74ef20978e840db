"""The variable of the context that holds the turn under way; see `longterm._flows.context`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

current: ContextVar[Any] = ContextVar("longterm._flows.context", default=None)
