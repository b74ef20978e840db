"""The compile cache: what the compiler made of a module's flows, in a file beside its byte code.

A cache file is complete and valid or it is not used: it is written aside and moved into place, and
it carries the digest of the source text, of the compiler and of its own content. Whatever goes
wrong with it, or if another user can have written it, the flows are compiled as if it were not
there. `longterm-compile --cache` writes the same files ahead of time.

The environment variable `LONGTERM_CACHE` moves it (a folder) or turns it off (`off`). Like byte
code it is not written under `python -B`, unless `LONGTERM_CACHE` names a folder.
"""

from __future__ import annotations

import atexit
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER, find_spec, source_hash
from types import CodeType
from typing import Any, Final, TypeAlias

from longterm._abi import ABI_VERSION
from longterm._flows.cache_file import read_trusted, replace_trusted

_MAGIC: Final = b"longterm cache 3\n"
# That of Python's own checked byte code: to import hashlib takes as long as all that is done here.
_DIGEST: Final = 8
# Version 2 of marshal has no back references, so that the same input gives the same bytes.
_MARSHAL: Final = 2


Entry: TypeAlias = dict[str, Any]
"""What is kept of a flow: its body, what its imported names were taken for, and resume bodies."""

ImportedName: TypeAlias = tuple[str, tuple[str, ...], str]
"""What an imported name was taken for: the module, the path in it, the verdict."""


def new_entry(flow: dict[str, Any], flags: int, verdicts: list[ImportedName]) -> Entry:
    """Return the entry of a flow; resume bodies are added when they are made.

    Args:
        flow: the compiler's data.
        flags: the `from __future__` imports that it was compiled under, as flags of code.
        verdicts: what imported names were taken for; the entry holds where they stand for the same.
    """
    return {"flow": flow, "flags": flags, "verdicts": verdicts, "resumes": {}}


def add_resume(entry: Entry, number: int, unbound: tuple[str, ...], data: dict[str, Any]) -> None:
    """Keep the resume body of a point, for frames in which some live names are unbound."""
    # In bytes, so that those that are not needed are not made when the file is read.
    entry["resumes"][_resume_key(number, unbound)] = _marshalled(data)


def resume_in(
    entry: Entry, number: int, unbound: tuple[str, ...], source_path: str
) -> dict[str, Any] | None:
    """Return what was kept of a resume body, or None."""
    kept = entry["resumes"].get(_resume_key(number, unbound))
    return None if kept is None else _placed(marshal.loads(kept), source_path)


def _placed(data: dict[str, Any], source_path: str) -> dict[str, Any]:
    """Let a body's code name the file where its source is now: a cache moves with its folder."""
    if data["code"].co_filename != source_path:
        data["code"] = _renamed(data["code"], source_path)
    return data


def _renamed(code: CodeType, path: str) -> CodeType:
    # What importlib does to byte code that has moved: `_fix_co_filename` in Python/import.c.
    constants = (_renamed(c, path) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=path, co_consts=tuple(constants))


def _resume_key(number: int, unbound: tuple[str, ...]) -> str:
    return " ".join((str(number), *unbound))


class ModuleCache:
    """The compiled flows of one source text, read from a file and written back to it."""

    def __init__(self, source_path: str, text: bytes) -> None:
        """Read what is there for this text."""
        self.text = text
        self._source_path = source_path
        self._path = cache_path(source_path)
        self._key = _key(text)
        self._entries: dict[str, Entry] = self._read()
        self._unwritten = 0
        self._written = len(self._entries)

    def get(self, name: str) -> Entry | None:
        """Return the entry of a name; its values are whatever `put` was given."""
        entry = self._entries.get(name)
        if entry is not None:
            _placed(entry["flow"], self._source_path)
        return entry

    def names(self) -> list[str]:
        """Return the names of all entries, in the order in which they were put."""
        return list(self._entries)

    def put(self, name: str, entry: Entry) -> None:
        """Keep an entry. It is written when as many are waiting as are written, or at the exit."""
        self._entries[name] = entry
        self._unwritten += 1
        if self._unwritten == 1:
            atexit.register(self.write)
        if self._unwritten >= self._written:
            self.write()

    def write(self) -> None:
        """Write the file, if anything is new and writing is allowed."""
        if not self._unwritten or self._path is None:
            return
        if sys.dont_write_bytecode and not _folder_setting():
            _tell_that_nothing_is_kept()
            return
        try:
            content = _content(self._key, self._entries)
            replace_trusted(self._path, content, self._source_path)
        except OSError:
            return  # a folder that cannot be written is no error
        self._written, self._unwritten = len(self._entries), 0

    def _read(self) -> dict[str, Entry]:
        content = self._path and read_trusted(self._path, self._source_path)
        if not content:
            return {}
        start = len(_MAGIC)
        key, digest = (
            content[start : start + _DIGEST],
            content[start + _DIGEST : start + 2 * _DIGEST],
        )
        payload = content[start + 2 * _DIGEST :]
        if content[:start] != _MAGIC or key != self._key:
            return {}
        if source_hash(payload) != digest:
            return {}
        entries: dict[str, Entry] = marshal.loads(payload)
        return entries


def write_cache(path: str, source_path: str, text: bytes, entries: dict[str, Entry]) -> None:
    """Write the whole cache file of a source text, also where byte code is not written.

    Raises:
        OSError: it cannot be written.
    """
    replace_trusted(path, _content(_key(text), entries), source_path)


def _key(text: bytes) -> bytes:
    # Under `-O` the compiler leaves out assertions, under `-OO` docstrings too.
    return source_hash(b"%s%d\n%s" % (compiler_fingerprint(), sys.flags.optimize, text))


def _content(key: bytes, entries: dict[str, Entry]) -> bytes:
    payload = _marshalled(entries)
    return _MAGIC + key + source_hash(payload) + payload


def _marshalled(data: dict[str, Any]) -> bytes:
    try:
        return marshal.dumps(data, _MARSHAL)
    except ValueError:
        # From 3.14 on the slice of `x[1:2]` is a constant of the code, for which 2 is too old. Such
        # a file's bytes depend on which flows were compiled in one process.
        return marshal.dumps(data, marshal.version)


def cache_path(source_path: str) -> str | None:
    """Return the cache file of a source file, or None if there shall be none."""
    place = _folder_setting()
    if place is None:
        return None
    folder, name = os.path.split(os.path.abspath(source_path))
    stem = name.removesuffix(".py")
    # As Python names its byte code (PEP 488).
    optimized = f".opt-{sys.flags.optimize}" if sys.flags.optimize else ""
    file = f"{stem}.{sys.implementation.cache_tag}{optimized}.longterm"
    if place or sys.pycache_prefix:
        inside = os.path.splitdrive(folder)[1].lstrip(os.sep)
        return os.path.join(place or sys.pycache_prefix or "", inside, file)
    return os.path.join(folder, "__pycache__", file)


def _folder_setting() -> str | None:
    """Return the folder that `LONGTERM_CACHE` names, "" if it names none, None if it says off."""
    place = os.environ.get("LONGTERM_CACHE", "")
    return None if place.lower() in ("off", "0", "no", "false") else place


_has_told = False


def _tell_that_nothing_is_kept() -> None:
    """Say once in a process why flows are compiled again at each start."""
    global _has_told
    if not _has_told:
        _has_told = True
        import logging

        # For the logs of a service; a script's terminal is not the place for it.
        logging.getLogger("longterm").info(
            "flows are compiled at each start, since Python writes no byte code here (-B or "
            "PYTHONDONTWRITEBYTECODE): set LONGTERM_CACHE to a folder, or run "
            "longterm-compile --cache ahead of time"
        )


_fingerprint: bytes | None = None


def compiler_fingerprint() -> bytes:
    """Return what tells this compiler and this Python from others, the compiler not imported.

    Times count in whole seconds: layers of container images keep no more of them.
    """
    global _fingerprint
    if _fingerprint is None:
        found = [f"{ABI_VERSION} {sys.version}\n".encode(), MAGIC_NUMBER]
        spec = find_spec("longterm_compiler")
        for folder in (spec.submodule_search_locations if spec else None) or ():
            for place, folders, files in os.walk(folder):
                folders.sort()
                for file in sorted(files):
                    if file.endswith(".py"):
                        status = os.stat(os.path.join(place, file))
                        found.append(f"{file} {status.st_size} {int(status.st_mtime)}\n".encode())
        _fingerprint = source_hash(b"".join(found))
    return _fingerprint
