"""The source of versions, in one SQLite file."""

from __future__ import annotations

from typing import Any, Final

from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._writer import Writer

_KEEP: Final = (
    "INSERT INTO versions (version, source) VALUES (?, ?) ON CONFLICT (version) DO NOTHING"
)
_FIND: Final = "SELECT source FROM versions WHERE version = ?"
_FIND_SEVERAL: Final = (
    "SELECT version FROM versions WHERE version >= ? AND substr(version, 1, length(?)) = ?"
    " ORDER BY version"
)
_REWRITE: Final = "UPDATE versions SET source = ? WHERE version = ?"


class SQLiteVersions:
    """The part of the store that keeps the source of versions."""

    _writer: Writer

    def _read(
        self, statement: str, parameters: tuple[object, ...], operation: str
    ) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def keep_version(self, version: str, source: bytes) -> None:
        def keep(connection: Connection) -> None:
            connection.execute(_KEEP, (version, source))

        self._writer.write(keep, f"keep version {version!r}")

    def find_version(self, version: str) -> bytes | None:
        rows = self._read(_FIND, (version,), f"find version {version!r}")
        return rows[0][0] if rows else None

    def find_versions(self, begin: str) -> list[str]:
        rows = self._read(_FIND_SEVERAL, (begin, begin, begin), f"find versions {begin!r}")
        return [version for (version,) in rows]

    def rewrite_version(self, version: str, source: bytes) -> bool:
        def rewrite(connection: Connection) -> int:
            return connection.execute(_REWRITE, (source, version)).rowcount

        return bool(self._writer.write(rewrite, f"rewrite version {version!r}"))
