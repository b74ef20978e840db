"""The same steps done by DBOS, which journals each: a side of the benchmark of steps.

It is no dependency of anything here: whoever wants this side installs it beside longterm.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

_OLDEST_SQLITE = (3, 42)
"""It asks for milliseconds by `unixepoch('subsec')`, which older ones do not know."""


def why_not(kind: str) -> str:
    """Return why it cannot be measured here; nothing if it can."""
    if importlib.util.find_spec("dbos") is None:
        return "DBOS is not installed (pip install dbos, in an environment for this alone)"
    if kind == "sqlite" and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return f"it needs SQLite 3.42, and this Python has {sqlite3.sqlite_version}"
    return ""


def name() -> str:
    """Return what its rows are called."""
    return f"DBOS {version('dbos')}"


@contextmanager
def dbos_sides(
    system_url: str, database_url: str, padding: str
) -> Iterator[tuple[Callable[[int], object], Callable[[int], object]]]:
    """Return what runs a workflow of so many steps, and one of so many transactions."""
    from dbos import DBOS, SQLAlchemyDatasource
    from sqlalchemy import text

    DBOS(config={"name": "benchmark", "system_database_url": system_url, "log_level": "ERROR"})
    ledger = SQLAlchemyDatasource.create(database_url)

    @DBOS.step()
    def advance(total: int) -> int:
        return total + 1

    @ledger.transaction()
    def book(total: int) -> int:
        statement = text("INSERT INTO bookings VALUES (:total)")
        ledger.sql_session().execute(statement, {"total": total})
        return total + 1

    def workflow(step: Any, called: str) -> Callable[[int], object]:
        @DBOS.workflow(name=called)
        def run(count: int, padding: str) -> int:
            total = 0
            for _ in range(count):
                total = step(total)
            return total

        return lambda count: run(count, padding)

    sides = workflow(advance, "steps"), workflow(book, "transactions")
    DBOS.launch()
    try:
        yield sides
    finally:
        DBOS.destroy(destroy_registry=True)
