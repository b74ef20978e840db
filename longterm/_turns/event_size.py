"""How large an event may be: looked at in the sender's process, before a run is claimed."""

from __future__ import annotations

from typing import Final

from longterm._codec import encoded_size
from longterm.errors import EventTooLarge, NotStorable

_MOST_BYTES_OF_A_CHARACTER: Final = 4


def check_event_size(event_id: str, value: object, max_bytes: int) -> None:
    """Make sure that the value of an event takes no more bytes than it may, as it would be stored.

    What cannot be stored has no such size, and is taken: a flow may use it up before it waits.

    Raises:
        EventTooLarge: it takes more.
    """
    # Most are small, which is soon seen; it takes 5 microseconds to write a small dict. Exact types
    # alone: what `isinstance` and `len` ask a value of the application may run its own code.
    cls = type(value)
    if cls is str:
        if len(value) * _MOST_BYTES_OF_A_CHARACTER <= max_bytes:  # type: ignore[arg-type]
            return
    elif cls is int:
        if value.bit_length() <= max_bytes:  # type: ignore[attr-defined]
            return
    elif value is None or cls is bool or cls is float:
        return
    try:
        size = encoded_size(value)
    except NotStorable:
        return
    if size > max_bytes:
        raise EventTooLarge(event_id, size, max_bytes)
