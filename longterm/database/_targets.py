"""Which adapter takes a target: decided by what it is, without importing any library for it."""

from __future__ import annotations

import os
import re
from typing import Final

from longterm.database._adapter import Adapter, is_made_by
from longterm.errors import StoreError
from longterm.store._urls import is_address, scheme_of

_FILE_SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")
_POSTGRES: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)
_KINDS: Final = (
    "a path or URL, a pool of psycopg, an engine or a sessionmaker of SQLAlchemy, "
    "'django:default', or a function that opens a connection"
)


def adapter_of(target: object) -> Adapter:
    """Return the adapter of a target.

    Raises:
        StoreError: there is none.
    """
    if isinstance(target, os.PathLike):
        return _sqlite(os.fsdecode(target))
    if isinstance(target, str):
        return _of_text(target)
    if (found := _of_sqlalchemy(target) or _of_django(target) or _of_pool(target)) is not None:
        return found
    if callable(target):
        from longterm.database._opened import Opener

        return Opener(target)
    raise StoreError(f"no Database can be made of a {type(target).__name__} (give {_KINDS})")


def _of_text(text: str) -> Adapter:
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() == "sqlite" and rest.startswith("///"):
        return _sqlite(rest.removeprefix("///"))
    if colon and scheme.lower() == "django":
        return _django(rest)
    if _POSTGRES.match(text) or ("://" not in text and "=" in text):
        from longterm.database._psycopg import Address

        return Address(_POSTGRES.sub("postgresql://", text, count=1))
    if "://" not in text and text.lower().endswith(_FILE_SUFFIXES) and not is_address(text):
        return _sqlite(text)
    # The rest stays out of the message: it may hold a password.
    raise StoreError(f"no Database has the address {scheme_of(text)} (give {_KINDS})")


def _sqlite(path: str) -> Adapter:
    from longterm.database._sqlite import SQLiteFile

    return SQLiteFile(path)


def _django(alias: str) -> Adapter:
    from longterm.database._django import Django

    return Django(alias)


def _of_sqlalchemy(target: object) -> Adapter | None:
    asynchronous = "sqlalchemy.ext.asyncio"
    is_maker = is_made_by(target, "sqlalchemy.orm", "sessionmaker")
    if is_made_by(target, asynchronous, "AsyncEngine") or is_made_by(
        target, asynchronous, "async_sessionmaker"
    ):
        is_async = True
    elif is_maker or is_made_by(target, "sqlalchemy", "Engine"):
        # Before SQLAlchemy 2.0 had a maker of its own for them, they were made so.
        is_async = is_maker and hasattr(getattr(target, "class_", None), "run_sync")
    else:
        return None
    from longterm.database._sqlalchemy import Alchemy, AsyncAlchemy

    return AsyncAlchemy(target) if is_async else Alchemy(target)


def _of_django(target: object) -> Adapter | None:
    """Return the adapter of `django.db.connection`, or of one of `django.db.connections`."""
    is_proxy = is_made_by(target, "django.utils.connection", "ConnectionProxy")
    if is_proxy or is_made_by(target, "django.db.backends.base.base", "BaseDatabaseWrapper"):
        return _django(target.alias)  # type: ignore[attr-defined]
    return None


def _of_pool(target: object) -> Adapter | None:
    if not callable(getattr(target, "connection", None)):
        return None
    from longterm.database._psycopg import AsyncPool, Pool

    is_async = is_made_by(target, "psycopg_pool", "AsyncConnectionPool")
    return AsyncPool(target) if is_async else Pool(target)
