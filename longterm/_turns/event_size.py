"""How large an event may be: looked at in the sender's process, before a run is claimed."""

from __future__ import annotations

from typing import Final

from longterm._codec import encoded_size
from longterm.errors import EventTooLarge, NotStorable

_SMALL: Final = frozenset({type(None), bool, float})
_MOST_BYTES_OF_A_CHARACTER: Final = 4


def check_event_size(event_id: str, value: object, max_bytes: int) -> None:
    """Make sure that the value of an event takes no more bytes than it may, as it would be stored.

    What cannot be stored has no such size, and is taken: a flow may use it up before it waits.

    Raises:
        EventTooLarge: it takes more.
    """
    if type(value) in _SMALL:
        return
    # Most others are small too, which is soon seen; it takes 5 microseconds to write a small dict.
    if isinstance(value, str) and len(value) * _MOST_BYTES_OF_A_CHARACTER <= max_bytes:
        return
    if isinstance(value, int) and value.bit_length() <= max_bytes:
        return
    try:
        size = encoded_size(value)
    except NotStorable:
        return
    if size > max_bytes:
        raise EventTooLarge(event_id, size, max_bytes)
