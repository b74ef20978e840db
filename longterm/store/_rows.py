"""A run as a row of a table: a run in, its columns out, and back. What SQL stores have in common.

Knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from longterm.run import Fact, Run, RunState

CHANGING: Final[tuple[LiteralString, ...]] = (
    *("state", "attempts", "delivery", "stack", "response", "result", "error", "facts"),
    *("deadline", "claimed_until", "updated_at", "waiting_for"),
)
"""The columns that a save writes. What it is called, what it executes and when it began are for the
whole life of a run."""

COLUMNS: Final[tuple[LiteralString, ...]] = ("id", "turn", *CHANGING, "created_at", "flow")
"""The columns in the order of a row: the key and the fence, what changes, what does not."""

BYTES: Final = frozenset({"stack", "response", "result"})
"""The columns that hold bytes."""

_OTHERWISE_NAMED: Final = {
    "response": "encoded_response",
    "result": "encoded_result",
    "facts": "index",
}
_FIELDS: Final = tuple(_OTHERWISE_NAMED.get(name, name) for name in COLUMNS)
_MOMENTS: Final = ("deadline", "claimed_until", "updated_at", "created_at")
_STATES: Final = {state.value: state for state in RunState}


def _as_it_is(value: Any) -> Any:
    return value


def changing(
    run: Run,
    moment: Callable[[datetime | None], Any] = _as_it_is,
    facts: Callable[[list[str]], Any] = _as_it_is,
) -> tuple[Any, ...]:
    """Return the columns of a run that a save writes.

    Args:
        run: the run.
        moment: makes of a moment, or None, what the database has for one.
        facts: makes of the facts, as texts, what it has for them.
    """
    return (
        str(run.state),
        run.attempts,
        run.delivery,
        run.stack,
        run.encoded_response,
        run.encoded_result,
        run.error,
        facts(_facts(run)),
        moment(run.deadline),
        moment(run.claimed_until),
        moment(run.updated_at),
        run.waiting_for,
    )


def row_of(
    run: Run,
    moment: Callable[[datetime | None], Any] = _as_it_is,
    facts: Callable[[list[str]], Any] = _as_it_is,
) -> tuple[Any, ...]:
    """Return the columns of a run; see `changing`."""
    return (run.id, run.turn, *changing(run, moment, facts), moment(run.created_at), run.flow)


def run_of(
    row: Sequence[Any],
    moment: Callable[[Any], datetime] = _as_it_is,
    texts: Callable[[Any], list[str]] = _as_it_is,
) -> Run:
    """Return the run of a row.

    Args:
        row: its columns.
        moment: makes a moment, in UTC, of what the database has for one.
        texts: makes a list of what it has for the facts.
    """
    fields = dict(zip(_FIELDS, row, strict=True))
    fields["state"] = _STATES.get(fields["state"]) or RunState(fields["state"])
    facts = texts(fields["index"])
    fields["index"] = _index(facts) if facts else {}
    for name in _MOMENTS:
        if (written := fields[name]) is not None:
            fields[name] = moment(written)
    return Run(**fields)


def _facts(run: Run) -> list[str]:
    """Return the facts of a run as texts; most runs have none."""
    if not run.index:
        return []
    from longterm.store.facts import write_facts

    return write_facts(run.index)


def _index(facts: list[str]) -> dict[str, Fact]:
    from longterm.store.facts import read_facts

    return read_facts(facts)


def in_order_of_deadlines(runs: Iterable[Run]) -> list[Run]:
    """Sort due runs, the longest overdue first; a database returns changed rows in any order."""
    return sorted(runs, key=lambda run: (run.deadline, run.id))
