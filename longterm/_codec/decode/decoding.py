"""What one decoding has made so far, and how much work it may still do.

Most of decoding costs what its input is long. The few makers that copy a value which may be
referred to many times, or step through it, spend from here: a step is a byte copied or an item
passed. What can be judged only when all is made, since placeholders are populated late, is noted
here and looked at in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from longterm.errors import CorruptData

if TYPE_CHECKING:
    from longterm.frame import Frame

STEPS_PER_BYTE = 20
FREE_STEPS = 1_000_000
FREE_HASHING_STEPS: Final = 200_000
TRACEBACK_ENTRIES = 5_000
PATTERN_CHARACTERS = 20_000_000
READS: Final = 1_000
"""How many stored runs one decoding reads from the store."""
FRAGILE_DEPTH: Final = 1_000
"""How many of those may hold each other in a row that take native stack when they are freed."""

MANY_KEYS: Final = 512
"""More keys of one hash than this take long to be told apart."""
MANY_KEYS_BYTES: Final = 8_192
"""Shorter bytes have no such map."""

BYTES_PER_ELEMENT = 8
"""What an element takes in a tuple or an array of the interpreter."""


class Decoding:
    """One decoding of an input of a given length."""

    # What most decodings never change stands here, and not in each of them.
    hashing_seconds = 0.0
    has_long_integers = False
    shares = False
    """Whether something is referred to, so that it may be held any number of times."""
    characters = PATTERN_CHARACTERS
    entries = TRACEBACK_ENTRIES
    acts = False
    """Whether an iterator was made that calls a function when it is gone through."""
    root: Any = None
    """What holds all that was made, as far as it is made of items."""
    placed_modules = 0
    """How many times a module stands somewhere, less those whose place is known to be good."""

    def __init__(self, length: int) -> None:
        """Start with allowances in proportion to the input."""
        self.left = length * STEPS_PER_BYTE + FREE_STEPS
        self.hashing_left = length * STEPS_PER_BYTE + FREE_HASHING_STEPS
        self.changes: dict[int, Any] = {}
        """What became of classes since they were stored, a `Change` each, by the ids of their
        plans. A decoding knows no types, so it does not name theirs."""
        self.classes: dict[bytes, Any] = {}
        """The plans of classes, by what stands for them."""
        self.late: dict[int, Callable[[], None]] = {}
        """What is still to be made of instances of such classes, when all is made, by their ids."""
        self.placeholders: set[int] = set()
        """The ids of what is part of a cycle, and populated later."""
        self.checks: list[Callable[[], None]] = []
        """What must hold when all is made."""
        self.fragile: list[Any] = []
        """What takes native stack for each level of it, when it is freed."""
        self.frames: list[Frame] = []
        self.functions: list[tuple[str, FunctionType]] = []
        """The inner functions, each with its flow's name."""
        self.reads: dict[tuple[str, str], Any] = {}
        """The stored runs that were read."""

    def mark(self) -> tuple[int, int, int]:
        """Return how much is noted of values, to forget those that come now."""
        return len(self.frames), len(self.functions), self.placed_modules

    def return_to(self, mark: tuple[int, int, int]) -> None:
        """Forget the values since a mark."""
        frames, functions, self.placed_modules = mark
        del self.frames[frames:], self.functions[functions:]

    def spend(self, steps: int) -> None:
        """Take steps from what is left.

        Raises:
            CorruptData: nothing is left, which no data that was encoded causes.
        """
        if steps > 0:
            self.left -= steps
        if self.left < 0:
            raise CorruptData("the stored bytes ask for more work than their length allows")

    def spend_on_hashing(self, steps: int) -> None:
        """Take steps of hashing keys from what is left.

        Raises:
            CorruptData: nothing is left, which no data that was encoded causes.
        """
        self.hashing_left -= steps
        if self.hashing_left < 0:
            raise CorruptData("the stored bytes hold keys that take too long to hash")

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
