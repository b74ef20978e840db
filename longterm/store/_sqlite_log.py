"""The write-ahead log of one SQLite file, and when what is in it has reached the disk.

With `synchronous = NORMAL` SQLite appends a transaction to the log and is done; with `FULL` it also
has the log written to the disk, and keeps every other writer waiting meanwhile. Here that second
half stands alone: it holds nobody up, and all whose transactions are in the log share it.
"""

from __future__ import annotations

import os
import sys
import threading


class Log:
    """The log beside a file."""

    def __init__(self, database: str) -> None:
        """Look after the log of a database in a file."""
        self._path = f"{database}-wal"
        self._syncing = threading.Lock()
        self._begun = 0

    def sync(self) -> None:
        """Return when all that is in the log now is on the disk.

        Raises:
            OSError: the disk failed.
        """
        begun = self._begun
        with self._syncing:
            # One that began after this call has ended, since the lock is free: it did for both.
            if self._begun == begun:
                self._begun += 1
                _sync(self._path)


def _sync(path: str) -> None:
    # A descriptor of its own each time: the next log is another file.
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        # The last connection was closed, and SQLite has taken the log into the file, on the disk.
        return
    try:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # others stop at the disk's own cache
        elif sys.platform == "win32":
            os.fsync(descriptor)
        else:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
