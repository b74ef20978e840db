"""Where the generator's decisions come from: Hypothesis, which can shrink them, or a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """A source of decisions. Smaller numbers mean simpler programs."""

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit - 1`."""
        ...


class Drawn:
    """Decisions that Hypothesis makes."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit - 1`."""
        number: int = self._draw(st.integers(0, limit - 1))
        return number


class Seeded:
    """Decisions of a pseudo-random stream, for long searches at full speed."""

    def __init__(self, seed: object) -> None:
        self._random = Random(str(seed))

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit - 1`."""
        return int(self._random.random() * limit)
