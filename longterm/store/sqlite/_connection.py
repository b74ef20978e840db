"""One connection to a SQLite file, which knows the files that it has open.

SQLite goes on with a file that was moved or deleted under it, and says nothing: what it writes is
then where nobody looks for it. So a connection notes which files stood at its paths when it was
opened, and can tell later whether they still do.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

_T = TypeVar("_T")

SEEN: Final = "longterm_seen"
"""The function in statements that notes its arguments, and returns NULL."""


class File(NamedTuple):
    """What makes a file the same one, whatever it is called."""

    device: int
    inode: int


class Connection(sqlite3.Connection):
    """A connection that can be referred to weakly, and that ends in silence."""

    path = _log_path = ""
    is_closed = False
    files: tuple[File | None, File | None] = (None, None)
    """The database and its log, as they were when this was opened."""
    _seen: Exception

    def let_see(self) -> None:
        """Let statements show values to a function, for `changed_one`."""
        # A method of C that keeps its arguments. In a function of ours a signal could be handled,
        # and SQLite would swallow its exception.
        self._seen = Exception()
        self.create_function(SEEN, -1, self._seen.__init__)  # type: ignore[misc]

    def changed_one(self, statement: str, parameters: tuple[object, ...]) -> tuple[Any, ...]:
        """Return what a statement has shown of the one row that it changed, as it was before.

        Nothing if it has changed none, or if a text in that row is none.
        """
        try:
            # Only what was changed counts: a statement that failed may have shown something too.
            if not self.execute(statement, parameters).rowcount:
                return ()
        except sqlite3.OperationalError as error:
            if not str(error).startswith("user-defined function"):
                raise
            return ()
        seen, self._seen.args = self._seen.args, ()
        return seen

    def ask(self, statement: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that changes nothing, also where a text in them is none.

        Such a text comes as bytes.
        """
        try:
            return self.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if not is_undecodable(error):
                raise
        return self.ask_leniently(statement, parameters)

    def ask_leniently(
        self, statement: str, parameters: tuple[object, ...]
    ) -> list[tuple[Any, ...]]:
        """Return rows like `ask`; takes longer, and asks once in any case."""
        self.text_factory = _text_or_bytes
        try:
            return self.execute(statement, parameters).fetchall()
        finally:
            self.text_factory = str

    def close(self) -> None:
        """Close it, and remember that."""
        super().close()
        self.is_closed = True

    def note_files(self, path: str) -> None:
        """Remember which files are open, once SQLite has opened both."""
        self.path, self._log_path = path, f"{path}-wal"
        self.files = file_at(path), file_at(self._log_path)

    @property
    def is_moved(self) -> bool:
        """Whether a path names another file by now, or none."""
        database, log = self.files
        return not (_stands_at(self.path, database) and _stands_at(self._log_path, log))

    def __del__(self) -> None:
        """Close without a warning: only a step that a signal interrupted forgets to."""
        with suppress(sqlite3.ProgrammingError):  # it could not be opened
            self.close()


def is_undecodable(error: sqlite3.Error) -> bool:
    """Whether what was asked has been done, and a text in its answer is no UTF-8."""
    return str(error).startswith("Could not decode")


def whole(action: Callable[[Connection], _T]) -> Callable[[Connection], _T]:
    """Have an action of several changes done whole or not at all."""

    def act(connection: Connection) -> _T:
        if connection.in_transaction:
            return action(connection)
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            return action(connection)

    return act


def _text_or_bytes(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def file_at(path: str) -> File | None:
    """Return the file at a path, None if there is none to be seen.

    By its name: to open and close a database here would end SQLite's locks on it, which are the
    process's (POSIX `fcntl`; see "How To Corrupt An SQLite Database File", 2.2).
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return File(found.st_dev, found.st_ino)


def _stands_at(path: str, noted: File | None) -> bool:
    """Tell whether a path still names the file that was noted there. Asked at each save."""
    if noted is None:  # who may only read the database need not have a log
        return True
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_ino == noted.inode and found.st_dev == noted.device
