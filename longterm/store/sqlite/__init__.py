"""The store in one SQLite file."""

from longterm.store.sqlite._store import SQLiteStore

__all__ = ["SQLiteStore"]
