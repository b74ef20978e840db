"""How Postgres finds runs: a query in, one SELECT and its parameters out.

Postgres knows how often a value occurs, and chooses the index itself. Each is in the order of ids,
so that a page ends early.
"""

from __future__ import annotations

from functools import partial
from typing import Final, LiteralString

from longterm.run import RunState
from longterm.store._rows import COLUMNS
from longterm.store.base import Query
from longterm.store.facts import asked_facts

_NAMES: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
_OPEN: Final = (None, RunState.SUSPENDED, RunState.RUNNING)
_SAVED: Final[LiteralString] = "runs.updated_at < %s"
_RUNS: Final[LiteralString] = "longterm.runs"
_RUNS_WITH_FACT: Final[LiteralString] = "longterm.facts JOIN longterm.runs ON runs.id = facts.run"
_MOVED: Final[LiteralString] = "longterm.ended_runs AS runs"
_MOVED_WITH_FACT: Final[LiteralString] = (
    "longterm.ended_facts AS facts JOIN longterm.ended_runs AS runs"
    " ON runs.id = facts.run AND runs.ended_at = facts.ended_at"
)
_MAY_BE_MOVED: Final = (None, RunState.COMPLETE, RunState.CANCELLED)
IS_CLAIMED: Final[LiteralString] = " AND runs.id = ANY (ARRAY(SELECT run FROM longterm.claims))"


_WHOLE: Final = 500
"""The index of events has the first characters of what a run waits for, one more than these: so the
whole of a text of that length, which no other text can be taken for."""
_AWAITS: Final[LiteralString] = "left(runs.waiting_for, 501) = %s"
# Of several events the names are lines of one text. The first term is the index's own condition.
_AMONG_SEVERAL: Final[LiteralString] = (
    "strpos(runs.waiting_for, E'\\n') > 0"
    " AND string_to_array(runs.waiting_for, E'\\n') @> ARRAY[%s]"
)


def find_statement(query: Query, *, has_months: bool = True) -> tuple[LiteralString, list[object]]:
    """Return the statement that finds what a query asks for, and its parameters in order.

    Unless it `has_months`, no run has ever been moved.
    """
    facts, name = asked_facts(query), query.waiting_for
    first, more = (facts[0], facts[1:]) if facts else (None, [])
    source, key = (_RUNS, "runs.id") if first is None else (_RUNS_WITH_FACT, "facts.run")
    beyond: LiteralString = " < %s" if query.newest_first else " > %s"
    asked: list[tuple[LiteralString, object]] = [
        ("facts.fact = %s", first),
        ("runs.facts @> %s::text[]", more or None),
        (_state(query.state), query.state and query.state.value),
        ("runs.flow = %s", query.flow),
        (_AWAITS, name and name[: _WHOLE + 1]),
        ("runs.waiting_for = %s", name if name is not None and len(name) > _WHOLE else None),
        ("runs.position = %s", query.position),
        (_SAVED if query.state in _OPEN else "runs.ended_at < %s", query.saved_before),
        (key + beyond, query.after),
        # Said of the runs as well, or a join that merges both reads the runs from their first on.
        ("runs.id" + beyond, query.after if facts else None),
    ]
    conditions: list[LiteralString] = [condition for condition, value in asked if value is not None]
    parameters = [*(value for _, value in asked if value is not None), query.limit]
    order: LiteralString = " DESC" if query.newest_first else ""  # the index is read backward
    select = partial(_select, conditions=conditions, key=key, order=order)
    parts: list[LiteralString] = [select(source)]
    if name is not None:
        among: list[LiteralString] = [_AMONG_SEVERAL if c is _AWAITS else c for c in conditions]
        parts.append(select(source, conditions=among))
    elif has_months and query.state in _MAY_BE_MOVED:  # and then it waits for nothing
        parts.append(select(_MOVED if first is None else _MOVED_WITH_FACT))
    if len(parts) == 1:
        return parts[0], parameters
    union: LiteralString = " UNION ALL ".join([f"({part})" for part in parts])
    return f"{union} ORDER BY id{order} LIMIT %s", [*(parameters * len(parts)), query.limit]


def _select(
    source: LiteralString,
    *,
    conditions: list[LiteralString],
    key: LiteralString,
    order: LiteralString,
) -> LiteralString:
    wanted: LiteralString = " AND ".join(conditions) or "TRUE"
    return f"SELECT {_NAMES} FROM {source} WHERE {wanted} ORDER BY {key}{order} LIMIT %s"


def _state(state: RunState | None) -> LiteralString:
    """Return the condition under which a run is in a state."""
    if state is RunState.SUSPENDED:
        # Every suspended run waits for an event: few of them are soon found by the index of events.
        return "runs.state = %s AND runs.waiting_for IS NOT NULL"
    if state is RunState.RUNNING:
        # Few are. A join would be planned for as many as the table of claims has room for.
        return f"runs.state = %s{IS_CLAIMED}"
    return "runs.ended = %s"
