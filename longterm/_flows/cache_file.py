"""Files whose content will run as code: read only if nobody else can have written them.

What is here is what OpenSSH asks of a key file (`StrictModes` in sshd_config(5)), for one file: no
link in its place, a trusted owner, and nobody else who may write it. Those who may already choose
what this process runs are trusted: its own user, the owner of the source file, and root.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

_OTHERS_WRITE: Final = 0o022
_MODE: Final = 0o644
# Windows has no owners in numbers and no such flags; its folders of users are closed to others.
_HAS_OWNERS: Final = hasattr(os, "geteuid")
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
# A pipe in the place of the file would hold whoever opens it.
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


def read_trusted(path: str, source_path: str) -> bytes | None:
    """Return the content of a file that only trusted users can have written, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | _NO_WAIT | _BINARY)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        try:
            return file.read() if _is_trusted(os.fstat(descriptor), source_path) else None
        except OSError:
            return None


def replace_trusted(path: str, content: bytes, source_path: str) -> None:
    """Put a file into place as a whole, through no link that somebody else planted.

    Raises:
        OSError: it cannot be written there.
    """
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    _refuse_planted_links(folder, source_path)
    aside = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    # O_EXCL follows no link and takes no file that is there already.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
    try:
        with open(os.open(aside, flags, _MODE), "wb") as file:
            file.write(content)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):  # it was never made
            os.unlink(aside)
        raise


def _is_trusted(status: os.stat_result, source_path: str) -> bool:
    import stat

    if not stat.S_ISREG(status.st_mode):
        return False
    if not _HAS_OWNERS:
        return True
    return not status.st_mode & _OTHERS_WRITE and status.st_uid in _trusted_owners(source_path)


def _trusted_owners(source_path: str) -> set[int]:
    owners = {0, os.geteuid()}
    with suppress(OSError):  # a module in a zip file, or a cell of a notebook, has no owner
        owners.add(os.stat(source_path).st_uid)
    return owners


def _refuse_planted_links(folder: str, source_path: str) -> None:
    """Refuse a folder that is reached through a link of a user who is not trusted."""
    if not _HAS_OWNERS:
        return
    owners = _trusted_owners(source_path)
    place = os.path.abspath(folder)
    while place != os.path.dirname(place):
        if os.path.islink(place) and os.lstat(place).st_uid not in owners:
            raise PermissionError(
                f"{place} is a link that belongs to another user "
                "(remove it, or set LONGTERM_CACHE to a folder of your own)"
            )
        place = os.path.dirname(place)
