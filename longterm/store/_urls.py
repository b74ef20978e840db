"""URLs of stores in messages: a URL in, what may be shown of it out."""

from __future__ import annotations

import re
from typing import Final

_SCHEME: Final = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_CREDENTIALS: Final = r"(?s)^([A-Za-z][A-Za-z0-9+.-]*://)?.*@"
_PASSWORD: Final = r"(password=)[^&\s]*"
_PLAIN: Final = r"[\w./\\ -]*"


def without_password(url: str) -> str:
    """Return a URL without its user and passwords: all before the last `@`, to be sure."""
    return re.sub(_PASSWORD, r"\1…", re.sub(_CREDENTIALS, r"\1…@", url))


def scheme_of(url: str) -> str:
    """Name a URL that is of no store: its scheme, or what looks like a path and nothing else."""
    if found := re.match(_SCHEME, url):
        return f"{found[1]}://…"
    return repr(url) if re.fullmatch(_PLAIN, url) else "that was given"


def is_address(path: str) -> bool:
    """Tell whether a path looks like the rest of a URL, `user:password@host/…`."""
    return re.match(r"[^/\\]*:[^/\\]*@", path) is not None
