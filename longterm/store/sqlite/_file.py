"""One SQLite file of runs: a path in, a connection out, the schema made or checked first.

Never touches a file that is not longterm's, or that a newer longterm wrote.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic, sleep
from typing import Final, TypeVar

from longterm.errors import StoreError
from longterm.store._rows import MIGRATIONS
from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._errors import as_store_error, is_busy

APPLICATION_ID: Final = int.from_bytes(b"long", "big")
"""Marks the file as longterm's in its header, where `file` and SQLite find it."""

_OLDEST_SQLITE: Final = (3, 37)
_RETRY_SECONDS: Final = 0.005

_T = TypeVar("_T")


class SQLiteFile:
    """Where the runs are, and how each connection to them behaves."""

    def __init__(self, path: str, synchronous: str, busy_seconds: float) -> None:
        """Describe a file; nothing is opened.

        Args:
            path: where it is.
            synchronous: FULL, if a save is to reach the disk before it returns; NORMAL, if it may
                be lost with the power.
            busy_seconds: how long a step waits for other users of the file before it gives up.
        """
        self.path = path
        self.syncs: Final = synchronous == "FULL"
        self.busy_seconds = busy_seconds

    def connect(self) -> Connection:
        """Open a connection, creating the file and its schema if there are none.

        Raises:
            StoreError: the file cannot be opened, or is not one of this longterm's.
        """
        self._check_place()
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=self.busy_seconds,
                isolation_level=None,
                check_same_thread=False,
                factory=Connection,
            )
        except sqlite3.Error as error:
            raise self.error(error, f"open {self.path}") from error
        try:
            # The schema comes first: until it is checked, nothing may be written to the file.
            self.take(
                lambda opened: _ensure_schema(opened, self.path), connection, f"open {self.path}"
            )
            self.take(_set_up, connection, f"open {self.path}")
            connection.let_see()
            connection.note_files(self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def version(self) -> int:
        """Return how many migrations the file has had, 0 if there is none; changes nothing.

        Raises:
            StoreError: the file cannot be read, or is not one of this longterm's.
        """
        from pathlib import Path

        self._check_place()
        if not os.path.exists(self.path):
            return 0
        operation = f"open {self.path}"
        try:
            connection = sqlite3.connect(
                f"{Path(self.path).as_uri()}?mode=ro", uri=True, factory=Connection
            )
        except sqlite3.Error as error:
            raise self.error(error, operation) from error
        with closing(connection):
            return self.take(
                lambda opened: schema_version(opened, self.path), connection, operation
            )

    def take(
        self,
        step: Callable[[Connection], _T],
        connection: Connection,
        operation: str,
    ) -> _T:
        """Take a step that is atomic in itself, again and again while others are in its way.

        Raises:
            StoreError: it failed, or others were in its way for too long.
        """
        try:
            return self.with_retry(step, connection)
        except (sqlite3.Error, UnicodeError) as error:
            raise self.error(error, operation) from error

    def with_retry(self, step: Callable[[Connection], _T], connection: Connection) -> _T:
        """Take a step like `take`, and let SQLite's own errors out.

        SQLite waits by itself in most cases. It gives up at once where waiting could be a deadlock
        for a longer transaction, such as when the journal is changed or recovered.
        """
        deadline = monotonic() + self.busy_seconds
        while True:
            try:
                return step(connection)
            except sqlite3.Error as error:
                if not is_busy(error) or monotonic() > deadline:
                    raise
            sleep(_RETRY_SECONDS)

    def error(self, error: Exception, operation: str) -> StoreError:
        """Say what failed in the user's words."""
        return as_store_error(error, operation, self.busy_seconds)

    def disk_failed(self, error: OSError) -> StoreError:
        """Say that nothing more is written, since the disk failed at an earlier step."""
        return StoreError(
            f"nothing more is written to {self.path}: the disk failed before ({error.strerror}), "
            "and may have lost what was written then (check the disk, and open the store again)"
        )

    def _check_place(self) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                f"cannot open {self.path}: this Python has SQLite {sqlite3.sqlite_version}, and "
                "3.37 is needed (use a newer Python, or one that is linked to a newer SQLite)"
            )
        if os.path.isdir(self.path):
            raise StoreError(
                f"cannot open {self.path}: it is a folder (name a file in it, such as "
                f"{os.path.join(self.path, 'runs.db')})"
            )
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            raise StoreError(
                f"cannot open {self.path}: the folder {folder} does not exist "
                "(create it, or correct the path)"
            )


def _ensure_schema(connection: Connection, path: str) -> None:
    """Make the schema in a new file, bring an older one up to date, refuse any other."""
    is_old = schema_version(connection, path) < len(MIGRATIONS)
    # A copy made by `VACUUM INTO` has another journal.
    _use_write_ahead_log(connection, path)
    if is_old:
        _migrate(connection, path)


def _set_up(connection: Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    # As SQLite does unless it is built otherwise, as Debian's is: there a large stack that changes
    # would be written twice, the old one as zeros (https://www.sqlite.org/pragma.html#pragma_secure_delete).
    connection.execute("PRAGMA secure_delete = FAST")


def schema_version(connection: Connection, path: str) -> int:
    """Return how many migrations the file has had, 0 if it is new.

    One statement, so that a file that another process is just creating is seen whole.
    """
    ((application_id, version, tables),) = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id),"
        " (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)"
    ).fetchall()
    is_new = application_id == 0 and version == 0 and tables == 0
    if application_id != APPLICATION_ID and not is_new:
        raise StoreError(
            f"cannot open {path}: the database belongs to another application "
            "(name another file; this one was left as it is)"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"cannot open {path}: its schema has version {version}, and this longterm knows "
            f"versions up to {len(MIGRATIONS)} (upgrade longterm; the file was left as it is)"
        )
    return int(version)


def _use_write_ahead_log(connection: Connection, path: str) -> None:
    """Let readers and a writer work side by side; the file keeps the setting."""
    ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise StoreError(
            f"cannot open {path}: no write-ahead log is possible there "
            "(use a file on a local disk, not on a network share)"
        )


def _migrate(connection: Connection, path: str) -> None:
    """Apply the migrations that the file has not had, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the file.
        for statement in _steps(schema_version(connection, path)):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def schema_sql(from_version: int) -> str:
    """Return the SQL that brings a file from a version to this longterm's, 0 being a new file.

    If the file is up to date, nothing is returned.
    """
    if from_version == len(MIGRATIONS):
        return ""
    return "".join(
        ["PRAGMA journal_mode = WAL;\nBEGIN IMMEDIATE;\n", *_steps(from_version), "COMMIT;\n"]
    )


def _steps(version: int) -> Iterator[str]:
    """Yield what is to be executed in one transaction, from a version on.

    `executescript` would not do: it commits the open transaction before it begins.
    """
    from importlib.resources import files

    for name in MIGRATIONS[version:]:
        script = (files("longterm.store.sqlite") / "sql" / name).read_text(encoding="utf-8")
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
    yield f"PRAGMA application_id = {APPLICATION_ID};\n"
    yield f"PRAGMA user_version = {len(MIGRATIONS)};\n"
