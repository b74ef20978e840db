"""URLs of stores in messages: a URL in, what may be shown of it out."""

from __future__ import annotations

import re
from typing import Final

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CREDENTIALS: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)
_PASSWORD: Final = re.compile(r"(password=)[^&\s]*")
_PLAIN: Final = re.compile(r"[\w./\\ -]*")


def without_password(url: str) -> str:
    """Return a URL without its user and passwords: all before the last `@`, to be sure."""
    return _PASSWORD.sub(r"\1…", _CREDENTIALS.sub(r"\1…@", url))


def scheme_of(url: str) -> str:
    """Name a URL that is of no store: its scheme, or what looks like a path and nothing else."""
    if found := _SCHEME.match(url):
        return f"{found[1]}://…"
    return repr(url) if _PLAIN.fullmatch(url) else "that was given"


def is_address(path: str) -> bool:
    """Tell whether a path looks like the rest of a URL, `user:password@host/…`."""
    return re.match(r"[^/\\]*:[^/\\]*@", path) is not None
