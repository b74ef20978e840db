"""The store in one SQLite file, within a transaction of somebody else's connection to that file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from longterm.errors import StoreError, WrongConnection
from longterm.store._rows import MIGRATIONS, Rows
from longterm.store._unreadable import Unreadable
from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._file import SQLiteFile, schema_version
from longterm.store.sqlite._store import SQLiteStore, fail
from longterm.store.sqlite._writer import Writer

_T = TypeVar("_T")


class SQLiteWithin(SQLiteStore):
    """A view of a store, whose steps are part of a transaction."""

    def __init__(self, store: SQLiteStore, theirs: object) -> None:
        """Check that a connection is to the file of a store.

        Raises:
            WrongConnection: it is none of `sqlite3`, or to another file.
            StoreError: the file has no tables of this longterm's.
        """
        if not isinstance(theirs, sqlite3.Connection):
            raise WrongConnection(
                f"{type(theirs).__name__} is no connection to a SQLite file (give a "
                "sqlite3.Connection, or the connection of SQLAlchemy or Django over one)"
            )
        self.path, self._file, self._waits = store.path, store._file, store._waits
        self._writer = cast(Writer, _Steps(theirs, store._file))
        self._unreadable = Unreadable(Rows(has_types=False), partial(fail, self._writer))

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        return self._writer.write(lambda theirs: theirs.ask(statement, parameters), operation)


class _Steps:
    """Takes the steps that a `Writer` would take, in a transaction that somebody else ends."""

    def __init__(self, theirs: sqlite3.Connection, file: SQLiteFile) -> None:
        self._theirs = theirs
        self._file = file
        self._ours = cast(Connection, _View(theirs))
        self._check_file()

    def write(
        self, action: Callable[[Connection], _T], operation: str, *, is_durable: bool = True
    ) -> _T:
        """Take a step; one that raises has changed nothing."""
        _must_have_begun(self._theirs)
        text_factory = self._theirs.text_factory
        try:
            self._theirs.text_factory = str
            return self._in_savepoint(action)
        except (sqlite3.Error, UnicodeError) as error:
            raise self._file.error(error, f"{operation} in {self._file.path}") from error
        finally:
            self._theirs.text_factory = text_factory

    def _in_savepoint(self, action: Callable[[Connection], _T]) -> _T:
        ours = self._ours
        ours.execute("SAVEPOINT longterm")
        try:
            result = action(ours)
        except BaseException:
            if self._theirs.in_transaction:  # some errors end it
                ours.execute("ROLLBACK TO longterm")
                ours.execute("RELEASE longterm")
            raise
        ours.execute("RELEASE longterm")
        return result

    def _check_file(self) -> None:
        path = self._file.path
        files = {
            os.fsdecode(name): os.fsdecode(file or "")
            for _, name, file in self._ours.execute("PRAGMA database_list").fetchall()
        }
        if not files["main"] or os.path.realpath(files["main"]) != path:
            raise WrongConnection(
                f"the connection is to {files['main'] or 'a database in memory'}, and the runs are "
                f"in {path} (connect to that file, or use a store in the other)"
            )
        if schema_version(self._ours, path) < len(MIGRATIONS):
            raise StoreError(
                f"{path} has no tables of this longterm yet, and they cannot be made in the middle "
                f"of a transaction (run `longterm --store sqlite:///{path} migrate` first)"
            )


class _View:
    """Our view of their connection: rows are tuples, whatever they have set for theirs."""

    in_transaction = True
    """So that a step of several changes begins none of its own; it is in a savepoint."""

    def __init__(self, theirs: sqlite3.Connection) -> None:
        self._theirs = theirs

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        return sqlite3.Cursor(self._theirs).execute(statement, parameters)

    def ask(self, statement: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self.execute(statement, parameters).fetchall()

    def changed_one(self, statement: str, parameters: tuple[object, ...]) -> tuple[Any, ...]:
        return ()  # there is no function of ours on their connection


def _must_have_begun(theirs: sqlite3.Connection) -> None:
    """Begin a transaction as the connection itself would before a statement that writes.

    See "Transaction control" in https://docs.python.org/3/library/sqlite3.html.
    """
    if theirs.in_transaction:
        return
    level = theirs.isolation_level
    if level is None or getattr(theirs, "autocommit", None) is True:  # `autocommit`: from 3.12 on
        raise WrongConnection(
            "the connection is in no transaction: it commits each statement by itself (execute "
            "BEGIN first)"
        )
    sqlite3.Cursor(theirs).execute(f"BEGIN {level}")
