"""The store contract about positions: how many runs wait where.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["PositionCount", "Positions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionCount:
    """How many runs of a flow wait at one position."""

    flow: str
    position: str | None
    """As `Run.position`; None for runs that have none."""
    is_to_begin: bool
    """Whether they have not begun: these have no position, and begin in whatever code there is."""
    runs: int
    example: str
    """The id of the first of these runs."""


@runtime_checkable
class Positions(Protocol):
    """A store that counts the runs which have not ended, by where they wait.

    If it can search, it also finds them by that: `Query.position`.
    """

    def count_positions(self) -> list[PositionCount]:
        """Count runs that are suspended, running or failed, by flow and position.

        In the order of the flows, and of the positions of each; those without one come first.
        """
        ...


def counts_of(rows: Iterable[Sequence[Any]]) -> list[PositionCount]:
    """Return the counts of rows: flow, position, whether it is to begin, how many, an id."""
    return [
        PositionCount(
            flow=flow, position=position, is_to_begin=bool(begins), runs=runs, example=run_id
        )
        for flow, position, begins, runs, run_id in rows
    ]
