"""How Postgres finds runs: a query in, one SELECT and its parameters out.

Postgres knows how often a value occurs, and chooses the index itself. Each is in the order of ids,
so that a page ends early. Those of events and flows leave out the few runs that are running, so
these are looked for apart, unless the query says which state it wants.
"""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.run import RunState
from longterm.store._rows import COLUMNS
from longterm.store.base import Query
from longterm.store.facts import write_facts

_NAMES: Final[LiteralString] = ", ".join(["runs." + name for name in COLUMNS])
_RUNS: Final[LiteralString] = "longterm.runs"
_RUNS_WITH_FACT: Final[LiteralString] = "longterm.facts JOIN longterm.runs ON runs.id = facts.run"


def find_statement(query: Query) -> tuple[LiteralString, list[object]]:
    """Return the statement that finds what a query asks for, and its parameters in order."""
    facts = write_facts(query.index)
    first, more = (facts[0], facts[1:]) if facts else (None, [])
    source, key = (_RUNS, "runs.id") if first is None else (_RUNS_WITH_FACT, "facts.run")
    wanted: list[tuple[LiteralString, object]] = [
        ("facts.fact = %s", first),
        ("runs.facts @> %s::text[]", more or None),
        ("runs.state = %s", query.state and query.state.value),
        ("runs.flow = %s", query.flow),
        ("runs.waiting_for = %s", query.waiting_for),
        ("runs.updated_at < %s", query.saved_before),
        (key + " > %s", query.after),
    ]
    conditions: list[LiteralString] = [
        condition for condition, value in wanted if value is not None
    ]
    parameters = [*(value for _, value in wanted if value is not None), query.limit]
    parts: list[LiteralString] = [
        f"SELECT {_NAMES} FROM {source} WHERE {' AND '.join([part, *conditions])}"
        f" ORDER BY {key} LIMIT %s"
        for part in _parts(query)
    ]
    if len(parts) == 1:
        return parts[0], parameters
    both: LiteralString = " UNION ALL ".join([f"({part})" for part in parts])
    return f"{both} ORDER BY id LIMIT %s", [*parameters, *parameters, query.limit]


def _parts(query: Query) -> tuple[LiteralString, ...]:
    """Return the conditions under which runs are looked for apart."""
    if query.state is RunState.SUSPENDED:
        # Every suspended run waits for an event: few of them are soon found by the index of events.
        return ("runs.waiting_for IS NOT NULL",)
    is_by_index = query.flow is not None or query.waiting_for is not None
    if query.state is None and is_by_index and not query.index:
        return ("runs.state <> 'running'", "runs.state = 'running'")
    return ("TRUE",)
