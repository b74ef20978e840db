"""A wait: what a suspended run needs to go on. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from longterm._event_names import CHECKPOINT, SLEEP, spoken
from longterm.child import Child
from longterm.errors import InvalidDeadline


class _Missing:
    """Stands for a default that was not given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Final = _Missing()


# Not frozen: each suspend makes one, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class Wait:
    """An event, or the first of several, and perhaps a moment at which the wait ends without."""

    event_id: str
    """The name; of several, a name a line."""
    expires: datetime | timedelta | None = None
    """The moment, aware, or how long from now."""
    default: Any = MISSING
    """The value of the wait when it ends without its event; if missing, it raises `Expired`."""
    events: tuple[object, ...] = ()
    """Where there are several, what the author gave for each: a name, an `Event`, a `StrEnum`, or
    a `Child`."""
    check: Any = MISSING
    """What an event's value is checked against: a type, as it is stored; the `Event` that is waited
    for; True: that of `events` which has come. If missing, any value does."""
    wants: dict[str, Any] | None = None
    """What is asked, of whom, and the JSON Schema of each event that is checked."""
    is_for_all: bool = False
    """Whether it ends when all of them have come, which are children; else when one has."""
    queue: ClassVar[str | None] = None
    """The queue in which its run waits for a slot."""
    partition: ClassVar[str] = ""

    def __str__(self) -> str:
        """Say what is waited for."""
        return f"{'' if self.event_id in (SLEEP, CHECKPOINT) else 'event '}{spoken(self.event_id)}"

    def deadline(self, now: datetime) -> datetime | None:
        """Return when a wait that begins now ends by itself.

        Raises:
            InvalidDeadline: that would be after the year 9999.
        """
        if not isinstance(self.expires, timedelta):
            return self.expires
        return moment_in_utc(self.expires, now, is_sleep=self.event_id == SLEEP)


def moment_in_utc(
    given: object, now: datetime, *, is_sleep: bool = False, is_start: bool = False
) -> datetime:
    """Return an aware moment, or one that is so long from now, in UTC.

    Args:
        given: the moment or the length of time.
        now: the present moment.
        is_sleep: whether a sleep is to end then.
        is_start: whether a run is to begin then; if neither, a wait is to end.

    Raises:
        InvalidDeadline: it is neither, or not in the years that every store can hold.
    """
    try:
        if isinstance(given, timedelta):
            return now + given
        if not isinstance(given, datetime):
            cause = "it is neither a moment nor a length of time"
        elif given.utcoffset() is None:
            cause = "the moment has no time zone"
        else:
            return given.astimezone(UTC)
    except OverflowError:
        cause = "it would not be in the years 1 to 9999"
    raise InvalidDeadline(cause, given, is_sleep=is_sleep, is_start=is_start)


def value_of_first(events: object, name: str, value: Any) -> tuple[object, Any]:
    """Return what a wait for several events is worth when one of them comes.

    Raises:
        ValueError: it is none of these.
    """
    for what in events if type(events) is tuple else ():
        if type(what) is Child:
            is_it = what.event_id == name
        else:
            is_it = isinstance(what, str) and str.__str__(what) == name
        if is_it:
            return what, value
    raise ValueError(f"event {name!r} is not among those that are waited for")


def value_without(events: object, default: Any) -> Any:
    """Return what a wait is worth that ends without an event."""
    return (None, default) if events else default
