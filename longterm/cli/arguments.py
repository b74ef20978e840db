"""How arguments of the command line are read: text in, a value or a clear refusal out."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from typing import Any, Final

_LONGEST: Final = timedelta(days=365_000)
"""So long ago is still a moment for Python."""

_LARGEST: Final = 2**31 - 1
"""Every store can hold it."""


class WrongUsage(Exception):
    """Raised when a command is told what makes no sense; the message says what to write."""


def fact(text: str) -> tuple[str, Any]:
    """Read `name=value`; a value that is JSON is taken as such, any other as a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE (write patient=4711)")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return name, value
    if isinstance(found, (list, dict)):
        raise argparse.ArgumentTypeError(f"{value!r} is no plain value (write ward=B)")
    return name, found


def facts(pairs: list[tuple[str, Any]], option: str) -> dict[str, Any]:
    """Return facts by name; a run has one value of each, so that two would find nothing."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise WrongUsage(f"{option} gives {name} twice (a run has one value of it: give one)")
        found[name] = value
    return found


def days(text: str) -> timedelta:
    """Read a number of days."""
    try:
        duration = timedelta(days=float(text))
    except (ValueError, OverflowError):
        duration = timedelta(-1)
    if not timedelta(0) <= duration <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days (write 30, or 0.5)")
    return duration


def seconds(text: str) -> timedelta:
    """Read a number of seconds, more than none and at most five minutes."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 300:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds up to 300 (write 1, or 0.2)"
        )
    return timedelta(seconds=number)


def duration(text: str) -> float:
    """Read a number of seconds, more than none and at most a year."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 31_536_000:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds (write 30, or 0.5; a year at most)"
        )
    return number


def revision(text: str) -> int:
    """Read a whole number from 0 on."""
    if not text.isdecimal() or int(text) > _LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no revision (write 0, or 3)")
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isdecimal() or not 0 < int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number from 1 on, up to {_LARGEST} (write 100)"
        )
    return int(text)
