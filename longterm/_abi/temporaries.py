"""The compiler's temporaries by what they hold, told from their names."""

from __future__ import annotations

from collections.abc import Iterable

from longterm._abi import RESERVED_PREFIX

_DIGITS = "0123456789"


def split(name: str) -> tuple[str, int]:
    """Return what a temporary holds and its number: `("iter", 2)` of `_lt_iter2`."""
    holds = name.removeprefix(RESERVED_PREFIX).rstrip(_DIGITS)
    return holds, int(name[len(RESERVED_PREFIX) + len(holds) :])


def temporaries_in(names: Iterable[str]) -> list[str]:
    """Return the temporaries among some names: by what they hold, and in order of their making.

    What longterm itself keeps of a wait has no number, and is none.
    """
    return sorted(
        (name for name in names if name.startswith(RESERVED_PREFIX) and name[-1] in _DIGITS),
        key=split,
    )
