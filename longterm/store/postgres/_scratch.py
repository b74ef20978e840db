"""A store for one test: its schema is made at the first use, and dropped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from longterm.errors import StoreError
from longterm.store import open_store
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._store import PostgresStore


@contextmanager
def scratch_store(url: str) -> Iterator[PostgresStore]:
    """Open a store in a schema that nobody else has, in the database of a URL.

    Raises:
        StoreError: the URL is no Postgres database's, names a schema, or lets none be made.
    """
    _, _, query = url.partition("?")
    if any(option.partition("=")[0] in ("schema", "migrate") for option in query.split("&")):
        raise StoreError("a test has a schema of its own (leave ?schema= and ?migrate= out)")
    store = open_store(f"{url}{'&' if query else '?'}schema=longterm_test_{uuid4().hex}")
    assert isinstance(store, PostgresStore)  # as the caller has seen by the scheme
    with store:
        try:
            yield store
        finally:
            store._database.on_connection(_drop, "drop the schema of a test")


def _drop(connection: Connection, _: str) -> Any:
    return connection.execute(connection.schema.sql("DROP SCHEMA IF EXISTS longterm CASCADE"))
