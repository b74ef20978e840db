"""The schema of one store: its name in, statements that mean it out.

The SQL of this package says `longterm` where it means the schema, so that it can be read and tried
as it stands. Each table is named with its schema: nothing depends on the `search_path` of a
session, which a pooler lends to others.
"""

from __future__ import annotations

import re
from typing import Final

from longterm.errors import StoreError
from longterm.store.postgres._dialect import POSTGRES, Dialect

USUAL_SCHEMA: Final = "longterm"

_ALLOWED: Final = re.compile(r"\w[\w .-]*")
"""None of these need more than quotes around them."""
_MOST_BYTES: Final = 63
"""Postgres cuts off what is longer."""
_OURS: Final = re.compile(r"'longterm'|(?<!')\blongterm\b")
"""The channel, which is a text, or the schema; `'longterm.start'` is an event."""


class Schema:
    """Where the tables of one store are; the channel for its workers has the same name."""

    must_exist = False
    """Whether it is an error that it is not there, instead of a reason to make it."""

    def __init__(self, name: str, dialect: Dialect = POSTGRES) -> None:
        """Mean the schema of a name, taken as it is written, upper case and all.

        Raises:
            StoreError: Postgres has no schema of such a name.
        """
        is_allowed = _ALLOWED.fullmatch(name) and not name.startswith("pg_")
        if not is_allowed or len(name.encode("utf-8", "replace")) > _MOST_BYTES:
            raise StoreError(
                f"schema={name!r} is no name for a schema (take letters, digits, _, -, . and "
                f"spaces, up to {_MOST_BYTES} bytes, and no pg_ at the begin: schema=shop_runs)"
            )
        self.name, self.dialect = name, dialect
        self.quoted = name if name == USUAL_SCHEMA else f'"{name}"'
        self._known: dict[str, bytes] = {}

    def sql(self, statement: str) -> bytes:
        """Return a statement of this package's that means this schema."""
        known = self._known.get(statement)
        if known is None:
            text = _OURS.sub(self._of, statement)
            known = self._known[statement] = text.encode()
        return known

    def _of(self, found: re.Match[str]) -> str:
        return f"'{self.name}'" if found[0].startswith("'") else self.quoted
