"""The statements of the source of versions."""

from __future__ import annotations

from typing import Final, LiteralString

KEEP_VERSION: Final[LiteralString] = (
    "INSERT INTO longterm.versions (version, source) VALUES (%s, %s)"
    " ON CONFLICT (version) DO NOTHING RETURNING version"
)
FIND_VERSION: Final[LiteralString] = "SELECT source FROM longterm.versions WHERE version = %s"
FIND_VERSIONS: Final[LiteralString] = (
    "SELECT version FROM longterm.versions WHERE starts_with(version, %s) ORDER BY version"
)
REWRITE_VERSION: Final[LiteralString] = (
    "UPDATE longterm.versions SET source = %s WHERE version = %s RETURNING version"
)
