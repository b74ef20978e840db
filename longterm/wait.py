"""A wait: what a suspended run needs to go on. Plain data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from longterm.record import record


class _Missing:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Final = _Missing()


@record(frozen=True, init=False)
class Wait:
    """An event, and perhaps a moment at which the wait ends without it."""

    event_id: str
    expires: datetime | timedelta | None = None
    """The moment, aware, or how long from now."""
    default: Any = MISSING
    """The value of the wait when it ends without its event; if missing, it raises `Expired`."""

    # By hand, since each suspend makes one.
    def __init__(
        self,
        event_id: str,
        expires: datetime | timedelta | None = None,
        default: Any = MISSING,
    ) -> None:
        """Wait for an event, for ever unless told otherwise."""
        vars(self).update(event_id=event_id, expires=expires, default=default)

    def deadline(self, now: datetime) -> datetime | None:
        """Return when a wait that begins now ends by itself."""
        return now + self.expires if isinstance(self.expires, timedelta) else self.expires
