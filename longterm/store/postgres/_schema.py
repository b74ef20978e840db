"""The schema of a store in a Postgres database: made, brought up to date, or only checked.

A connection goes in; afterwards the schema is this longterm's. Never touches another schema, or
one that a newer longterm made.
"""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Final, NamedTuple

from psycopg import IsolationLevel, errors

from longterm.errors import StoreError
from longterm.store._rows import MIGRATIONS
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._errors import one_line
from longterm.store.postgres._names import USUAL_SCHEMA, Schema

_LOCK: Final = int.from_bytes(b"longterm", "big")
"""The advisory lock under which one process at a time migrates."""

_STANDING: Final = """
    SELECT count(*) > 0, coalesce(bool_or(relname = 'migrations'), false),
        coalesce(bool_or(relname IS NOT NULL), false), current_setting('server_encoding'),
        coalesce(bool_or(relname = 'slots'), false)
    FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid WHERE nspname = %s
"""
# Whatever columns another application's table of that name has, this can be asked.
_VERSION: Final = """
    SELECT count(*), coalesce(bool_or(to_jsonb(step) ->> 'name' = '0001_runs.sql'), false)
    FROM longterm.migrations AS step
"""
_MAKE_SCHEMA: Final = "CREATE SCHEMA longterm"
_MAKE_MIGRATIONS: Final = (
    "CREATE TABLE longterm.migrations"
    " (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)"
)
_NOTE: Final = "INSERT INTO longterm.migrations VALUES ({version}, '{name}', now())"
_KEEPS_BY_MONTH: Final = "SELECT longterm.keeps_by_month()"
_BY_MONTH: Final = "by_month.sql"


def ensure_schema(connection: Connection, place: str, *, migrate: bool) -> int:
    """Make the schema or bring it up to date; return how many steps that took.

    Without `migrate`, only check it.

    Raises:
        StoreError: the schema is another application's, is newer than this longterm, or is older
            and may not be migrated.
    """
    check_dialect(connection, place)
    version, name = schema_version(connection, place), connection.schema.name
    is_adapted = _is_adapted(connection)
    if version == len(MIGRATIONS) and is_adapted:
        return 0
    if version == len(MIGRATIONS) and not migrate:
        raise StoreError(
            f"cannot use {place}: schema {name} is not adapted to {connection.schema.dialect.name} "
            "(stop whoever uses it, and apply what `longterm migrate --sql` prints, or leave out "
            "migrate=no)"
        )
    if not migrate:
        raise StoreError(
            f"cannot use {place}: schema {name} has version {version}, and this longterm needs "
            f"{len(MIGRATIONS)} (apply what `longterm migrate --sql` prints, or leave out "
            "migrate=no)"
        )
    if version == 0 and connection.schema.must_exist:
        raise StoreError(
            f"there is no schema {name} with the tables of longterm in {place} "
            "(check the URL, or run `longterm migrate` first)"
        )
    # Another process may be at it, and an index takes as long as there are runs.
    connection.deadline = math.inf
    # A transaction that sees what was there when it began would not see what it waited for.
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            # Another process may have done it while this one waited for the lock.
            version = schema_version(connection, place)
            standing = _standing(connection)
            for statement in _steps(version, connection.schema, has_schema=standing.has_schema):
                connection.execute(connection.schema.sql(statement))
    except errors.InsufficientPrivilege as error:
        raise StoreError(
            f"cannot migrate {place}: this user may not "
            f"({_permission(connection, version)}): {one_line(error)}"
        ) from error
    return len(MIGRATIONS) - version + (not is_adapted)


def check_dialect(connection: Connection, place: str) -> None:
    """Check that a server is what it is said to be.

    Raises:
        StoreError: it is not.
    """
    dialect = connection.schema.dialect
    if dialect.is_there is None:
        return
    ((is_there,),) = connection.execute(dialect.is_there).fetchall()
    if not is_there:
        raise StoreError(
            f"cannot use {place}: it is no {dialect.name}, as dialect={dialect.name} says "
            f"({dialect.remedy}, or leave out dialect={dialect.name})"
        )


def missing_sql(connection: Connection, place: str) -> str:
    """Return the SQL that brings a schema up to date, for a DBA to apply; empty if it is."""
    check_dialect(connection, place)
    version = schema_version(connection, place)
    if version == len(MIGRATIONS) and _is_adapted(connection):
        return ""
    return schema_sql(version, connection.schema)


def _is_adapted(connection: Connection) -> bool:
    """Whether the scripts of the dialect, if it has any, have been executed."""
    return not connection.schema.dialect.scripts or _standing(connection).is_by_key


def _permission(connection: Connection, version: int) -> str:
    """Return what somebody who may has to do, so that this user may migrate."""
    if version > 0:
        return "let the owner of the tables apply what `longterm migrate --sql` prints"
    ((user,),) = connection.execute("SELECT quote_ident(current_user)").fetchall()
    schema = connection.schema.quoted
    make = "" if _standing(connection).has_schema else f"CREATE SCHEMA {schema}; "
    return f"let a DBA run: {make}GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"


def schema_sql(from_version: int = 0, schema: Schema | None = None) -> str:
    """Return the SQL that brings a schema from a version to this longterm's, for a DBA to apply.

    Version 0 is a database without the schema. If it is up to date, nothing is returned.
    """
    schema = schema or Schema(USUAL_SCHEMA)
    steps = _steps(from_version, schema, has_schema=True)
    if not steps:
        return ""
    if from_version == 0:
        steps.insert(0, "CREATE SCHEMA IF NOT EXISTS longterm")
    text = "\n".join(
        ["BEGIN;", *(f"{step.rstrip().rstrip(';')};\n" for step in steps), "COMMIT;\n"]
    )
    return schema.sql(text).decode()


def keep_by_month(connection: Connection, place: str) -> bool:
    """Have runs that end kept by month, in a schema that is up to date; return whether that is new.

    Raises:
        StoreError: the schema cannot be brought up to date, or is not this user's.
    """
    ensure_schema(connection, place, migrate=True)
    ((is_kept,),) = connection.execute(connection.schema.sql(_KEEPS_BY_MONTH)).fetchall()
    if is_kept:
        return False
    connection.deadline = math.inf  # it waits for whoever uses the table of runs
    try:
        with connection.transaction():
            connection.execute(connection.schema.sql(_script(_BY_MONTH)))
    except errors.InsufficientPrivilege as error:
        raise StoreError(
            f"cannot migrate {place}: this user may not (let the owner of the tables apply what "
            f"`longterm migrate --ended-by-month --sql` prints): {one_line(error)}"
        ) from error
    return True


def by_month_sql(schema: Schema) -> str:
    """Return the SQL that has runs that end kept by month, in a schema that is up to date."""
    return schema.sql(f"BEGIN;\n{_script(_BY_MONTH)}COMMIT;\n").decode()


def _script(name: str) -> str:
    return (files("longterm.store.postgres") / "sql" / name).read_text(encoding="utf-8")


def _steps(version: int, schema: Schema, *, has_schema: bool) -> list[str]:
    """Return what is to be executed in one transaction, from a version on."""
    steps = []
    if not has_schema:
        steps.append(_MAKE_SCHEMA)
    if version == 0:
        steps.append(_MAKE_MIGRATIONS)
    for number, name in enumerate(MIGRATIONS[version:], start=version + 1):
        steps += [_script(name), _NOTE.format(version=number, name=name)]
    return [*steps, *map(_script, schema.dialect.scripts)]


def schema_version(connection: Connection, place: str) -> int:
    """Return how many migrations the schema has had, 0 if it is not there or is empty."""
    standing, name = _standing(connection), connection.schema.name
    if (encoding := standing.encoding) != "UTF8":
        raise StoreError(
            f"cannot use {place}: its encoding is {encoding}, which cannot hold every text "
            "(create the database with ENCODING 'UTF8')"
        )
    if not standing.has_tables:
        return 0
    version, is_ours = 0, False
    if standing.has_migrations:
        ((version, is_ours),) = connection.execute(connection.schema.sql(_VERSION)).fetchall()
    if not is_ours:
        raise StoreError(
            f"cannot use {place}: its schema {name} belongs to another application "
            "(name another one, as in schema=shop_runs; this one was left as it is)"
        )
    if standing.is_by_key and connection.schema.dialect.has_triggers:
        raise StoreError(
            f"cannot use {place}: schema {name} is that of a distributed Postgres, where no "
            "trigger keeps what belongs to a run (say in the URL what it is for: ?dialect=citus)"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"cannot use {place}: schema {name} has version {version}, and this longterm knows "
            f"versions up to {len(MIGRATIONS)} (upgrade longterm; the schema was left as it is)"
        )
    return int(version)


class _Standing(NamedTuple):
    """What is there before anything is done."""

    has_schema: bool
    has_migrations: bool
    has_tables: bool
    encoding: str
    is_by_key: bool
    """Whether the scripts of a dialect have been executed."""


def _standing(connection: Connection) -> _Standing:
    (found,) = connection.execute(_STANDING, [connection.schema.name]).fetchall()
    return _Standing(*found)
