"""What a pool lends by: it knows what is lent, whoever keeps the exceptions of a step.

Whoever keeps an exception keeps the frames that it came through, and whatever these refer to. So
what is lent is found by no frame, but by the loan, which is emptied at the end of the step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import call
from typing import Generic, Self, TypeVar

T = TypeVar("T")


def move(take: Callable[[], T], into: list[T] | deque[T]) -> None:
    """Append what a method of C such as `list.pop` returns, in one step.

    All of it is one call of C, in the middle of which CPython handles no signal: so there is always
    somebody who has it. What `take` raises comes to the caller.
    """
    into.extend(map(call, (take,)))


class Loan(Generic[T]):
    """What is lent, for one step.

    An exception of a signal can come at the begin of `__exit__`, before its first line. So a step
    enters its loan twice, `with pool.loan() as loan, loan:`, and the outer exit does what the inner
    did not.
    """

    __slots__ = ("_take_back", "held")

    def __init__(self, take_back: Callable[[list[T]], object]) -> None:
        """Hold nothing yet; `take_back` empties what is held, and may be called again."""
        self.held: list[T] = []
        """What is lent, or nothing."""
        self._take_back = take_back

    def give_back(self) -> None:
        """Give back what is lent."""
        self._take_back(self.held)

    def __enter__(self) -> Self:
        """Return the loan itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is lent."""
        if self.held:
            self._take_back(self.held)
