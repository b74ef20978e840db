"""The write-ahead log of one SQLite file: to the disk with all that is in it.

With `synchronous = NORMAL` SQLite appends a transaction to the log and is done; with `FULL` it also
has the log written to the disk, and keeps every other writer waiting meanwhile. Here that second
half stands alone.
"""

from __future__ import annotations

import os
import sys


def sync_log(database: str) -> None:
    """Return when all that is in the log of a database now is on the disk.

    Raises:
        OSError: the disk failed.
    """
    # A descriptor of its own each time: the next log is another file.
    try:
        descriptor = os.open(f"{database}-wal", os.O_RDWR)
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
