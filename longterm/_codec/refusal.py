"""What a taker raises when it cannot take a value: why, and what to do instead."""

from __future__ import annotations


class NotPlain(Exception):
    """A value turned up that the whole encoder must see."""


class NotEncodable(Exception):
    """A value cannot be stored; the encoder adds the path and raises `NotStorable`."""

    def __init__(self, reason: str, hint: str) -> None:
        """Keep both for the message."""
        self.reason = reason
        self.hint = hint
        super().__init__(reason)
