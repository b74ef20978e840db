"""A run as a row of a table: a run in, its columns out, and back. What SQL stores have in common.

Knows no database. A moment may come back as a datetime or as text, as the database has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from longterm.run import Run, RunState
from longterm.store.facts import read_facts, write_facts

COLUMNS: Final[tuple[LiteralString, ...]] = (
    *("id", "turn", "flow", "state", "waiting_for", "deadline", "claimed_until", "attempts"),
    *("delivery", "stack", "response", "result", "error", "facts", "created_at", "updated_at"),
)
"""The columns in the order of a row: first the key and the fence, then what a save changes."""

BYTES: Final = frozenset({"stack", "response", "result"})
"""The columns that hold bytes."""


def row_of(run: Run) -> tuple[Any, ...]:
    """Return the columns of a run."""
    return (
        *(run.id, run.turn, run.flow, run.state.value, run.waiting_for),
        *(run.deadline, run.claimed_until, run.attempts, run.delivery),
        *(run.stack, run.encoded_response, run.encoded_result, run.error),
        *(write_facts(run.index), run.created_at, run.updated_at),
    )


def run_of(row: Sequence[Any]) -> Run:
    """Return the run of a row, whose facts are a list of texts."""
    column = dict(zip(COLUMNS, row, strict=True))
    return Run(
        id=column["id"],
        flow=column["flow"],
        state=RunState(column["state"]),
        turn=column["turn"],
        waiting_for=column["waiting_for"],
        stack=column["stack"],
        encoded_response=column["response"],
        encoded_result=column["result"],
        error=column["error"],
        created_at=_moment(column["created_at"]),
        updated_at=_moment(column["updated_at"]),
        deadline=_moment(column["deadline"]),
        claimed_until=_moment(column["claimed_until"]),
        attempts=column["attempts"],
        delivery=column["delivery"],
        index=read_facts(column["facts"]),
    )


def in_order_of_deadlines(runs: Iterable[Run]) -> list[Run]:
    """Sort due runs, the longest overdue first; a database returns changed rows in any order."""
    return sorted(runs, key=lambda run: (run.deadline, run.id))


def _moment(stored: datetime | str | None) -> datetime | None:
    if isinstance(stored, str):
        stored = datetime.fromisoformat(stored)
    return None if stored is None else stored.astimezone(UTC)
