"""What a process remembers of things that it has seen in a store: so many, the latest."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 10_000
"""How many are remembered; of others the store is asked."""


class Remembered(OrderedDict[str, str]):
    """What is known of things, by their ids."""

    def note(self, key: str, value: str) -> None:
        """Remember something; what was noted first is forgotten, if that is too much."""
        self[key] = value
        if len(self) > MOST:
            self.popitem(last=False)
