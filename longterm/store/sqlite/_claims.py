"""How a run is claimed for one turn in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from longterm.store._rows import COLUMNS, UNCLAIMED, moment_text
from longterm.store.base import new_claim
from longterm.store.sqlite._connection import SEEN, Connection, is_undecodable

_NAMES: Final = ", ".join(COLUMNS)
GET: Final = f"SELECT {_NAMES} FROM runs WHERE id = ?"

_TAKE: Final = "UPDATE runs SET state = 'running', turn = turn + 1, claimed_until = ?, claim = "
# Of a run that waits for several events, their names are lines of one text.
_AWAITS: Final = (
    "(waiting_for = ? OR instr(char(10) || waiting_for || char(10), char(10) || ? || char(10)) > 0)"
)
_RETURN: Final = f" RETURNING {_NAMES}"
_UNLESS_KEPT: Final = " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE run = runs.id AND key = ?)"

# Most often the run is suspended. So that is tried first, by a statement that sets no `attempts`,
# and so pays for no trigger, and that shows the row to a function. SQLite makes a table each time
# for rows that are to be returned, which would take a third of a claim.
_SEEN: Final = ", ".join(
    name for name in COLUMNS if name not in ("state", "claimed_until", "claim")
)
_CLAIM_SUSPENDED: Final = (
    f"{_TAKE} coalesce({SEEN}({_SEEN}), ?)"
    f" WHERE id = ? AND {_AWAITS}{{unless}} AND state = 'suspended'"
)
_CLAIM: Final = (
    f"{_TAKE} ?, attempts = attempts + (state = 'running') WHERE id = ? AND {_AWAITS}{{unless}}"
    f" AND (state = 'suspended' OR state = 'running' AND claimed_until < ?){_RETURN}"
)
_OF_ANY: Final = (_CLAIM_SUSPENDED.format(unless=""), _CLAIM.format(unless=""))
_FOR_KEY: Final = (
    _CLAIM_SUSPENDED.format(unless=_UNLESS_KEPT),
    _CLAIM.format(unless=_UNLESS_KEPT),
)
_UNSUSPEND: Final = (
    "UPDATE runs SET state = 'running', turn = turn + 1, claim = ?,"
    f" claimed_until = nullif(claimed_until, '{UNCLAIMED}')"
    f" WHERE id = ? AND {_AWAITS} AND state = 'suspended'{_RETURN}"
)
_REVIVE: Final = f"{_TAKE} ?, attempts = 0 WHERE id = ? AND state = 'failed'{_RETURN}"

Claiming: TypeAlias = Callable[[Connection], list[tuple[Any, ...]]]
"""A step that claims one run: returns its row, or none if it is not to be had."""


def claim_step(
    run_id: str, event_id: str, key: str | None, *, now: datetime, until: datetime
) -> Claiming:
    """Return the step that claims a run for an event, unless it keeps the key of the delivery."""
    until_text, number = moment_text(until), new_claim()
    parameters: tuple[object, ...] = (until_text, number, run_id, event_id, event_id)
    if key is None:
        claim_suspended, claim_any = _OF_ANY
    else:
        claim_suspended, claim_any = _FOR_KEY
        parameters = (*parameters, key)

    def claim(connection: Connection) -> list[tuple[Any, ...]]:
        seen = connection.changed_one(claim_suspended, parameters)
        if not seen:
            return _take(connection, run_id, claim_any, (*parameters, moment_text(now)))
        turn, attempts, *lasts, unread = seen
        if type(turn) is not int:  # it is damaged
            return connection.ask_leniently(GET, (run_id,))
        return [(turn + 1, "running", attempts, until_text, *lasts, number, unread)]

    return claim


def unsuspend_step(run_id: str, event_id: str) -> Claiming:
    """Return the step that claims a suspended run for an event, for as long as that takes."""
    parameters = (new_claim(), run_id, event_id, event_id)
    return lambda connection: _take(connection, run_id, _UNSUSPEND, parameters)


def revive_step(run_id: str, *, until: datetime) -> Claiming:
    """Return the step that claims a failed run."""
    parameters = (moment_text(until), new_claim(), run_id)
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
