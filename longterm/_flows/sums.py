"""What `sum` does with each element, where a flow may wait between two of them.

`sum` adds ints and floats in a way of its own: from Python 3.12 on it keeps what a float addition
loses (gh-100425), as long as there is nothing but ints and floats. The steps here are those of
`builtin_sum_impl` in CPython's `bltinmodule.c`; all else is added by `+`, in the flow itself.

The state is a list, so that it is stored like any other: the sum so far, what was lost, the phase.
"""

from __future__ import annotations

import sys
from math import isfinite
from struct import calcsize
from typing import Any, Final

_KEEPS_LOSSES: Final = sys.version_info >= (3, 12)
_LIMIT: Final = 1 << (8 * calcsize("l") - 1)
"""C's `long` ends here; beyond it ints are added as any other objects."""
_INTS, _LEFT_INTS, _FLOATS, _OBJECTS = "ints", "ints no more", "floats", "objects"


def sum_from(start: Any = 0) -> list[Any]:
    """Begin a sum; refuse to begin with a text, as `sum` does, and in its words."""
    start = sum((), start)
    if type(start) is int and -_LIMIT <= start < _LIMIT:
        phase = _INTS
    else:
        phase = _FLOATS if type(start) is float else _OBJECTS
    return [start, 0.0, phase]


def add_number(state: list[Any], item: Any) -> bool:
    """Add a number as `sum` adds numbers, or return False: it must be added by `+`."""
    total, lost, phase = state
    if phase == _INTS:
        if type(item) not in (int, bool):
            state[2] = _LEFT_INTS
            return False
        if not -_LIMIT <= total + item < _LIMIT:
            state[2] = _OBJECTS
            return False
        state[0] = total + item
        return True
    if phase == _LEFT_INTS:
        state[2] = phase = _FLOATS if type(total) is float else _OBJECTS
    return phase == _FLOATS and _add_to_float(state, total, lost, item)


def _add_to_float(state: list[Any], total: float, lost: float, item: Any) -> bool:
    if type(item) is float:
        state[0] = whole = total + item
        if _KEEPS_LOSSES:
            larger, smaller = (total, item) if abs(total) >= abs(item) else (item, total)
            state[1] = lost + ((larger - whole) + smaller)
        return True
    if isinstance(item, int) and -_LIMIT <= int.__pos__(item) < _LIMIT:
        state[0] = total + float(int.__pos__(item))
        return True
    state[:] = _with_loss(total, lost), 0.0, _OBJECTS
    return False


def sum_of(state: list[Any]) -> Any:
    """Return the sum."""
    total, lost, _ = state
    return _with_loss(total, lost)


def _with_loss(total: Any, lost: float) -> Any:
    return total + lost if lost and isfinite(lost) else total
