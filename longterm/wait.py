"""A wait: what a suspended run needs to go on. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from longterm.errors import InvalidDeadline


class _Missing:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Final = _Missing()


SLEEP: Final = "longterm.sleep"
"""What a run waits for that sleeps: the name of an event that nobody can send."""


# Not frozen: each suspend makes one, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class Wait:
    """An event, and perhaps a moment at which the wait ends without it."""

    event_id: str
    expires: datetime | timedelta | None = None
    """The moment, aware, or how long from now."""
    default: Any = MISSING
    """The value of the wait when it ends without its event; if missing, it raises `Expired`."""

    def __str__(self) -> str:
        """Say what is waited for."""
        return "the end of a sleep" if self.event_id == SLEEP else f"event {self.event_id!r}"

    def deadline(self, now: datetime) -> datetime | None:
        """Return when a wait that begins now ends by itself.

        Raises:
            InvalidDeadline: that would be after the year 9999.
        """
        if not isinstance(self.expires, timedelta):
            return self.expires
        try:
            return now + self.expires
        except OverflowError:
            cause = "it would not be in the years 1 to 9999"
            raise InvalidDeadline(cause, self.expires, is_sleep=self.event_id == SLEEP) from None
