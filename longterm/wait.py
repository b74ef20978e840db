"""A wait: what a suspended run needs to go on. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final


class _Missing:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Final = _Missing()


# Not frozen: each suspend makes one, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class Wait:
    """An event, and perhaps a moment at which the wait ends without it."""

    event_id: str
    expires: datetime | timedelta | None = None
    """The moment, aware, or how long from now."""
    default: Any = MISSING
    """The value of the wait when it ends without its event; if missing, it raises `Expired`."""

    def deadline(self, now: datetime) -> datetime | None:
        """Return when a wait that begins now ends by itself."""
        return now + self.expires if isinstance(self.expires, timedelta) else self.expires
