"""A run as a row of a table: a run in, its columns out, and back. What SQL stores have in common.

Knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from longterm.run import Fact, Run, RunState

CHANGING: Final[tuple[LiteralString, ...]] = (
    *("state", "waiting_for", "attempts", "delivery", "stack", "response", "result", "error"),
    *("facts", "deadline", "claimed_until", "updated_at"),
)
"""The columns that a save writes. What it is called, what it executes and when it began are for the
whole life of a run."""

COLUMNS: Final[tuple[LiteralString, ...]] = ("id", "turn", *CHANGING, "created_at", "flow")
"""The columns in the order of a row: the key and the fence, what changes, what does not."""

BYTES: Final = frozenset({"stack", "response", "result"})
"""The columns that hold bytes."""

_BLANK: Final = Run(id="", flow="", state=RunState.SUSPENDED)
_STATES: Final = {state.value: state for state in RunState}


def changing(run: Run) -> tuple[Any, ...]:
    """Return the columns of a run that a save writes; facts are a list of texts."""
    return (
        run.state.value,
        run.waiting_for,
        run.attempts,
        run.delivery,
        run.stack,
        run.encoded_response,
        run.encoded_result,
        run.error,
        _facts(run),
        run.deadline,
        run.claimed_until,
        run.updated_at,
    )


def row_of(run: Run) -> tuple[Any, ...]:
    """Return the columns of a run."""
    return (run.id, run.turn, *changing(run), run.created_at, run.flow)


def run_of(
    row: Sequence[Any], moment: Callable[[Any], datetime], texts: Callable[[Any], list[str]]
) -> Run:
    """Return the run of a row.

    Args:
        row: its columns.
        moment: makes a moment, in UTC, of what the database has for one.
        texts: makes a list of what it has for the facts.
    """
    id, turn, state, waiting_for, attempts, delivery, stack, response, result, error, *rest = row
    facts, deadline, claimed_until, updated_at, created_at, flow = rest
    return _BLANK.changed(
        id=id,
        turn=turn,
        state=_STATES.get(state) or RunState(state),
        waiting_for=waiting_for,
        attempts=attempts,
        delivery=delivery,
        stack=stack,
        encoded_response=response,
        encoded_result=result,
        error=error,
        index=_index(texts(facts)),
        deadline=None if deadline is None else moment(deadline),
        claimed_until=None if claimed_until is None else moment(claimed_until),
        updated_at=None if updated_at is None else moment(updated_at),
        created_at=None if created_at is None else moment(created_at),
        flow=flow,
    )


def _facts(run: Run) -> list[str]:
    """Return the facts of a run as texts; most runs have none."""
    if not run.index:
        return []
    from longterm.store.facts import write_facts

    return write_facts(run.index)


def _index(facts: list[str]) -> dict[str, Fact]:
    if not facts:
        return {}
    from longterm.store.facts import read_facts

    return read_facts(facts)


def in_order_of_deadlines(runs: Iterable[Run]) -> list[Run]:
    """Sort due runs, the longest overdue first; a database returns changed rows in any order."""
    return sorted(runs, key=lambda run: (run.deadline, run.id))
