"""Sessions of a pool that the application has: borrowed for one step each, and left as they were.

Other code of the application gets them next. So they are treated as those of a pooler: nothing is
prepared, and each setting holds for its statement only. The pool is never closed here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from inspect import signature
from time import monotonic
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus

from longterm._signals import is_of_signal
from longterm.errors import StoreError, closed_store
from longterm.store._budget import Budget
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._names import Schema
from longterm.store.postgres._pool import HasConnections, NoConnection

_REFUSALS: tuple[type[Exception], ...] = ()
"""What psycopg's own pool raises when it has no connection to give."""
with suppress(ImportError):
    from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

    _REFUSALS = (PoolClosed, PoolTimeout, TooManyRequests)

_WAY_OUT: Final = "give what lends psycopg's by `with pool.connection() as connection`"


class BorrowedConnection(Connection):
    """Our view of somebody's connection: the same session of libpq, with our own ways to use it.

    What they have set for theirs (rows as dicts, adapters, autocommit) stays theirs.
    """

    def __init__(
        self, theirs: psycopg.Connection[Any], schema: Schema, synchronous_commit: str | None
    ) -> None:
        """Use the session of a connection that is between two transactions."""
        pgconn = theirs.pgconn
        notice, notify = pgconn.notice_handler, pgconn.notify_handler
        super().__init__(pgconn)
        pgconn.notice_handler, pgconn.notify_handler = notice, notify
        self.schema = schema
        self.autocommit = True
        self.share(synchronous_commit)

    def __del__(self, _warn: object = None) -> None:
        """Leave the session to its owner."""


class BorrowedLoan:
    """One connection of theirs, for its holder's use while this is entered; see `Loan`."""

    __slots__ = ("_lending", "_ours", "_pool", "_theirs")

    def __init__(self, pool: BorrowedPool) -> None:
        """Hold nothing yet."""
        self._pool = pool
        self._lending: AbstractContextManager[psycopg.Connection[Any]] | None = None
        self._theirs: psycopg.Connection[Any] | None = None
        self._ours: BorrowedConnection | None = None

    def take(self, deadline: float) -> Connection:
        """Return a connection.

        Raises:
            psycopg.Error: the server could not be reached.
            NoConnection: the pool gives none, or none that can be used.
            StoreError: the store is closed.
        """
        self._lending = self._pool.lending(deadline)
        try:
            self._theirs = self._lending.__enter__()
        except Exception as error:
            is_lost = isinstance(error, psycopg.Error) and not isinstance(error, _REFUSALS)
            if is_lost or is_of_signal(error):
                raise
            raise NoConnection(
                f"the pool gives no connection: {type(error).__name__}: {error} (open it, or let "
                "it have more: whoever holds one in the call of a flow needs a second)"
            ) from error
        self._ours = self._pool.borrowed(self._theirs)
        self._theirs.add_notice_handler(self._ours.note)
        return self._ours

    def give_back(self) -> None:
        """Give the connection back; one that is in the middle of something is closed."""
        theirs, ours = self._theirs, self._ours
        if theirs is not None and ours is not None:
            with suppress(ValueError):  # it was just about to be added
                theirs.remove_notice_handler(ours.note)
            if theirs.pgconn.transaction_status != TransactionStatus.IDLE:
                theirs.close()
        if self._lending is not None:
            self._lending.__exit__(None, None, None)
        self._lending = self._theirs = self._ours = None

    def __enter__(self) -> Self:
        """Return the loan itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connection back."""
        self.give_back()


class BorrowedPool:
    """Lends the connections of a pool of the application's."""

    take_step = None

    def __init__(
        self, theirs: HasConnections, schema: Schema, synchronous_commit: str | None
    ) -> None:
        """Borrow from a pool.

        Args:
            theirs: the pool.
            schema: where the tables are.
            synchronous_commit: see `Connection.begin`.
        """
        name = getattr(theirs, "name", None)
        self.place = f"the database of pool {name!r}" if name else "the database of the pool"
        if not callable(getattr(theirs, "connection", None)):
            raise StoreError(f"{type(theirs).__name__} has no connections to lend ({_WAY_OUT})")
        self._theirs = theirs
        self._takes_timeout = "timeout" in signature(theirs.connection).parameters
        self._schema = schema
        self._synchronous_commit = synchronous_commit
        self._is_closed = False
        self._views: WeakKeyDictionary[psycopg.Connection[Any], BorrowedConnection]
        self._views = WeakKeyDictionary()
        """Making one takes longer than a statement."""

    def loan(self) -> BorrowedLoan:
        """Return what a connection is lent by."""
        return BorrowedLoan(self)

    def lend(self, held: list[BorrowedLoan], deadline: float) -> Connection:
        """Put a loan into `held`, and return its connection; see `BorrowedLoan.take`."""
        held.append(BorrowedLoan(self))
        return held[0].take(deadline)

    def take_back(self, held: list[BorrowedLoan]) -> None:
        """Empty `held`; what it lends goes back to its owner's pool."""
        if held:
            held[0].give_back()
            held.clear()

    def lending(self, deadline: float) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Return what the pool lends a connection by, until a deadline if it knows of such."""
        if self._is_closed:
            raise closed_store()
        left: dict[str, Any] = {"timeout": max(0.0, deadline - monotonic())}
        lending = self._theirs.connection(**(left if self._takes_timeout else {}))
        if not hasattr(lending, "__enter__"):  # such as that of an AsyncConnectionPool
            raise NoConnection(
                f"{type(self._theirs).__name__} lends nothing by `with` ({_WAY_OUT})"
            )
        return lending

    def borrowed(self, theirs: psycopg.Connection[Any]) -> BorrowedConnection:
        """Return our view of a connection that the pool has lent.

        Raises:
            NoConnection: it is none of psycopg's, is in the middle of a transaction, which our
                statements would be part of, or has another encoding.
        """
        if not isinstance(theirs, psycopg.Connection):
            raise NoConnection(f"the pool lent a {type(theirs).__name__} ({_WAY_OUT})")
        if theirs.closed:
            raise psycopg.OperationalError("the pool lent a connection that is closed")
        if theirs.pgconn.transaction_status != TransactionStatus.IDLE:
            raise NoConnection(
                "the pool lent a connection in the middle of a transaction, which a saved turn "
                "must not be part of (end it before the connection goes back to the pool)"
            )
        if (encoding := theirs.pgconn.parameter_status(b"client_encoding")) != b"UTF8":
            raise NoConnection(
                f"the pool lent a connection whose client_encoding is {encoding!r}, which cannot "
                "hold every text (connect with client_encoding=utf8)"
            )
        ours = self._views.get(theirs)
        if ours is None:
            ours = BorrowedConnection(theirs, self._schema, self._synchronous_commit)
            self._views[theirs] = ours
        return ours

    def share(self, budget: Budget) -> None:
        """Count nothing: how many there are is its owner's affair."""

    def close(self) -> None:
        """Lend nothing more; the pool is its owner's to close."""
        self._is_closed = True
