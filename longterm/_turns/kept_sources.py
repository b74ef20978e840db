"""The source of the versions that runs wait in, kept in the store: once a process and version.

Most turns leave their run in versions that are known to be kept, and ask no store.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from longterm._codec import decode, encode
from longterm._flows.registry import flow_named
from longterm._signals import is_of_signal
from longterm.errors import CorruptData, LongtermError
from longterm.frame import Frame
from longterm.store.base import RunStore
from longterm.store.versions import Versions

if TYPE_CHECKING:
    from longterm._codec.seal import Context
    from longterm._flows.sources import Source

_log = logging.getLogger("longterm")
_LARGEST: Final = 16 * 2**20
"""How many bytes the text of a file may have, to be kept and to be read."""


class KeptSources:
    """Keeps the sources of versions in one store."""

    def __init__(self, store: RunStore) -> None:
        """Keep them in a store that can."""
        self._store = store if isinstance(store, Versions) else None
        self._known: set[tuple[str, str]] = set()

    def keep(self, frames: list[Frame]) -> None:
        """Keep the source of each frame's flow, unless it is known to be kept.

        What goes wrong is logged, and not tried again in this process: the run is saved already,
        and does not need it.
        """
        if self._store is None:
            return
        for frame in frames:
            version = frame.flow, frame.version
            if version not in self._known:
                self._known.add(version)
                self._try_to_keep(self._store, *version)

    def _try_to_keep(self, store: Versions, flow: str, version: str) -> None:
        from longterm._flows.sources import source_of, version_name  # once for many turns

        name = version_name(flow, version)
        try:
            found = flow_named(flow)
            if found.version == version and store.find_version(name) is None:
                source = source_of(found)
                if source is not None and len(source.text) <= _LARGEST:
                    store.keep_version(name, encoded(source))
        except Exception as error:
            if is_of_signal(error):
                raise
            _log.warning("the source of %s could not be kept (%s)", name, type(error).__name__)


def find_source(store: RunStore, flow: str, version: str) -> Source | None:
    """Return the source of a version of a flow; None if the store does not keep it.

    Raises:
        CorruptData: what is kept is damaged, or the key or the payload codec is missing.
        StoreError: the store cannot be read.
    """
    from longterm._flows.sources import version_name

    if not isinstance(store, Versions):
        return None
    name = version_name(flow, version)
    kept = store.find_version(name)
    return None if kept is None else decoded(name, kept)


class OldLines:
    """The lines that runs wait in, as their versions had them."""

    def __init__(self, store: RunStore) -> None:
        """Look for them in a store."""
        self._store = store
        self._found: dict[tuple[str, str], Source | None] = {}

    def __call__(self, flow: str, version: str, point: int) -> str:
        """Return the line of a point; empty if it is not kept, or cannot be read."""
        source = self.source(flow, version)
        return "" if source is None else source.line_of(point)

    def source(self, flow: str, version: str) -> Source | None:
        """Return the source of a version; None if it is not kept, or cannot be read (logged)."""
        key = flow, version
        if key not in self._found:
            try:
                self._found[key] = find_source(self._store, flow, version)
            except LongtermError as error:
                _log.warning("the source of %s cannot be read: %s", "@".join(key), error)
                self._found[key] = None
        return self._found[key]


def encoded(source: Source) -> bytes:
    """Return a source as a store keeps it."""
    import zlib

    said = asdict(source)
    said["text"] = zlib.compress(source.text.encode("utf-8", "surrogatepass"))
    said["lines"] = list(source.lines.items())
    said["verdicts"] = [(name, path, str(verdict)) for name, path, verdict in source.verdicts]
    return encode(said, context_of_version(source.name))


def decoded(name: str, kept: bytes) -> Source:
    """Return a source that a store keeps under a name.

    Raises:
        CorruptData: it is damaged, or the key or the payload codec is missing.
    """
    import zlib

    from longterm._flows.sources import Source

    try:
        said: dict[str, Any] = decode(kept, context_of_version(name))
        # One that is kept for ever may lack what a later longterm adds, or have more.
        known = {field.name: said[field.name] for field in fields(Source) if field.name in said}
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(known["text"], 4 * _LARGEST).decode("utf-8", "surrogatepass")
        verdicts = tuple(known.get("verdicts", ()))
        lines = dict(known["lines"])
        source = Source(**{**known, "text": text, "lines": lines, "verdicts": verdicts})
        if source.name != name or not unpacking.eof:
            raise ValueError("it is of another version, or too long")
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise CorruptData(f"the source of {name} that is kept is damaged: {error}") from error
    return source


def context_of_version(name: str) -> Context:
    """Return what the seal of a version's source binds it to."""
    return "version", name, None, ""
