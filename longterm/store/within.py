"""The store contract about transactions of the caller's: runs and events that commit with them.

A part of `longterm.store.base` in a file of its own. Also knows by what libraries wrap a driver's
connection, without importing any.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from longterm.errors import WrongConnection
from longterm.store.base import RunStore

__all__ = ["HasTarget", "Within", "driver_connection"]


@runtime_checkable
class Within(Protocol):
    """A store in a database of which the application has connections of its own."""

    def within(self, connection: Any) -> RunStore:
        """Return a view of this store whose steps are part of a connection's transaction.

        It has at least `create` and `get`, and, if the store keeps keys and events,
        `digest_for_key`, `post` and `unread`. No step commits or ends the transaction, and one that
        raises has changed nothing in it. What is rolled back was never there.

        Args:
            connection: one of the driver's own, such as `driver_connection` returns.

        Raises:
            WrongConnection: it is none of the driver's, or not to the database of this store. Also
                raised by a step, if no transaction is open then.
        """
        ...


@runtime_checkable
class HasTarget(Protocol):
    """A store that can tell where its runs are."""

    @property
    def target(self) -> Any:
        """What a `Database` is made of that works where the runs are: a path, address or pool."""
        ...


def driver_connection(connection: Any) -> Any:
    """Return the driver's connection inside of one of SQLAlchemy or Django; any other as it is.

    Raises:
        WrongConnection: it is asynchronous, or in no transaction.
    """
    if hasattr(connection, "sync_session") or hasattr(connection, "sync_connection"):
        raise WrongConnection(
            f"{type(connection).__name__} is asynchronous (take a Session or a Connection)"
        )
    if hasattr(connection, "in_atomic_block"):  # Django's
        if not connection.in_atomic_block:
            raise WrongConnection(
                "Django's connection is in no transaction (write `with transaction.atomic():` "
                "around it)"
            )
        return connection.connection
    if hasattr(connection, "get_bind"):  # SQLAlchemy's Session, which begins one by this
        connection = connection.connection()
    if hasattr(connection, "exec_driver_sql"):  # SQLAlchemy's Connection
        if not connection.in_transaction():
            raise WrongConnection(
                "SQLAlchemy's Connection is in no transaction (write `with engine.begin() as "
                "connection:`, or call `connection.begin()` first)"
            )
        return connection.connection.driver_connection
    return connection
