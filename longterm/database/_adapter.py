"""What the connections of each library are taken for here: transactions, and their statements.

A target (a pool, an engine, an address) goes in, and transactions of its own come out: committed
when they are left, rolled back when an exception leaves them.
"""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias

from longterm.errors import CommitUnknown, StoreError, WrongConnection

Rows: TypeAlias = list[tuple[Any, ...]]

_TRANSIENT: Final = frozenset({"40001", "40P01"})
"""Of SQL: a serialization failure and a deadlock. See "Appendix A" of Postgres's manual."""

_BUSY: Final = frozenset({5, 6})
"""Of SQLite: SQLITE_BUSY and SQLITE_LOCKED, the lowest byte of each such code."""

_LOST: Final = ("08", "57P")
"""How the codes begin of a connection that has ended, by itself or by the server's hand."""

_NO_RIGHT: Final = "42501"
_NO_TABLE: Final = "42P01"
_MADE_BY_ANOTHER: Final = frozenset({"23505", "42P07"})
_DEPTH: Final = 5
"""So many errors may stand around the driver's; a library wraps it once or twice."""


class Transaction(Protocol):
    """One transaction of the application's database."""

    tx: Any
    """What the application's function is given."""
    dialect: str
    """`sqlite` or `postgresql`."""

    def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement, and return its rows."""
        ...

    def check_open(self) -> None:
        """Make sure that the function has left the transaction open.

        Raises:
            WrongConnection: it has ended it.
        """
        ...


class AsyncTransaction(Protocol):
    """The same for asynchronous code."""

    tx: Any
    dialect: str

    async def execute(self, statement: str, **parameters: object) -> Rows:
        """Send a statement, and return its rows."""
        ...

    def check_open(self) -> None:
        """Make sure that the function has left the transaction open."""
        ...


class Adapter:
    """One way to a database."""

    is_sync = is_async = False
    """Whether there are transactions for plain functions, and for `async def` ones."""
    place: str
    """What the database is called in messages; it holds no password."""
    url: str | None = None
    """What the command line takes for it, if that can be known."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Return a transaction to enter."""
        raise StoreError(
            f"{self.place} is asynchronous (write `async def`, or give a Database what opens "
            "plain connections)"
        )

    def abegin(self) -> AbstractAsyncContextManager[AsyncTransaction]:
        """Return a transaction to enter in asynchronous code."""
        raise StoreError(
            f"{self.place} is not asynchronous (write `def`, or give a Database an AsyncEngine or "
            "async_sessionmaker of SQLAlchemy, or an AsyncConnectionPool of psycopg)"
        )


def is_made_by(target: object, module: str, name: str) -> bool:
    """Tell whether something is of a class of a library, without importing that."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(target, kind)


def ended_by_function() -> WrongConnection:
    """Return what is raised for a function that does not leave its transaction open."""
    return WrongConnection(
        "the function has ended the transaction that it was given (leave out `commit`, `rollback` "
        "and `with` around the connection: the transaction is committed with the step's value)"
    )


def is_transient(error: BaseException) -> bool:
    """Tell whether a transaction was undone only because of others beside it, or nobody knows."""
    return isinstance(error, CommitUnknown) or any(
        _sqlstate(each) in _TRANSIENT or getattr(each, "sqlite_errorcode", 0) & 0xFF in _BUSY
        for each in _with_causes(error)
    )


def is_lost(error: BaseException) -> bool:
    """Tell whether a connection has ended, so that the database says nothing of a transaction."""
    errors = _with_causes(error)
    for each in errors:
        if (state := _sqlstate(each)) is not None:
            return state.startswith(_LOST)
        if hasattr(each, "sqlite_errorcode"):
            return False
    return any(isinstance(each, ConnectionError) or _is_of_driver(each) for each in errors)


def _is_of_driver(error: BaseException) -> bool:
    """Tell whether an error is one that drivers raise when they have no answer, by PEP 249.

    Pools raise such ones too, or one of their own.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    is_of_pool = is_made_by(error, "sqlalchemy.exc", "TimeoutError")
    return is_of_pool or not names.isdisjoint(("OperationalError", "InterfaceError"))


def is_forbidden(error: BaseException) -> bool:
    """Tell whether a role may not do what it was to do."""
    return any(_sqlstate(each) == _NO_RIGHT for each in _with_causes(error))


def is_missing_table(error: BaseException) -> bool:
    """Tell whether a statement found no table."""
    return any(
        _sqlstate(each) == _NO_TABLE or str(each) == "no such table: longterm_steps"
        for each in _with_causes(error)
    )


def is_made_already(error: BaseException) -> bool:
    """Tell whether another process made the same table at the same moment."""
    return any(_sqlstate(each) in _MADE_BY_ANOTHER for each in _with_causes(error))


def _with_causes(error: BaseException) -> list[BaseException]:
    """Return an error of a driver with what stands around it: SQLAlchemy's `orig`, or the cause."""
    found = [error]
    while len(found) < _DEPTH:
        inner = getattr(found[-1], "orig", None) or found[-1].__cause__
        if not isinstance(inner, BaseException):
            break
        found.append(inner)
    return found


def _sqlstate(error: BaseException) -> str | None:
    """Return the code of SQL that an error has: psycopg's and asyncpg's, or psycopg2's."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
