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
        self._counts: Counter[str] = Counter()
        self._made: set[str] = set()

    def fresh(self, holds: str) -> str:
        """Return a new name for a temporary that holds such a thing (`value`, `iter`, …)."""
        while True:
            self._counts[holds] += 1
            name = f"{RESERVED_PREFIX}{holds}{self._counts[holds]}"
            # `value1` and 1 make the same name as `value` and 11.
            if name not in self._made:
                self._made.add(name)
                return name


def is_reserved(name: str) -> bool:
    """Tell whether a name is in the compiler's own space."""
    return name.startswith(RESERVED_PREFIX)
