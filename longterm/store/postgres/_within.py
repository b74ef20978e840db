"""The store in a Postgres database, within a transaction of somebody else's connection to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.pq import PipelineStatus, TransactionStatus

from longterm.errors import WrongConnection
from longterm.store._rows import Rows
from longterm.store._unreadable import Unreadable
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._database import Answer, Database
from longterm.store.postgres._errors import has_key_twice
from longterm.store.postgres._names import Schema
from longterm.store.postgres._statements.runs import IDENTITY
from longterm.store.postgres._statements.waking import NOTIFY
from longterm.store.postgres._store import PostgresStore, fail


class PostgresWithin(PostgresStore):
    """A view of a store, whose steps are part of a transaction."""

    def __init__(self, store: PostgresStore, theirs: object, *, is_known: bool = False) -> None:
        """Check that a connection is to the database of a store, unless that is known.

        Raises:
            WrongConnection: it is none of psycopg's, or to another database.
        """
        if not isinstance(theirs, psycopg.Connection):
            raise WrongConnection(
                f"{type(theirs).__name__} is no connection to Postgres (give a psycopg.Connection, "
                "or the connection of SQLAlchemy or Django over one)"
            )
        self._schema, self._clock, self._listener = store._schema, store._clock, store._listener
        self._database = database = _TheirDatabase(theirs, store._database, store._schema)
        self._waker = database
        if not is_known:
            database.check_is_the_same(store._database)
        self._unreadable = Unreadable(Rows(has_types=True), partial(fail, database))


class _TheirDatabase(Database):
    """Sends statements in a transaction that somebody else ends."""

    def __init__(self, theirs: psycopg.Connection[Any], database: Database, schema: Schema) -> None:
        self._theirs = theirs
        self._view = _View(theirs, schema)
        self.place = database.place
        self._schema = schema

    def execute(
        self,
        statement: LiteralString,
        parameters: Sequence[object],
        operation: str,
        *,
        is_prepared: bool = True,
        until: float | None = None,
    ) -> Answer:
        """Send a statement; one that raises has changed nothing."""
        _must_have_begun(self._theirs)
        try:
            try:
                return self._answer(statement, parameters)
            except psycopg.Error as error:
                if not has_key_twice(error):
                    raise
                return self._answer(statement, parameters)  # the second of two looks again
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise self.error(error, operation) from error

    def _answer(self, statement: LiteralString, parameters: Sequence[object]) -> Answer:
        with self._theirs.transaction():  # a savepoint, since one is open
            return Answer(self._view.ask_once(statement, parameters), False)

    def end_of_step(self) -> float:
        """Return when a step ends: how long one may take is the transaction's affair."""
        return math.inf

    def tell(self, at: float) -> None:
        """Have workers told with the commit of the transaction."""
        self.execute(NOTIFY, (repr(at),), "tell the workers")

    def check_is_the_same(self, database: Database) -> None:
        """Make sure that these are the tables of a store.

        Raises:
            WrongConnection: they are others, or none.
        """
        operation = "compare databases"
        ours = database.execute(IDENTITY, (), operation).rows
        _must_have_begun(self._theirs)
        try:
            theirs = self._answer(IDENTITY, ()).rows
        except errors.UndefinedTable:
            theirs = []
        except psycopg.Error as error:
            raise self.error(error, operation) from error
        if ours != theirs:
            raise WrongConnection(
                f"the connection is to database {self._theirs.info.dbname!r}, which is not that of "
                f"the runs: {self.place}, schema {self._schema.name} (connect to that one)"
            )


class _View(Connection):
    """Our view of somebody's connection: the same session of libpq, with our own ways to use it."""

    def __init__(self, theirs: psycopg.Connection[Any], schema: Schema) -> None:
        pgconn = theirs.pgconn
        notice, notify = pgconn.notice_handler, pgconn.notify_handler
        super().__init__(pgconn)
        pgconn.notice_handler, pgconn.notify_handler = notice, notify
        self.schema = schema

    def __del__(self, _warn: object = None) -> None:
        """Leave the session to its owner."""


def _must_have_begun(theirs: psycopg.Connection[Any]) -> None:
    """Begin a transaction as the connection itself would before a statement."""
    if theirs.closed:
        raise WrongConnection("the connection is closed (take one that is open)")
    if theirs.pgconn.pipeline_status != PipelineStatus.OFF:
        raise WrongConnection("the connection is in pipeline mode (leave that first)")
    if (encoding := theirs.pgconn.parameter_status(b"client_encoding")) != b"UTF8":
        raise WrongConnection(
            f"the client_encoding of the connection is {encoding!r}, which cannot hold every text "
            "(connect with client_encoding=utf8)"
        )
    if theirs.pgconn.transaction_status != TransactionStatus.IDLE:
        return
    if theirs.autocommit:
        raise WrongConnection(
            "the connection is in no transaction: it commits each statement by itself (write "
            "`with connection.transaction():` around it)"
        )
    theirs.execute("SELECT 1")
