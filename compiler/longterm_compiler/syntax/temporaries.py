"""Names that the compiler makes: temporaries, numbered in the order of their making.

Also the check that an author's name does not look like one of ours.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass

from longterm._abi import RESERVED_PREFIX


@dataclass(frozen=True, slots=True)
class Made:
    """What a temporary was made for."""

    holds: str
    """What it holds: a `value`, an `iter`, …"""
    within: ast.stmt | None
    """The innermost of the author's statements that was being lowered."""


class Names:
    """Makes the temporaries of one flow: `_lt_value1`, `_lt_iter1`, `_lt_value2` and so on."""

    def __init__(self) -> None:
        """Start every kind of temporary at 1."""
        self._counts: Counter[str] = Counter()
        self.made: dict[str, Made] = {}
        """What each was made for, in the order of their making."""
        self.within: list[ast.stmt] = []
        """The author's statements that are being lowered, outermost first."""

    def fresh(self, holds: str) -> str:
        """Return a new name for a temporary that holds such a thing (`value`, `iter`, …)."""
        while True:
            self._counts[holds] += 1
            name = f"{RESERVED_PREFIX}{holds}{self._counts[holds]}"
            # `value1` and 1 make the same name as `value` and 11.
            if name not in self.made:
                self.made[name] = Made(holds, self.within[-1] if self.within else None)
                return name


def is_reserved(name: str) -> bool:
    """Tell whether a name is in the compiler's own space."""
    return name.startswith(RESERVED_PREFIX)
