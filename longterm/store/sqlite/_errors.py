"""What SQLite's errors mean to a user: an exception of `sqlite3` in, a StoreError out.

Never raises; whoever caught the error raises what it gets.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from longterm.errors import StoreError

_MEANINGS: Final = {
    sqlite3.SQLITE_PERM: (
        "this user may not touch the file",
        "give it permission to read and write the file and its folder",
    ),
    sqlite3.SQLITE_READONLY: (
        "the file or its folder is read-only for this user",
        "give it permission to write both, and the -wal and -shm files beside it, or name a file "
        "elsewhere",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk failed to read or write",
        "check the disk, its free space and the system's log",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged",
        "restore a backup, or save what can be read with `sqlite3 FILE .recover`",
    ),
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "free some space and try again",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened",
        "check that its folder exists and that this user may write there",
    ),
    sqlite3.SQLITE_NOTADB: (
        "the file is not an SQLite database",
        "name another file; this one was left as it is",
    ),
    sqlite3.SQLITE_TOOBIG: (
        "the run is larger than SQLite can hold in one row",
        "keep large values elsewhere and store their address",
    ),
}

_BUSY_CODES: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection was in the way, so that the same step may be tried again."""
    return _primary_code(error) in _BUSY_CODES


def as_store_error(error: Exception, operation: str, busy_seconds: float) -> StoreError:
    """Say in the user's words what failed, why, and what to do.

    Args:
        error: what `sqlite3` raised.
        operation: the step that failed, such as `save run 'r1' in /srv/runs.db`.
        busy_seconds: how long the step waited for other users of the file.
    """
    if isinstance(error, UnicodeEncodeError):
        return StoreError(
            f"cannot {operation}: {error.object!r} is not valid Unicode (leave out lone surrogates)"
        )
    if isinstance(error, InterruptedError):
        return StoreError(
            f"cannot {operation}: this process was interrupted after the step was taken, so a "
            "power failure may undo it (get_run shows how the run stands)"
        )
    if isinstance(error, OSError):
        return StoreError(
            f"cannot {operation}: the disk failed ({error.strerror}) after the step was taken, so "
            "a power failure may undo it (check the disk; get_run shows how the run stands)"
        )
    if isinstance(error, sqlite3.Error) and is_busy(error):
        return StoreError(
            f"cannot {operation}: another process has held the file for {busy_seconds:g} seconds "
            "(end the process that keeps a transaction open, or allow more `busy_seconds`)"
        )
    # What SQLite says of damage may quote it, and then Python cannot read what it says.
    is_garbled = isinstance(error, UnicodeDecodeError)
    meaning = _MEANINGS.get(sqlite3.SQLITE_CORRUPT if is_garbled else _primary_code(error))
    if meaning is None:
        return StoreError(f"cannot {operation}: {error} (the cause above is SQLite's own)")
    cause, way_out = meaning
    return StoreError(f"cannot {operation}: {cause} ({way_out})")


def _primary_code(error: Exception) -> int:
    """Return SQLite's primary result code, without the detail in its upper bytes; 0 if none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
