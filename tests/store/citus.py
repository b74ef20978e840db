"""A Citus that somebody has started, for tests that are run on request.

`LONGTERM_CITUS_URL=postgresql://user@host:5432/database` names its coordinator. The schema
`longterm` of that database is dropped.
"""

from __future__ import annotations

import os

URL = os.environ.get("LONGTERM_CITUS_URL")
TABLES = (
    *("runs", "facts", "deliveries", "inbox", "outbox", "queues", "progress", "history"),
    *("versions", "shard", "slots"),
)


def drop_schema(url: str) -> None:
    """Drop the tables of longterm."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS longterm CASCADE")


def empty_tables(url: str) -> None:
    """Delete all rows: to truncate tables takes Citus seconds."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM longterm.{table}")
