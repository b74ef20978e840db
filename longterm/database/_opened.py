"""Databases to which a function of the application's opens connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from inspect import isawaitable
from typing import Any

from longterm.database._adapter import Adapter, AsyncTransaction, Transaction, is_made_by
from longterm.errors import WrongConnection


class Opener(Adapter):
    """A function that opens a connection; each transaction calls it, and closes what it gives."""

    is_sync = is_async = True

    def __init__(self, function: Callable[[], Any]) -> None:
        """Take the function. What it gives is looked at when it is called."""
        self._open = function
        self.place = f"the database that {getattr(function, '__qualname__', function)!s} opens"

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a connection, and begin a transaction."""
        connection = self._open()
        with ExitStack() as stack:
            if hasattr(connection, "close"):
                stack.enter_context(closing(connection))
            yield stack.enter_context(_transaction(connection))

    @asynccontextmanager
    async def abegin(self) -> AsyncIterator[AsyncTransaction]:
        """Open a connection, and begin a transaction."""
        connection = self._open()
        if isawaitable(connection):
            connection = await connection
        if not is_made_by(connection, "psycopg", "AsyncConnection"):
            raise _wrong(connection, "async ", "psycopg.AsyncConnection")
        from longterm.database._psycopg import atransaction

        try:
            async with atransaction(connection) as begun:
                yield begun
        finally:
            await connection.close()


def _transaction(connection: Any) -> Any:
    if is_made_by(connection, "sqlite3", "Connection"):
        from longterm.database import _sqlite

        return _sqlite.transaction(connection)
    if is_made_by(connection, "psycopg", "Connection"):
        from longterm.database import _psycopg

        return _psycopg.transaction(connection)
    raise _wrong(connection, "", "sqlite3.Connection or psycopg.Connection")


def _wrong(connection: object, kind: str, wanted: str) -> WrongConnection:
    return WrongConnection(
        f"the function that opens connections gave a {type(connection).__name__}, and a plain "
        f"{kind}function needs a {wanted} (give a Database a function that returns one)"
    )
