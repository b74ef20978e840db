"""The connections of one Postgres store: psycopg's pool, opened at first use, left at a fork.

A statement goes in, its rows come out, also when a connection broke meanwhile and the statement had
to be sent again. Knows nothing of runs.
"""

from __future__ import annotations

import select
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Format
from psycopg_pool import ConnectionPool, PoolTimeout

from longterm._fork import register_reset
from longterm.errors import StoreError, closed_store
from longterm.store.postgres._errors import as_store_error, is_lost, is_undone, place

_RETRY_SECONDS = 0.05

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Postgres counts from here, in microseconds."""

_T = TypeVar("_T")

_inherited: list[object] = []
"""Pools of a parent process. Kept, since closing one here would end the parent's sessions."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a statement."""

    rows: list[tuple[Any, ...]]
    is_repeated: bool
    """A connection broke after the statement was sent, and it was sent again: the server may have
    taken the step before, so that an answer of no rows need not mean what it says."""


class _MomentLoader(Loader):
    """Reads moments in UTC: in the session's time zone, some are in a year that Python has not."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        """Return the moment."""
        (microseconds,) = struct.unpack("!q", data)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            raise psycopg.DataError("a moment is not between the years 1 and 9999") from None


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A session with a cursor for each statement that is sent again and again.

    A cursor that is kept knows how to write its parameters and to read its rows; a new one finds
    out anew for each column. It also keeps its last rows, until the next ones or the session's end.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Wrap a session of libpq, as psycopg does."""
        super().__init__(*args, **options)
        self.adapters.register_loader("timestamptz", _MomentLoader)
        self._cursors: dict[str, psycopg.Cursor[tuple[Any, ...]]] = {}

    def ask(self, statement: LiteralString, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Send a statement; psycopg prepares it when it has been sent a few times."""
        cursor = self._cursors.get(statement)
        if cursor is None:
            cursor = self._cursors[statement] = self.cursor(binary=True)
        return cursor.execute(statement, parameters).fetchall()

    def ask_once(
        self, statement: LiteralString, parameters: Sequence[object]
    ) -> list[tuple[Any, ...]]:
        """Send a statement that is to be planned for these very parameters."""
        return self.execute(statement, parameters, prepare=False, binary=True).fetchall()


class PostgresPool:
    """Sends statements, each a transaction of its own."""

    def __init__(
        self,
        conninfo: str,
        *,
        max_connections: int,
        wait_seconds: float,
        prepare: Callable[[Connection, str], object],
    ) -> None:
        """Note where the database is; `prepare` is called with the first connection."""
        self.place = place(conninfo)
        self._conninfo = conninfo
        given = conninfo_to_dict(conninfo)
        limits = _limits(wait_seconds)
        self._options: dict[str, Any] = {"autocommit": True, "client_encoding": "utf8"}
        self._options.update((name, limits[name]) for name in limits.keys() - given.keys())
        self._max_connections = max_connections
        self._wait_seconds = wait_seconds
        self._prepare = prepare
        self._is_closed = False
        self._pool: ConnectionPool[Connection] | None = None
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Leave the sessions to the process that opened them."""
        if self._pool is not None:
            _inherited.append(self._pool)
        self._pool = None
        self._opening = threading.Lock()

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
            StoreError: it failed, or the server could not be reached for `wait_seconds`.
        """
        operation = f"{operation} in {self.place}"
        deadline = time.monotonic() + self._wait_seconds
        is_repeated = False
        while True:
            pool = self._pool or self._open(operation)
            try:
                rows = _send(pool, statement, parameters, deadline, is_prepared)
                return Answer(rows, is_repeated)
            except PoolTimeout as error:
                raise self._unavailable(error, operation) from error
            except (psycopg.Error, UnicodeEncodeError) as error:
                may_repeat = is_lost(error) or is_undone(error)
                if not may_repeat or time.monotonic() > deadline:
                    raise as_store_error(error, operation) from error
                is_repeated = is_repeated or is_lost(error)
            time.sleep(_RETRY_SECONDS)

    def on_own_connection(self, step: Callable[[Connection, str], _T], operation: str) -> _T:
        """Take a step on a connection of its own, before the schema is looked at.

        Raises:
            StoreError: the step failed, or the server cannot be reached.
        """
        try:
            with self.connect() as connection:
                return step(connection, self.place)
        except psycopg.Error as error:
            raise as_store_error(error, f"{operation} of {self.place}") from error

    def close(self) -> None:
        """End every session."""
        with self._opening:
            self._is_closed = True
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _open(self, operation: str) -> ConnectionPool[Connection]:
        with self._opening:
            if self._is_closed:
                raise closed_store()
            if self._pool is None:
                # A connection outside the pool: the pool would only say that time ran out.
                try:
                    with self.connect() as connection:
                        self._prepare(connection, self.place)
                except psycopg.Error as error:
                    raise as_store_error(error, f"open the store for: {operation}") from error
                self._pool = ConnectionPool(
                    self._conninfo,
                    connection_class=Connection,
                    kwargs=self._options,
                    min_size=0,
                    max_size=self._max_connections,
                    check=_check_if_it_stirs,
                    name="longterm",
                    open=True,
                )
            return self._pool

    def connect(self) -> Connection:
        """Open a connection that is not of the pool; the schema is not looked at."""
        return Connection.connect(self._conninfo, **self._options)

    def _unavailable(self, error: PoolTimeout, operation: str) -> StoreError:
        """Find out why there was no connection to be had."""
        try:
            self.connect().close()
        except psycopg.Error as reason:
            return as_store_error(reason, operation)
        return StoreError(
            f"cannot {operation}: all {self._max_connections} connections were in use for "
            f"{self._wait_seconds:g} seconds (allow more `max_connections`)"
        )


def _limits(wait_seconds: float) -> dict[str, int]:
    """Return after what time libpq gives up a server that no longer acknowledges what it is sent.

    It would take a quarter of an hour else. An idle connection is tried once a minute, so that
    firewalls do not forget it.
    """
    seconds = min(max(2, int(wait_seconds)), 1_000_000)
    return {
        "connect_timeout": seconds,
        "tcp_user_timeout": seconds * 1000,
        "keepalives_idle": 60,
    }


def _send(
    pool: ConnectionPool[Connection],
    statement: LiteralString,
    parameters: Sequence[object],
    deadline: float,
    is_prepared: bool,
) -> list[tuple[Any, ...]]:
    connection = pool.getconn(timeout=max(0.1, deadline - time.monotonic()))
    try:
        ask = connection.ask if is_prepared else connection.ask_once
        return ask(statement, parameters)
    finally:
        pool.putconn(connection)


def _check_if_it_stirs(connection: Connection) -> None:
    """Ask the server whether a connection still works, but only if it has something to say.

    An idle connection is silent. If there is something to be read, it is most often the server's
    farewell; so a restart is noticed before a statement is lost in it, at no cost otherwise.
    """
    if _can_be_read(connection):
        ConnectionPool.check_connection(connection)


def _can_be_read(connection: Connection) -> bool:
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([connection], [], [], 0)[0])
    # Unlike `select.select`, it takes descriptors above 1023.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
