"""How large an event may be: looked at in the sender's process, before a run is claimed."""

from __future__ import annotations

from typing import Final

from longterm._codec import encode_bare
from longterm.errors import EventTooLarge, NotStorable

_MOST_BYTES_OF_A_CHARACTER: Final = 4


def check_event_size(event_id: str, value: object, max_bytes: int) -> bytes | None:
    """Make sure that the value of an event takes no more bytes than it may, as it would be stored.

    What cannot be stored has no such size, and is taken: a flow may use it up before it waits.

    Returns:
        The bare bytes of a value that a flow could change; None of any other, and of one that
        cannot be stored.

    Raises:
        EventTooLarge: it takes more.
    """
    # Most are small, which is soon seen; it takes 5 microseconds to write a small dict. Exact types
    # alone: what `isinstance` and `len` ask a value of the application may run its own code.
    cls = type(value)
    if cls is str:
        if len(value) * _MOST_BYTES_OF_A_CHARACTER <= max_bytes:  # type: ignore[arg-type]
            return None
    elif cls is int:
        if value.bit_length() <= max_bytes:  # type: ignore[attr-defined]
            return None
    elif value is None or cls is bool or cls is float:
        return None
    try:
        data = encode_bare(value)
    except NotStorable:
        return None
    if len(data) > max_bytes:
        raise EventTooLarge(event_id, len(data), max_bytes)
    return data
