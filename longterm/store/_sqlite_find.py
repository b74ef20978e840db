"""How SQLite finds runs: a query in, one SELECT and its parameters out.

SQLite keeps no account of how often a value occurs, and would guess which index is best. So the
index of the condition that is expected to leave the fewest runs is named here. Each is in the order
of ids, so that a page ends early.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from longterm.run import RunState
from longterm.store._rows import COLUMNS
from longterm.store.base import Query
from longterm.store.facts import write_facts

_NAMES: Final = ", ".join(f"runs.{name}" for name in COLUMNS)
_USUAL: Final = (RunState.SUSPENDED, RunState.COMPLETE)
"""The states of nearly all runs; of the others there are few."""


def find_statement(query: Query) -> tuple[str, list[str | int | datetime]]:
    """Return the statement that finds what a query asks for, and its parameters in order."""
    index = _index(query)
    source, key = f"runs INDEXED BY {index}" if index else "runs", "runs.id"
    conditions: list[tuple[str, str | int | datetime]] = []
    facts = write_facts(query.index)
    if facts:
        # A cross join keeps its order: first the fact, then the runs that have it.
        source, key = "facts CROSS JOIN runs ON runs.id = facts.run", "facts.run"
        conditions.append(("facts.fact = ?", facts[0]))
        conditions += [(_HAS_FACT, each) for each in facts[1:]]
    for column, value in (
        ("waiting_for", query.waiting_for),
        ("flow", query.flow),
        ("state", query.state and query.state.value),
    ):
        if value is not None:
            conditions.append((f"runs.{column} = ?", value))
    if query.saved_before is not None:
        conditions.append(("runs.updated_at < ?", query.saved_before))
    if query.after is not None:
        conditions.append((f"{key} > ?", query.after))
    where = " AND ".join(condition for condition, _ in conditions) or "TRUE"
    statement = f"SELECT {_NAMES} FROM {source} WHERE {where} ORDER BY {key} LIMIT ?"
    return statement, [*(value for _, value in conditions), query.limit]


_HAS_FACT: Final = "EXISTS (SELECT 1 FROM facts AS more WHERE more.fact = ? AND more.run = runs.id)"


def _index(query: Query) -> str | None:
    """Return the index to use, None if it is the facts' or the ids'."""
    if query.index:
        return None
    if query.waiting_for is not None:
        return "runs_by_event"
    if query.flow is not None and (query.state is None or query.state in _USUAL):
        return "runs_by_flow"
    return None if query.state is None else "runs_by_state"
