"""How an engine takes part in transactions of the application's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from longterm._engine.starting import Starting
from longterm._later import later
from longterm.errors import NotSupported

if TYPE_CHECKING:
    from longterm._engine.transaction import Transaction
else:
    Transaction = later("longterm._engine.transaction", "Transaction")


class WithinTransactions(Starting):
    """The part of an engine that takes part in transactions."""

    def within(self, connection: Any) -> Transaction:
        """Return what starts runs and sends events in the transaction of a connection.

            with sqlite3.connect("runs.db") as connection:
                connection.execute("INSERT INTO orders ...")
                engine.within(connection).start(sell, (4711,), id="order 4711")

        They are there once the transaction is committed, and never if it is rolled back. Nothing is
        run here: a worker takes it after the commit.

        Args:
            connection: one to the database of this engine's store: a `sqlite3.Connection`, a
                `psycopg.Connection`, a Session or Connection of SQLAlchemy over one of these, or
                Django's `connection`. Its owner commits.

        Raises:
            WrongConnection: it is another, or in no transaction.
            NotSupported: the store is in no database.
        """
        from longterm._engine.transaction import Transaction
        from longterm.store.within import Within, driver_connection

        if not isinstance(self.store, Within):
            raise NotSupported(self.store, "starts and events in a transaction of yours")
        return Transaction(self, self.store.within(driver_connection(connection)))
