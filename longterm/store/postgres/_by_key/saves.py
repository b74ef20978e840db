"""Saves that keep the facts of a run themselves, where no trigger does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from longterm._later import later
from longterm.run import Run
from longterm.store._rows import FACTS, NO_TEXTS
from longterm.store.postgres._saves import Statement, create_statement, save_statement
from longterm.store.postgres._statements import by_key
from longterm.store.postgres._statements.saves import and_also

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent
else:
    UnreadEvent = later("longterm.unread", "UnreadEvent")


def create_with_facts(row: Sequence[Any], run: Run) -> Statement:
    """Return what `create_statement` does, with the facts."""
    statement, parameters = create_statement(row, run, notes_claims=False)
    if row[FACTS] == NO_TEXTS:
        return statement, parameters
    return and_also(statement, by_key.FACTS), (*parameters, row[FACTS], run.id)


def save_with_facts(
    row: Sequence[Any],
    run: Run,
    claim: int | None,
    read: Sequence[UnreadEvent],
    failed: UnreadEvent | None,
) -> Statement:
    """Return what `save_statement` does, with the facts; also of a run that has none any more."""
    statement, parameters = save_statement(row, run, claim, read, failed, notes_claims=False)
    facts = row[FACTS]
    statement, parameters = and_also(statement, by_key.LOST_FACTS), (*parameters, run.id, facts)
    if facts == NO_TEXTS:
        return statement, parameters
    return and_also(statement, by_key.FACTS), (*parameters, facts, run.id)
