"""How runs are found where an index says which are running, and no table does."""

from __future__ import annotations

from typing import LiteralString

from longterm.store.base import Query
from longterm.store.postgres._find import IS_CLAIMED, find_statement


def find_by_state(query: Query) -> tuple[LiteralString, list[object]]:
    """Return what `find_statement` does."""
    statement, parameters = find_statement(query, has_months=False)
    return statement.replace(IS_CLAIMED, ""), parameters
