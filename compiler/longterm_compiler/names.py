"""Names that the compiler makes: temporaries, numbered in the order of their making.

Also the check that an author's name does not look like one of ours.
"""

from __future__ import annotations

from collections import Counter

from longterm._abi import RESERVED_PREFIX


class Names:
    """Makes the temporaries of one flow: `_lt_value1`, `_lt_iter1`, `_lt_value2` and so on."""

    def __init__(self) -> None:
        """Start every kind of temporary at 1."""
        self._made: Counter[str] = Counter()

    def fresh(self, holds: str) -> str:
        """Return a new name for a temporary that holds such a thing (`value`, `iter`, …)."""
        self._made[holds] += 1
        return f"{RESERVED_PREFIX}{holds}{self._made[holds]}"


def is_reserved(name: str) -> bool:
    """Tell whether a name is in the compiler's own space."""
    return name.startswith(RESERVED_PREFIX)
