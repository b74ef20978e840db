"""Whether the value of an event is what its run wants, asked before its frames are entered.

What it is checked against stands beside the slots of the frame that waits. So it is the class of
today that checks, whatever the class was when the wait began.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from longterm import _validation
from longterm._type_shapes import type_of
from longterm.errors import CorruptData, InvalidValue
from longterm.event import Event

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent

_log = logging.getLogger("longterm")


def check_sent(event_id: object, value: Any) -> None:
    """Make sure that what somebody sends for a declared event fits its type.

    Raises:
        InvalidValue: it does not.
        CannotCheck: pydantic does not know the type.
    """
    if not isinstance(event_id, Event) or event_id.value_type is object:
        return
    if _validation.is_possible():
        _validation.checked(str.__str__(event_id), event_id.value_type, value)


def log_refused(event: UnreadEvent, error: InvalidValue) -> None:
    """Log that an event of a run's inbox is refused, since its value does not fit."""
    _log.warning(
        "run %s: event %d, %r, does not fit %s and is refused; the run waits on",
        *(event.run_id, event.number, event.event_id, error.wanted),
    )
    # What the exception says can hold what users said.
    _log.debug("run %s: event %d: %s", event.run_id, event.number, error)


def checked_value(event: object, value: Any, kept: Any) -> Any:
    """Return the value of an event as the wait for it wants that.

    Args:
        event: the event; of several, the one of them that has come.
        value: what came.
        kept: what the value is checked against, as `Wait.check` says.

    Raises:
        InvalidValue: it does not fit.
        CannotCheck: pydantic is not installed here, or does not know the type.
        CorruptData: the bytes hold no such type.
    """
    declared = event if kept is True else kept
    if isinstance(declared, Event):
        wanted = declared.value_type
    elif kept is True:
        return value
    else:
        try:
            wanted = type_of(kept)
        except ValueError as error:
            raise CorruptData(f"the stored bytes hold no type of a value: {error}") from None
    return value if wanted is object else _validation.checked(str(event), wanted, value)
