"""How much work one decoding may do, so that few bytes cannot ask for much.

Most of decoding costs what its input is long. The few makers that copy a value which may be
referred to many times, or step through it, spend from here: a step is a byte copied or an item
passed.
"""

from __future__ import annotations

from longterm.errors import CorruptData

STEPS_PER_BYTE = 20
FREE_STEPS = 1_000_000
TRACEBACK_ENTRIES = 5_000
PATTERN_CHARACTERS = 20_000_000


BYTES_PER_ELEMENT = 8
"""What an element takes in a tuple or an array of the interpreter."""


class Budget:
    """What is left of the work that an input of a given length may cause."""

    __slots__ = ("characters", "entries", "left")

    def __init__(self, length: int) -> None:
        """Start with an allowance in proportion to the input."""
        self.left = length * STEPS_PER_BYTE + FREE_STEPS
        self.characters = PATTERN_CHARACTERS
        self.entries = TRACEBACK_ENTRIES

    def spend(self, steps: int) -> None:
        """Take steps from what is left.

        Raises:
            CorruptData: nothing is left, which no data that was encoded causes.
        """
        self.left -= steps
        if self.left < 0:
            raise CorruptData("the stored bytes ask for more work than their length allows")

    def spend_on_patterns(self, characters: int) -> None:
        """Take characters of ranges, which a pattern goes through, from what is left.

        Raises:
            CorruptData: nothing is left.
        """
        self.characters -= characters
        if self.characters < 0:
            raise CorruptData("the stored bytes hold patterns that take too long to compile")

    def entries_left(self) -> int:
        """Return how many more entries of tracebacks may be made; what is over is left out."""
        return max(self.entries, 0)

    def count_entries(self, number: int) -> None:
        """Take entries of tracebacks from what is left."""
        self.entries -= number
