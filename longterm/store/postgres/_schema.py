"""The schema `longterm` in a Postgres database: made, brought up to date, or only checked.

A connection goes in; afterwards the schema is this longterm's. Never touches another schema, or
one that a newer longterm made.
"""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Final

from psycopg import IsolationLevel
from psycopg.abc import Query

from longterm.errors import StoreError
from longterm.store.postgres._connection import Connection

MIGRATIONS: Final = (
    "0001_runs.sql",
    "0002_checksum.sql",
    "0003_saved_turn.sql",
    "0004_several_events.sql",
    "0005_deliveries.sql",
    "0006_claim.sql",
    "0007_inbox.sql",
)
"""The steps that made the schema, oldest first; `longterm.migrations` lists those it has had."""

_LOCK: Final = int.from_bytes(b"longterm", "big")
"""The advisory lock under which one process at a time migrates."""

_STANDING: Final = """
    SELECT to_regnamespace('longterm') IS NOT NULL,
        to_regclass('longterm.migrations') IS NOT NULL,
        EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('longterm')),
        current_setting('server_encoding')
"""
_MAKE_SCHEMA: Final = "CREATE SCHEMA longterm"
_MAKE_MIGRATIONS: Final = (
    "CREATE TABLE longterm.migrations"
    " (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)"
)
_NOTE: Final = "INSERT INTO longterm.migrations VALUES ({version}, '{name}', now())"


def ensure_schema(connection: Connection, place: str, *, migrate: bool) -> int:
    """Make the schema or bring it up to date; return how many steps that took.

    Without `migrate`, only check it.

    Raises:
        StoreError: the schema is another application's, is newer than this longterm, or is older
            and may not be migrated.
    """
    version = schema_version(connection, place)
    if version == len(MIGRATIONS):
        return 0
    if not migrate:
        raise StoreError(
            f"cannot use {place}: schema longterm has version {version}, and this longterm needs "
            f"{len(MIGRATIONS)} (apply what `longterm migrate --sql` prints, or leave out "
            "migrate=no)"
        )
    # Another process may be at it, and an index takes as long as there are runs.
    connection.deadline = math.inf
    # A transaction that sees what was there when it began would not see what it waited for.
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        # Another process may have done it while this one waited for the lock.
        version = schema_version(connection, place)
        for statement in _steps(version, has_schema=_standing(connection)[0]):
            connection.execute(_trusted(statement))
    return len(MIGRATIONS) - version


def schema_sql(from_version: int = 0) -> str:
    """Return the SQL that brings the schema from a version to this longterm's, for a DBA to apply.

    Version 0 is a database without the schema. If it is up to date, nothing is returned.
    """
    if from_version == len(MIGRATIONS):
        return ""
    steps = _steps(from_version, has_schema=from_version > 0)
    return "\n".join(
        ["BEGIN;", *(f"{step.rstrip().rstrip(';')};\n" for step in steps), "COMMIT;\n"]
    )


def _steps(version: int, *, has_schema: bool) -> list[str]:
    """Return what is to be executed in one transaction, from a version on."""
    steps = []
    if not has_schema:
        steps.append(_MAKE_SCHEMA)
    if version == 0:
        steps.append(_MAKE_MIGRATIONS)
    for number, name in enumerate(MIGRATIONS[version:], start=version + 1):
        script = files("longterm.store.postgres") / "sql" / name
        steps += [script.read_text(encoding="utf-8"), _NOTE.format(version=number, name=name)]
    return steps


def schema_version(connection: Connection, place: str) -> int:
    """Return how many migrations the schema has had, 0 if it is not there or is empty."""
    _, has_migrations, has_tables, encoding = _standing(connection)
    if encoding != "UTF8":
        raise StoreError(
            f"cannot use {place}: its encoding is {encoding}, which cannot hold every text "
            "(create the database with ENCODING 'UTF8')"
        )
    if not has_migrations:
        if has_tables:
            raise StoreError(
                f"cannot use {place}: its schema longterm belongs to another application "
                "(name another database; this one was left as it is)"
            )
        return 0
    ((version,),) = connection.execute(
        "SELECT coalesce(max(version), 0) FROM longterm.migrations"
    ).fetchall()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"cannot use {place}: schema longterm has version {version}, and this longterm knows "
            f"versions up to {len(MIGRATIONS)} (upgrade longterm; the schema was left as it is)"
        )
    return int(version)


def _standing(connection: Connection) -> tuple[bool, bool, bool, str]:
    ((has_schema, has_migrations, has_tables, encoding),) = connection.execute(_STANDING).fetchall()
    return has_schema, has_migrations, has_tables, encoding


def _trusted(statement: str) -> Query:
    """Let psycopg execute text that is not a literal; it comes from this package's own files."""
    return statement.encode()
