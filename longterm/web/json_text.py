"""What a JSON text holds that somebody has sent: plain data that JSON can hold again."""

from __future__ import annotations

import json
from typing import Any


def value_in(text: str) -> Any:
    """Return what a JSON text holds.

    Raises:
        ValueError: it is none (RFC 8259), is too deep, or has a number that no float holds.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is too deep") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # Python reads 1e999 as infinity, which JSON cannot hold
        raise ValueError(f"{text[:40]} is too large a number")
    return number
