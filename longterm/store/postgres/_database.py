"""The database of one Postgres store: a statement goes in, its rows come out, or a StoreError.

Sends a statement again when a connection broke, and connects anew, until `wait_seconds` are over.
Knows nothing of runs.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from longterm._fork import register_reset
from longterm.errors import StoreError, closed_store
from longterm.store._step_lock import StepLock
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._errors import as_store_error, is_lost, is_undone, place
from longterm.store.postgres._names import Schema
from longterm.store.postgres._pool import ConnectionPool

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
"""Seconds between two tries: so soon after the server is back does the store work again."""

_SQLALCHEMY: Final = re.compile(r"^postgresql\+psycopg(_async)?://")
"""How SQLAlchemy begins the URL of a database that it reaches by psycopg."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a statement."""

    rows: list[tuple[Any, ...]]
    is_repeated: bool
    """A connection broke after the statement was sent, and it was sent again: the server may have
    taken the step before, so that an answer of no rows need not mean what it says."""


class Database:
    """Sends statements, each a transaction of its own."""

    def __init__(
        self,
        conninfo: str,
        schema: Schema,
        *,
        max_connections: int,
        wait_seconds: float,
        synchronous_commit: str | None,
        is_shared: bool | None,
        prepare: Callable[[Connection, str], object],
        on_connect: Callable[[Connection], object],
    ) -> None:
        """Note where the database is.

        Args:
            conninfo: a URL, or what libpq takes.
            schema: where the tables are.
            max_connections: how many may be open at once.
            wait_seconds: how long a step tries to reach the server, and to hear its answer.
            synchronous_commit: see `Connection.begin`.
            is_shared: see `Connection.begin`.
            prepare: called with the first connection, before any statement.
            on_connect: called with each connection.
        """
        conninfo = _SQLALCHEMY.sub("postgresql://", conninfo)
        self.place = place(conninfo)
        self._schema = schema
        self._conninfo = _with_limits(conninfo, wait_seconds)
        self._max_connections = max_connections
        self._wait_seconds = wait_seconds
        self._least_seconds = min(wait_seconds, 1.0)
        self._synchronous_commit = synchronous_commit
        self._is_shared = is_shared
        self._prepare = prepare
        self._on_connect = on_connect
        self._is_prepared = self._is_closed = False
        self._pool = ConnectionPool(self._connect, max_connections)
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Wait for no thread of a parent process."""
        self._preparing = StepLock()

    def execute(
        self,
        statement: LiteralString,
        parameters: Sequence[object],
        operation: str,
        *,
        is_prepared: bool = True,
    ) -> Answer:
        """Send a statement that is atomic in itself until the server has answered it.

        Unless it `is_prepared`, the server plans it anew for these parameters.

        Raises:
            StoreError: it failed, or the server could not be reached for `wait_seconds`, or did
                not answer for so long.
        """
        deadline = time.monotonic() + self._wait_seconds
        if not self._is_prepared:
            self._make_ready(operation, deadline)
        pause, is_repeated = _FIRST_PAUSE, False
        while True:
            lent = None
            try:
                lent = self._pool.lend(deadline)
                if lent is None:
                    raise self._all_in_use(operation)
                connection = lent.connection
                assert connection is not None
                # Whoever had to wait for a connection is given a fair time for the answer.
                connection.deadline = max(deadline, time.monotonic() + self._least_seconds)
                ask = connection.ask if is_prepared else connection.ask_once
                return Answer(ask(statement, parameters), is_repeated)
            except (psycopg.Error, UnicodeEncodeError) as error:
                may_repeat = is_lost(error) or is_undone(error)
                if not may_repeat or time.monotonic() > deadline:
                    raise self.error(error, operation) from error
                is_repeated = is_repeated or (lent is not None and is_lost(error))
            finally:
                if lent is not None:
                    self._pool.give_back(lent)
            # Not all at the same moment, when many wait for the server to come back.
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def on_own_connection(self, step: Callable[[Connection, str], _T], operation: str) -> _T:
        """Take a step on a connection of its own, before the schema is looked at.

        Raises:
            StoreError: the step failed, or the server cannot be reached.
        """
        try:
            with self.connect() as connection:
                return step(connection, self.place)
        except psycopg.Error as error:
            raise self.error(error, operation) from error

    def connect(self) -> Connection:
        """Open a connection that is not of the pool; the schema is not looked at.

        It gives up what the server does not answer within `wait_seconds` from now.
        """
        return self._connect(time.monotonic() + self._wait_seconds)

    def error(self, error: Exception, operation: str) -> StoreError:
        """Say in the user's words what failed."""
        return as_store_error(error, f"{operation} in {self.place}", self._schema)

    def close(self) -> None:
        """End every session."""
        self._is_closed = True
        self._pool.close()

    def _connect(self, deadline: float) -> Connection:
        connection = Connection.begin(
            self._conninfo,
            self._schema,
            synchronous_commit=self._synchronous_commit,
            is_shared=self._is_shared,
            deadline=deadline,
        )
        self._on_connect(connection)
        return connection

    def _make_ready(self, operation: str, deadline: float) -> None:
        """Prepare the database, at its first use."""
        with self._preparing.alone():
            if self._is_closed:
                raise closed_store()
            if self._is_prepared:
                return
            try:
                with self._connect(deadline) as connection:
                    self._prepare(connection, self.place)
            except psycopg.Error as error:
                raise self.error(error, f"open the store for: {operation}") from error
            self._is_prepared = True

    def _all_in_use(self, operation: str) -> StoreError:
        """Say why there was no connection to be had."""
        waited = f"for {self._wait_seconds:g} seconds"
        if opening := self._pool.unanswered():
            return StoreError(
                f"cannot {operation} in {self.place}: the server cannot be reached (check that it "
                f"runs, and the URL): {opening} attempts to connect were not answered {waited}"
            )
        return StoreError(
            f"cannot {operation} in {self.place}: all {self._max_connections} connections were in "
            f"use {waited} (allow more `max_connections`)"
        )


def _with_limits(conninfo: str, wait_seconds: float) -> str:
    """Return a connection string that says when libpq gives up a server that acknowledges nothing.

    It would take a quarter of an hour else. An idle connection is tried once a minute, so that
    firewalls do not forget it. What the user has set stays.
    """
    seconds = min(max(2, int(wait_seconds)), 1_000_000)
    limits = {"tcp_user_timeout": seconds * 1000, "keepalives_idle": 60}
    return make_conninfo("", **(limits | conninfo_to_dict(conninfo)), client_encoding="utf8")
