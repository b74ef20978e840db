"""The source of versions, in a Postgres database."""

from __future__ import annotations

from longterm.store.postgres._database import Database
from longterm.store.postgres._statements import versions as sql


class PostgresVersions:
    """The part of the store that keeps the source of versions."""

    _database: Database

    def keep_version(self, version: str, source: bytes) -> None:
        operation = f"keep version {version!r}"
        self._database.execute(sql.KEEP_VERSION, (version, source), operation)

    def find_version(self, version: str) -> bytes | None:
        operation = f"find version {version!r}"
        rows = self._database.execute(sql.FIND_VERSION, (version,), operation).rows
        return rows[0][0] if rows else None

    def find_versions(self, begin: str) -> list[str]:
        operation = f"find versions {begin!r}"
        rows = self._database.execute(sql.FIND_VERSIONS, (begin,), operation).rows
        return [version for (version,) in rows]

    def rewrite_version(self, version: str, source: bytes) -> bool:
        operation = f"rewrite version {version!r}"
        parameters = (source, version)
        return bool(self._database.execute(sql.REWRITE_VERSION, parameters, operation).rows)
