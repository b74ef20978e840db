"""The compile cache: what the compiler made of a module's flows, in a file beside its byte code.

A cache file is complete and valid or it is not used: it is written aside and moved into place, and
it carries the digest of the source text, of the compiler and of its own content. Whatever goes
wrong with it, the flows are compiled as if it were not there.

The environment variable `LONGTERM_CACHE` moves it (a folder) or turns it off (`off`). Like byte
code it is not written under `python -B`.
"""

from __future__ import annotations

import atexit
import hashlib
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER, find_spec
from typing import Any, Final

from longterm._abi import ABI_VERSION

_MAGIC: Final = b"longterm cache 1\n"
_DIGEST: Final = 32
# Version 2 of marshal has no back references, so that the same input gives the same bytes.
_MARSHAL: Final = 2


class ModuleCache:
    """The compiled flows of one source text, read from a file and written back to it."""

    def __init__(self, source_path: str, text: bytes) -> None:
        """Read what is there for this text."""
        self.text = text
        self._path = cache_path(source_path)
        self._key = hashlib.sha256(compiler_fingerprint() + text).digest()
        self._entries: dict[str, dict[str, Any]] = self._read()
        self._unwritten = 0
        self._written = len(self._entries)

    def get(self, name: str) -> dict[str, Any] | None:
        """Return the entry of a name; its values are whatever `put` was given."""
        return self._entries.get(name)

    def names(self) -> list[str]:
        """Return the names of all entries, in the order in which they were put."""
        return list(self._entries)

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Keep an entry. It is written when as many are waiting as are written, or at the exit."""
        self._entries[name] = entry
        self._unwritten += 1
        if self._unwritten == 1:
            atexit.register(self.write)
        if self._unwritten >= self._written:
            self.write()

    def write(self) -> None:
        """Write the file, if anything is new and writing is allowed."""
        if not self._unwritten or self._path is None or sys.dont_write_bytecode:
            return
        payload = marshal.dumps(self._entries, _MARSHAL)
        content = _MAGIC + self._key + hashlib.sha256(payload).digest() + payload
        if _replace(self._path, content):
            self._written, self._unwritten = len(self._entries), 0

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None:
            return {}
        try:
            with open(self._path, "rb") as file:
                content = file.read()
        except OSError:
            return {}
        start = len(_MAGIC)
        key, digest = (
            content[start : start + _DIGEST],
            content[start + _DIGEST : start + 2 * _DIGEST],
        )
        payload = content[start + 2 * _DIGEST :]
        if content[:start] != _MAGIC or key != self._key:
            return {}
        if hashlib.sha256(payload).digest() != digest:
            return {}
        entries: dict[str, dict[str, Any]] = marshal.loads(payload)
        return entries


def cache_path(source_path: str) -> str | None:
    """Return the cache file of a source file, or None if there shall be none."""
    place = os.environ.get("LONGTERM_CACHE", "")
    if place.lower() in ("off", "0", "no", "false"):
        return None
    folder, name = os.path.split(os.path.abspath(source_path))
    stem = name.removesuffix(".py")
    file = f"{stem}.{sys.implementation.cache_tag}.longterm"
    if place or sys.pycache_prefix:
        inside = os.path.splitdrive(folder)[1].lstrip(os.sep)
        return os.path.join(place or sys.pycache_prefix or "", inside, file)
    return os.path.join(folder, "__pycache__", file)


_fingerprint: bytes | None = None


def compiler_fingerprint() -> bytes:
    """Return what tells this compiler and this Python from others, the compiler not imported."""
    global _fingerprint
    if _fingerprint is None:
        digest = hashlib.sha256(MAGIC_NUMBER + bytes([ABI_VERSION]) + sys.version.encode())
        spec = find_spec("longterm_compiler")
        for folder in (spec.submodule_search_locations if spec else None) or ():
            for place, folders, files in os.walk(folder):
                folders.sort()
                for each in sorted(files):
                    if each.endswith(".py"):
                        status = os.stat(os.path.join(place, each))
                        digest.update(f"{each} {status.st_size} {status.st_mtime_ns}\n".encode())
        _fingerprint = digest.digest()
    return _fingerprint


def _replace(path: str, content: bytes) -> bool:
    """Put a file into place as a whole; a folder that cannot be written is no error."""
    aside = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(aside, "wb") as file:
            file.write(content)
        os.replace(aside, path)
    except OSError:
        return False
    return True
