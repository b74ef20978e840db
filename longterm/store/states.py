"""The store contract about states: how many runs of each flow are in which.

A part of `longterm.store.base` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from longterm.run import RunState

__all__ = ["StateCount", "States"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StateCount:
    """How many runs of a flow are in one state."""

    flow: str
    state: RunState
    runs: int


@runtime_checkable
class States(Protocol):
    """A store that counts its runs by their states. That may look at all of them."""

    def count_states(self) -> list[StateCount]:
        """Count all runs by flow and state, in the order of the flows and then of the states."""
        ...


def state_counts_of(rows: Iterable[Sequence[Any]]) -> list[StateCount]:
    """Return the counts of rows: flow, state, how many."""
    return [StateCount(flow=flow, state=RunState(state), runs=runs) for flow, state, runs in rows]
