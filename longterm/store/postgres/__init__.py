"""The store in a Postgres database."""

from longterm.store.postgres._store import PostgresStore

__all__ = ["PostgresStore"]
