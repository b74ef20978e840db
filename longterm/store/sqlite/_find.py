"""How SQLite finds runs: a query in, one SELECT and its parameters out.

SQLite keeps no account of how often a value occurs, and would guess which index is best. So the
index of the condition that is expected to leave the fewest runs is named here. Each is in the order
of ids, so that a page ends early.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeAlias

from longterm.run import RunState
from longterm.store._rows import COLUMNS
from longterm.store.base import Query

_NAMES: Final = ", ".join(f"runs.{name}" for name in COLUMNS)
_USUAL: Final = (RunState.SUSPENDED, RunState.COMPLETE)
"""The states of nearly all runs; of the others there are few."""
_OF_STATE: Final = {
    # Every suspended run waits for an event; the index has the few that run or failed besides.
    RunState.SUSPENDED: ("runs_waiting", "runs.waiting_for IS NOT NULL"),
    RunState.RUNNING: ("runs_running", "runs.state = 'running'"),
}
_OF_AN_END: Final = ("runs_by_end", "runs.state NOT IN ('suspended', 'running')")
"""The index for a state, and its own condition, without which SQLite would not use it."""


_Condition: TypeAlias = tuple[str, str | int | datetime]

_IS: Final = "runs.waiting_for = ?"
# Of several events the names are lines of one text. The first term is the index's own condition.
_AWAITS: Final = "instr(char(10) || runs.waiting_for || char(10), char(10) || ? || char(10)) > 0"
_AMONG_SEVERAL: Final = f"instr(runs.waiting_for, char(10)) > 0 AND {_AWAITS}"


def find_statement(query: Query) -> tuple[str, list[str | int | datetime]]:
    """Return the statement that finds what a query asks for, and its parameters in order."""
    from longterm.store.facts import asked_facts

    facts = asked_facts(query)
    is_whole = query.waiting_for is not None and "\n" in query.waiting_for  # all names of a wait
    if query.waiting_for is None or facts:
        return _select(query, facts, *_index(query, facts), _IS if is_whole else _AWAITS)
    # Those that wait for this alone, and those that wait for others besides; each page ends early.
    statement, values = _select(query, [], "runs_by_event", "TRUE", _IS)
    if is_whole:
        return statement, values
    another, _ = _select(query, [], "runs_by_events", "TRUE", _AMONG_SEVERAL)
    both = f"SELECT * FROM ({statement}) UNION ALL SELECT * FROM ({another})"
    both += f" ORDER BY id{_order(query)} LIMIT ?"
    return both, [*values, *values, query.limit]


def _select(
    query: Query, facts: list[str], index: str | None, is_in_index: str, awaits: str
) -> tuple[str, list[str | int | datetime]]:
    source, key = f"runs INDEXED BY {index}" if index else "runs", "runs.id"
    conditions: list[_Condition] = []
    if facts:
        # A cross join keeps its order: first the fact, then the runs that have it.
        source, key = "facts CROSS JOIN runs ON runs.id = facts.run", "facts.run"
        conditions.append(("facts.fact = ?", facts[0]))
        conditions += [(_HAS_FACT, fact) for fact in facts[1:]]
    for condition, value in (
        (awaits, query.waiting_for),
        ("runs.flow = ?", query.flow),
        ("runs.state = ?", query.state and query.state.value),
        ("runs.position = ?", query.position),
    ):
        if value is not None:
            conditions.append((condition, value))
    if query.saved_before is not None:
        conditions.append(("runs.updated_at < ?", query.saved_before))
    if query.after is not None:
        conditions.append((f"{key} {'<' if query.newest_first else '>'} ?", query.after))
    where = " AND ".join([is_in_index, *(condition for condition, _ in conditions)])
    statement = f"SELECT {_NAMES} FROM {source} WHERE {where} ORDER BY {key}{_order(query)} LIMIT ?"
    return statement, [*(value for _, value in conditions), query.limit]


def _order(query: Query) -> str:
    """Return how an index is read: forward, or backward."""
    return " DESC" if query.newest_first else ""


_HAS_FACT: Final = "EXISTS (SELECT 1 FROM facts AS more WHERE more.fact = ? AND more.run = runs.id)"


def _index(query: Query, facts: list[str]) -> tuple[str | None, str]:
    """Return the index to use, None if it is the facts' or the ids', and its own condition."""
    if facts:
        return None, "TRUE"
    if query.flow is not None and (query.state is None or query.state in _USUAL):
        return "runs_by_flow", "TRUE"
    return (None, "TRUE") if query.state is None else _OF_STATE.get(query.state, _OF_AN_END)
