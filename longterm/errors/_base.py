"""The base of all errors, and how they show a value."""

from __future__ import annotations


class LongtermError(Exception):
    """The base of every error that longterm raises."""


def shown(value: object) -> str:
    """Show a plain value that was refused, shortened; of any other, only the type."""
    if not isinstance(value, str | bytes | int | float | None):
        return f"a {type(value).__qualname__}"
    try:
        shown = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "an integer of too many digits"
    return shown if len(shown) <= 80 else f"{shown[:60]}... ({len(shown):,} characters)"


def in_bytes(number: int) -> str:
    """Write a number of bytes for people."""
    return f"{number:,} bytes" if number < 2**20 else f"{number / 2**20:,.1f} MiB"
