"""The write-ahead log of one SQLite file: to the disk with all that is in it.

With `synchronous = NORMAL` SQLite appends a transaction to the log and is done; with `FULL` it also
has the log written to the disk, and keeps every other writer waiting meanwhile. Here that second
half stands alone.
"""

from __future__ import annotations

import os
import sys
import weakref

from longterm.store.sqlite._connection import File


class Log:
    """The log that a connection writes to, open from before its first write.

    Linux tells each descriptor that was open when a write to the disk failed, once; one that is
    opened later hears nothing of it (`errseq_t`, since 4.13). SQLite itself passes over such an
    error at a checkpoint, so a descriptor of our own must be there to be told.
    """

    def __init__(self, database: str) -> None:
        """Open the log of a database.

        Raises:
            OSError: there is none, or it cannot be opened.
        """
        self._descriptor = os.open(f"{database}-wal", os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        self.file = File(status.st_dev, status.st_ino)

    def sync(self) -> None:
        """Return when all that is in the log now is on the disk.

        Raises:
            OSError: the disk failed, now or at any time since the log was opened.
        """
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)  # others stop at the disk's own cache
        elif sys.platform == "win32":
            os.fsync(self._descriptor)
        else:
            os.fdatasync(self._descriptor)
