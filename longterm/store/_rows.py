"""A run as a row of a table: a run in, its columns out, and back. What SQL stores have in common.

Knows no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
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

_RENAMED: Final = {"response": "encoded_response", "result": "encoded_result", "facts": "index"}
_FIELDS: Final = tuple(_RENAMED.get(name, name) for name in COLUMNS)
_MOMENTS: Final = ("deadline", "claimed_until", "updated_at", "created_at")


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


def run_of(row: Sequence[Any]) -> Run:
    """Return the run of a row."""
    fields = dict(zip(_FIELDS, row, strict=True))
    fields["state"] = RunState(fields["state"])
    fields["index"] = _index(fields["index"])
    for name in _MOMENTS:
        moment = fields[name]
        # A database may give it in the time zone of the session.
        if moment is not None and moment.tzinfo is not UTC:
            fields[name] = moment.astimezone(UTC)
    return Run(**fields)


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
