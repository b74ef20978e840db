"""Databases in an SQLite file, by connections of `sqlite3`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from shlex import quote
from typing import Final

from longterm.database._adapter import Adapter, Rows, Transaction, ended_by_function

_BUSY_SECONDS: Final = 10.0
"""How long a step waits for others who write to the file, before it is tried again."""


class SQLiteFile(Adapter):
    """A file; each transaction opens it."""

    is_sync = True

    def __init__(self, path: str) -> None:
        """Take the path of the file, which may not be there yet."""
        self._path = os.path.abspath(path)
        self.place, self.url = self._path, quote(f"sqlite:///{self._path}")

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open the file, and begin a transaction."""
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        with closing(connection), transaction(connection) as begun:
            yield begun


class SQLiteTransaction:
    """A transaction of a connection."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection that is in a transaction."""
        self.tx = connection

    def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement; its rows are tuples, whatever is set for theirs."""
        return sqlite3.Cursor(self.tx).execute(statement, parameters).fetchall()

    def check_open(self) -> None:
        """Make sure that the transaction is open, by the savepoint that it began with."""
        try:
            self.execute("RELEASE longterm")
        except sqlite3.OperationalError as error:
            raise ended_by_function() from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[Transaction]:
    """Begin a transaction, and end it.

    It takes the file's write lock at once: a transaction that begins by reading cannot always take
    it later (https://www.sqlite.org/lang_transaction.html).
    """
    begun = SQLiteTransaction(connection)
    if not connection.in_transaction:  # from Python 3.12 on, `autocommit=False` begins by itself
        begun.execute("BEGIN IMMEDIATE")
    try:
        begun.execute("SAVEPOINT longterm")
        yield begun
        begun.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors end it
            begun.execute("ROLLBACK")
        raise
