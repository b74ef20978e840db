"""Errors of what a wait asks for, and of the values that come for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from longterm.errors._base import LongtermError, shown

_MOST_SHOWN: Final = 5
_LONGEST_PART: Final = 60
_LONGEST_MESSAGE: Final = 300


class InvalidWait(LongtermError):
    """Raised when a suspend is told of its wait what cannot be: its `type`, `to` or `ask`."""

    def __init__(self, argument: str, value: object, hint: str) -> None:
        """Keep which argument it was."""
        self.argument = argument
        super().__init__(f"{argument}={shown(value)} cannot stand with a wait ({hint})")


class CannotCheck(LongtermError):
    """Raised when values of a type cannot be checked here: for want of pydantic, or by it."""

    def __init__(self, wanted: str, cause: str, hint: str) -> None:
        """Keep the type, as text."""
        self.wanted = wanted
        super().__init__(f"the value of an event cannot be checked: {wanted} {cause} ({hint})")


class InvalidValue(LongtermError):
    """Raised when the value of an event does not fit the type that is wanted; the run waits on.

    The message and `errors` hold no value that was sent, but the keys inside of it that lead to
    what does not fit, and the text of exceptions that the type's own validators raised.
    """

    def __init__(self, event_id: str, wanted: str, errors: Sequence[Mapping[str, Any]]) -> None:
        """Keep the event, the type as text, and what pydantic found."""
        self.event_id = event_id
        self.wanted = wanted
        self.errors = [dict(error) for error in errors]
        """What does not fit: for each place its `loc`, a tuple of keys and positions, its `msg`,
        and its `type`, which is pydantic's name for the kind of error."""
        found = "; ".join(_as_text(error) for error in self.errors[:_MOST_SHOWN])
        more = len(self.errors) - _MOST_SHOWN
        super().__init__(
            f"the value of event {event_id!r} does not fit {wanted}: {found}"
            f"{f'; and {more} more' if more > 0 else ''} (send one that does; nothing has changed)"
        )


def _as_text(error: Mapping[str, Any]) -> str:
    place = ".".join(map(_part, error["loc"]))
    return f"{place and f'{place}: '}{_shortened(error['msg'], _LONGEST_MESSAGE)}"


def _part(part: object) -> str:
    """Return a step of a place; a key that somebody sent can be any text."""
    text = str(part)
    return _shortened(text if text.isidentifier() or isinstance(part, int) else repr(text))


def _shortened(text: str, longest: int = _LONGEST_PART) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."
