"""What a server that speaks Postgres lacks of it: a name in, flags out.

The steps of `DistributedStore` write one row by its key, or read, so nothing needs to be said of
locks here. Knows no connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

from longterm.errors import StoreError


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a server differs from Postgres."""

    name: str
    has_triggers: bool = True
    """Whether what belongs to a run is kept by triggers; else each statement says it."""
    hears_every_node: bool = True
    """Whether a NOTIFY is heard wherever somebody listens; else workers look each second, too."""
    settles_commits: bool = True
    """Whether `synchronous_commit` of a session holds for all that it commits."""
    scripts: tuple[str, ...] = ()
    """What is executed after the migrations, and does no harm if it is again."""
    is_there: LiteralString | None = None
    """Asks a server whether it is such a one; None: any is."""
    remedy: str = ""
    """What to do if it is not."""


POSTGRES: Final = Dialect(name="postgres")
BARE: Final = Dialect(
    name="bare",
    has_triggers=False,
    hears_every_node=False,
    settles_commits=False,
    scripts=("by_key.sql",),
)
"""Postgres itself, of which nothing is used that a distributed one lacks: for tests."""
CITUS: Final = Dialect(
    name="citus",
    has_triggers=False,
    hears_every_node=False,
    settles_commits=False,
    scripts=("by_key.sql", "citus.sql"),
    is_there="SELECT count(*) > 0 FROM pg_extension WHERE extname = 'citus'",
    remedy="run CREATE EXTENSION citus on the coordinator and on each worker node",
)
_KNOWN: Final = {dialect.name: dialect for dialect in (BARE, CITUS)}


def dialect_named(name: str) -> Dialect:
    """Return the dialect of a name.

    Raises:
        StoreError: longterm knows none of that name.
    """
    if name not in _KNOWN:
        raise StoreError(
            f"dialect={name!r} is none that longterm knows (choose from {', '.join(_KNOWN)}, or "
            "leave it out for Postgres itself)"
        )
    return _KNOWN[name]
