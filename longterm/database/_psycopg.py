"""Databases in Postgres, by connections of psycopg: from its pools, or each opened anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from shlex import quote
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from longterm.database._adapter import (
    Adapter,
    AsyncTransaction,
    Rows,
    Transaction,
    ended_by_function,
)
from longterm.database._table import in_percent_style
from longterm.errors import WrongConnection


class Address(Adapter):
    """A server's address, as libpq takes it; each transaction connects to it."""

    is_sync = is_async = True

    def __init__(self, conninfo: str) -> None:
        """Take a URL or a text such as `host=db dbname=shop`."""
        self._conninfo = conninfo
        parts = conninfo_to_dict(conninfo)
        self.place = f"database {parts.get('dbname', '')!r} of Postgres"
        self.url = None if "password" in parts else quote(conninfo)

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Connect, and begin a transaction."""
        with (
            closing(psycopg.connect(self._conninfo, autocommit=True)) as connection,
            transaction(connection) as begun,
        ):
            yield begun

    @asynccontextmanager
    async def abegin(self) -> AsyncIterator[AsyncTransaction]:
        """Connect, and begin a transaction."""
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        try:
            async with atransaction(connection) as begun:
                yield begun
        finally:
            await connection.close()


class Pool(Adapter):
    """What lends connections by `with pool.connection() as connection`, as psycopg's pool does."""

    is_sync = True

    def __init__(self, pool: Any) -> None:
        """Take the pool."""
        self._pool = pool
        self.place = f"the database of a {type(pool).__name__}"

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Borrow a connection, and begin a transaction."""
        with self._pool.connection() as connection, transaction(connection) as begun:
            yield begun


class AsyncPool(Adapter):
    """What lends connections by `async with pool.connection() as connection`."""

    is_async = True

    def __init__(self, pool: Any) -> None:
        """Take the pool."""
        self._pool = pool
        self.place = f"the database of an {type(pool).__name__}"

    @asynccontextmanager
    async def abegin(self) -> AsyncIterator[AsyncTransaction]:
        """Borrow a connection, and begin a transaction."""
        async with self._pool.connection() as connection, atransaction(connection) as begun:
            yield begun


class PostgresTransaction:
    """A transaction of a connection."""

    dialect = "postgresql"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Take a connection that is in a transaction."""
        self.tx = connection

    def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement; its rows are tuples, whatever is set for theirs."""
        with psycopg.Cursor(self.tx, row_factory=tuple_row) as cursor:
            cursor.execute(in_percent_style(statement).encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def check_open(self) -> None:
        """Make sure that the transaction is open."""
        _check_open(self.tx)


class AsyncPostgresTransaction:
    """A transaction of an asynchronous connection."""

    dialect = "postgresql"

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Take a connection that is in a transaction."""
        self.tx = connection

    async def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement; its rows are tuples, whatever is set for theirs."""
        async with psycopg.AsyncCursor(self.tx, row_factory=tuple_row) as cursor:
            await cursor.execute(in_percent_style(statement).encode(), parameters or None)
            return await cursor.fetchall() if cursor.description else []

    def check_open(self) -> None:
        """Make sure that the transaction is open."""
        _check_open(self.tx)


@contextmanager
def transaction(connection: psycopg.Connection[Any]) -> Iterator[Transaction]:
    """Begin a transaction, and end it; psycopg refuses `commit` in between."""
    _check_idle(connection)
    with connection.transaction():
        yield PostgresTransaction(connection)


@asynccontextmanager
async def atransaction(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[AsyncTransaction]:
    """Begin a transaction, and end it."""
    _check_idle(connection)
    async with connection.transaction():
        yield AsyncPostgresTransaction(connection)


def _check_idle(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Make sure that a transaction is not part of another, which somebody else would end."""
    if not isinstance(connection, (psycopg.Connection, psycopg.AsyncConnection)):
        raise WrongConnection(
            f"a pool lends a {type(connection).__name__}, which is no connection of psycopg (give "
            "a Database a pool of psycopg_pool, or what else its documentation names)"
        )
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise WrongConnection(
            "the connection is in a transaction already, or closed (what opens connections for a "
            "Database must commit what it does with them)"
        )


def _check_open(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.info.transaction_status == TransactionStatus.IDLE:
        raise ended_by_function()
