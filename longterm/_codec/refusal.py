"""What a taker raises when it cannot take a value: why, and what to do instead."""

from __future__ import annotations


class Refused(Exception):
    """A value cannot be stored; the encoder adds the path and raises `NotStorable`."""

    def __init__(self, reason: str, remedy: str) -> None:
        """Keep both for the message."""
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)
