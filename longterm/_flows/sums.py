"""What `sum` keeps beside its total, where a flow may wait between two elements.

`sum` adds ints and floats in a way of its own: from Python 3.12 on it keeps what a float addition
loses (gh-100425), as long as there is nothing but ints and floats. The steps here are those of
`builtin_sum_impl` in CPython's `bltinmodule.c`. The flow itself adds, by `+`, and does without the
steps as long as ints are added to a small total. What is kept says how far `sum` is:

    int                 only ints so far, and the total is small: `-SMALL < total < SMALL`
    "large ints"        only ints so far, and the total fits into C's `long`
    "ints no more"      the first other element is being added
    a float             only ints and floats so far: what has been lost
    None                anything: there is only `+`
"""

from __future__ import annotations

import sys
from math import isfinite
from struct import calcsize
from typing import Any, Final

from longterm._abi import SMALL

_KEEPS_LOSSES: Final = sys.version_info >= (3, 12)
_MOST: Final = (1 << (8 * calcsize("l") - 1)) - 1
_LEAST: Final = -_MOST - 1
"""C's `long` ends here; beyond it ints are added as any other objects."""
_LARGE_INTS, _LEFT_INTS = "large ints", "ints no more"


def sum_from(start: Any = 0) -> tuple[Any, Any]:
    """Begin a sum; refuse to begin with a text, as `sum` does, and in its words.

    Returns:
        The total, and what is kept beside it.
    """
    start = sum((), start)
    if type(start) is int:
        return start, _beside(start, start)
    return start, 0.0 if type(start) is float else None


def summand(total: Any, kept: Any, item: Any) -> tuple[Any, Any, Any]:
    """Look at an element before it is added.

    Returns:
        The total and the element, such that `+` adds them as `sum` does, and between them what is
        kept.
    """
    if type(kept) is float and type(item) is float:
        return total, kept + _lost(total, item) if _KEEPS_LOSSES else kept, item
    if kept is int or kept == _LARGE_INTS:
        is_int = type(item) is int or type(item) is bool
        return total, _beside(total + item, item) if is_int else _LEFT_INTS, item
    if kept == _LEFT_INTS and type(total) is float:
        return summand(total, 0.0, item)
    if type(kept) is not float:
        return total, None, item
    if isinstance(item, int) and _LEAST <= int.__pos__(item) <= _MOST:
        return total, kept, float(int.__pos__(item))
    return sum_of(total, kept), None, item


def _beside(total: int, item: int) -> Any:
    """Return what is kept beside a total of ints, by it and the last of them."""
    if -SMALL < total < SMALL and -SMALL < item < SMALL:
        return int
    fits = _LEAST <= item <= _MOST and _LEAST <= total <= _MOST
    return _LARGE_INTS if fits else None


def _lost(total: float, item: float) -> float:
    """Return what the addition of two floats loses."""
    added = total + item
    if abs(total) >= abs(item):
        return (total - added) + item
    return (item - added) + total


def sum_of(total: Any, kept: Any) -> Any:
    """Return the sum, by the total and what is kept."""
    is_lost = type(kept) is float and kept and isfinite(kept)
    return total + kept if is_lost else total
