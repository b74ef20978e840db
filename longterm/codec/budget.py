"""How much work one decoding may do, so that few bytes cannot ask for much.

Most of decoding costs what its input is long. The few makers that copy or step through a value that
may be referred to many times spend from here.
"""

from __future__ import annotations

from longterm.errors import CorruptData

STEPS_PER_BYTE = 20
FREE_STEPS = 10_000


class Budget:
    """What is left of the work that an input of a given length may cause."""

    __slots__ = ("left",)

    def __init__(self, length: int) -> None:
        """Start with an allowance in proportion to the input."""
        self.left = length * STEPS_PER_BYTE + FREE_STEPS

    def spend(self, steps: int) -> None:
        """Take `steps` bytes copied or items skipped from what is left.

        Raises:
            CorruptData: nothing is left, which no data that was encoded causes.
        """
        self.left -= steps
        if self.left < 0:
            raise CorruptData("the stored bytes ask for more work than their length allows")
