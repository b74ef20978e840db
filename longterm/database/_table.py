"""The table of what was done once, and the statements on it: the same text for each driver.

A row is inserted before its function is called, and its value is written afterwards, both in one
transaction. So nobody else ever sees a row without a value.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from longterm.errors import StoreError

INSERT: Final = (
    "INSERT INTO longterm_steps (key) VALUES (:key) ON CONFLICT (key) DO NOTHING RETURNING key"
)
"""Where another transaction has inserted the key and is still open, this waits for its end."""

FILL: Final = (
    "UPDATE longterm_steps SET value = :value WHERE key = :key AND value IS NULL RETURNING key"
)
READ: Final = "SELECT value FROM longterm_steps WHERE key = :key"

_CREATE: Final = {
    "sqlite": (
        "CREATE TABLE IF NOT EXISTS longterm_steps ("
        "key text PRIMARY KEY NOT NULL, value blob,"
        " at integer NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS integer)))"
    ),
    "postgresql": (
        "CREATE TABLE IF NOT EXISTS longterm_steps ("
        "key text PRIMARY KEY, value bytea, at timestamptz NOT NULL DEFAULT now())"
    ),
}
"""By the server's clock. In SQLite, `at` is in seconds since 1970."""

_IS_OLD: Final = {
    "sqlite": "at < CAST(strftime('%s', 'now') AS integer) - :seconds",
    "postgresql": "at < now() - CAST(:seconds AS double precision) * interval '1 second'",
}


def create_statement(dialect: str) -> str:
    """Return what makes the table, if it is not there."""
    return _CREATE[dialect]


def prune_statement(dialect: str, limit: int) -> str:
    """Return what deletes rows that are older than a number of seconds, at most so many."""
    return (
        "DELETE FROM longterm_steps WHERE key IN"
        f" (SELECT key FROM longterm_steps WHERE {_IS_OLD[dialect]} LIMIT {limit}) RETURNING key"
    )


def check_dialect(name: str) -> str:
    """Return the name of a kind of database.

    Raises:
        StoreError: it is none of those that this works with.
    """
    if name not in _CREATE:
        raise StoreError(
            f"no step can be done exactly once in {name} (give a database in SQLite or Postgres)"
        )
    return name


@cache
def in_percent_style(statement: str) -> str:
    """Return a statement with its parameters as psycopg and Django write them: `%(key)s`."""
    return re.sub(r":([a-z]+)\b", r"%(\1)s", statement.replace("%", "%%"))
