"""Databases of Django, by their names in its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from longterm.database._adapter import Adapter, Rows, Transaction
from longterm.database._table import check_dialect, in_percent_style

# By its name: it brings no types, and need not be there where types are checked.
_db: Any = import_module("django.db")


class Django(Adapter):
    """A database of the settings; a function is given its connection, and can use its models."""

    is_sync = True

    def __init__(self, alias: str) -> None:
        """Take the name, such as `default`."""
        self._alias = alias
        self.place = f"Django's database {alias!r}"
        self.url = f"django:{alias}"

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Begin a transaction of this thread's connection, which must be in none."""
        connection = _db.connections[self._alias]
        # As Django does around each request, so that no step meets a connection that has died.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        with _db.transaction.atomic(using=self._alias, durable=True):
            yield DjangoTransaction(connection)


class DjangoTransaction:
    """A transaction of a connection; Django refuses `commit` in it."""

    def __init__(self, connection: Any) -> None:
        """Take a connection in an atomic block."""
        self.tx = connection
        self.dialect = check_dialect(connection.vendor)

    def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement."""
        with self.tx.cursor() as cursor:
            cursor.execute(in_percent_style(statement), parameters)
            return cursor.fetchall() if cursor.description else []

    def check_open(self) -> None:
        """Do nothing: Django lets nobody end it."""
