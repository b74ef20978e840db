"""Databases of SQLAlchemy: its engines and the makers of its sessions, plain and asynchronous."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Connection, text

from longterm.database._adapter import (
    Adapter,
    AsyncTransaction,
    Rows,
    Transaction,
    ended_by_function,
)
from longterm.database._table import check_dialect
from longterm.errors import WrongConnection


class Alchemy(Adapter):
    """An Engine or a sessionmaker: a function is given a Connection or a Session."""

    is_sync = True

    def __init__(self, maker: Any) -> None:
        """Take the engine or the maker of sessions."""
        self._maker = maker
        self.place = f"the database of a {type(maker).__name__} of SQLAlchemy"

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Begin a transaction of a connection, or of a session."""
        with self._maker.begin() as tx:
            connection = tx if isinstance(tx, Connection) else tx.connection()
            if must_begin(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield AlchemyTransaction(tx, connection)


class AsyncAlchemy(Adapter):
    """An AsyncEngine or an async_sessionmaker."""

    is_async = True

    def __init__(self, maker: Any) -> None:
        """Take the engine or the maker of sessions."""
        self._maker = maker
        self.place = f"the database of an {type(maker).__name__} of SQLAlchemy"

    @asynccontextmanager
    async def abegin(self) -> AsyncIterator[AsyncTransaction]:
        """Begin a transaction of a connection, or of a session."""
        async with self._maker.begin() as tx:
            connection = tx if hasattr(tx, "sync_connection") else await tx.connection()
            if must_begin(connection.sync_connection):
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield AsyncAlchemyTransaction(tx, connection)


class AlchemyTransaction:
    """A transaction of a Connection, which is the Session's where a function is given that."""

    def __init__(self, tx: Any, connection: Connection) -> None:
        """Take what has begun."""
        self.tx, self._connection = tx, connection
        self.dialect = connection.dialect.name

    def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement."""
        result = self._connection.execute(text(statement), parameters)
        return [tuple(row) for row in result] if result.returns_rows else []

    def check_open(self) -> None:
        """Make sure that the transaction is open."""
        if not self.tx.in_transaction():
            raise ended_by_function()


class AsyncAlchemyTransaction:
    """The same of an AsyncConnection or an AsyncSession."""

    def __init__(self, tx: Any, connection: Any) -> None:
        """Take what has begun."""
        self.tx, self._connection = tx, connection
        self.dialect = connection.dialect.name

    async def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement."""
        result = await self._connection.execute(text(statement), parameters)
        return [tuple(row) for row in result] if result.returns_rows else []

    def check_open(self) -> None:
        """Make sure that the transaction is open."""
        if not self.tx.in_transaction():
            raise ended_by_function()


def must_begin(connection: Connection) -> bool:
    """Tell whether a transaction of SQLite is not begun yet; the others' drivers begin it.

    Those of SQLite do so at the first statement that writes, and not at all where somebody has
    turned that off, as SQLAlchemy's page about SQLite says.

    Raises:
        StoreError: the database is neither SQLite nor Postgres.
        WrongConnection: the engine commits each statement by itself.
    """
    if check_dialect(connection.dialect.name) == "sqlite":
        return not getattr(connection.connection.driver_connection, "in_transaction", True)
    if getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
        raise WrongConnection(
            "the engine of SQLAlchemy commits each statement by itself (give a Database one "
            'without isolation_level="AUTOCOMMIT")'
        )
    return False
