"""How a run is claimed for one turn in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from longterm.store._rows import COLUMNS, UNCLAIMED, moment_text
from longterm.store.base import new_claim
from longterm.store.sqlite._connection import Connection, is_undecodable

_NAMES: Final = ", ".join(COLUMNS)
GET: Final = f"SELECT {_NAMES} FROM runs WHERE id = ?"

_TAKE: Final = "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?, claimed_until = ?"
# Of a run that waits for several events, their names are lines of one text.
_AWAITS: Final = (
    "(waiting_for = ? OR instr(char(10) || waiting_for || char(10), char(10) || ? || char(10)) > 0)"
)
_RETURN: Final = f" RETURNING {_NAMES}"
_UNLESS_KEPT: Final = " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE run = runs.id AND key = ?)"

# Most often the run is suspended. Whether a claim on it has run out is asked only where it is not:
# that sets `attempts` too, and so pays for a trigger.
_CLAIM_SUSPENDED: Final = f"{_TAKE} WHERE id = ? AND {_AWAITS}{{unless}} AND state = 'suspended'"
_CLAIM: Final = (
    f"{_TAKE}, attempts = attempts + (state = 'running') WHERE id = ? AND {_AWAITS}{{unless}}"
    " AND (state = 'suspended' OR state = 'running' AND claimed_until < ?)"
)
_OF_ANY: Final = tuple(
    statement.format(unless="") + _RETURN for statement in (_CLAIM_SUSPENDED, _CLAIM)
)
_FOR_KEY: Final = tuple(
    statement.format(unless=_UNLESS_KEPT) + _RETURN for statement in (_CLAIM_SUSPENDED, _CLAIM)
)
_UNSUSPEND: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?,"
    f" claimed_until = nullif(claimed_until, '{UNCLAIMED}')"
    f" WHERE id = ? AND {_AWAITS} AND state = 'suspended'{_RETURN}"
)
_REVIVE: Final = f"{_TAKE}, attempts = 0 WHERE id = ? AND state = 'failed'{_RETURN}"

Claiming: TypeAlias = Callable[[Connection], list[tuple[Any, ...]]]
"""A step that claims one run: returns its row, or none if it is not to be had."""


def claim_step(
    run_id: str, event_id: str, key: str | None, *, now: datetime, until: datetime
) -> Claiming:
    """Return the step that claims a run for an event, unless it keeps the key of the delivery."""
    parameters: tuple[object, ...] = (new_claim(), moment_text(until), run_id, event_id, event_id)
    if key is None:
        suspended, any_state = _OF_ANY
    else:
        suspended, any_state = _FOR_KEY
        parameters = (*parameters, key)

    def claim(connection: Connection) -> list[tuple[Any, ...]]:
        return _take(connection, run_id, suspended, parameters) or _take(
            connection, run_id, any_state, (*parameters, moment_text(now))
        )

    return claim


def unsuspend_step(run_id: str, event_id: str) -> Claiming:
    """Return the step that claims a suspended run for an event, for as long as that takes."""
    parameters = (new_claim(), run_id, event_id, event_id)
    return lambda connection: _take(connection, run_id, _UNSUSPEND, parameters)


def revive_step(run_id: str, *, until: datetime) -> Claiming:
    """Return the step that claims a failed run."""
    parameters = (new_claim(), moment_text(until), run_id)
    return lambda connection: _take(connection, run_id, _REVIVE, parameters)


def _take(
    connection: Connection, run_id: str, statement: str, parameters: tuple[object, ...]
) -> list[tuple[Any, ...]]:
    try:
        # Until its last row is fetched, a statement's transaction is open.
        return connection.execute(statement, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if not is_undecodable(error):
            raise
        return connection.ask_leniently(GET, (run_id,))  # it is claimed all the same
