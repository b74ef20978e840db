"""How a store gets at its database: sessions of its own or of somebody's pool, and one that hears.

What the user has said goes in; what sends statements, and what listens, come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from longterm.errors import StoreError
from longterm.store._budget import Budget
from longterm.store.postgres._clock import ServerClock
from longterm.store.postgres._connection import Connection, check_synchronous_commit
from longterm.store.postgres._database import Database
from longterm.store.postgres._errors import as_store_error
from longterm.store.postgres._listener import Listener
from longterm.store.postgres._loops import without_loop
from longterm.store.postgres._names import Schema
from longterm.store.postgres._pool import ConnectionPool, HasConnections
from longterm.store.postgres._server import Server, past_pooler

_SERVERS_ASKED: Final = 3
"""How many attempts at a step go to servers that are silent, where there are several."""


class Access(NamedTuple):
    """What a store works by."""

    database: Database
    listener: Listener


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user of a store has said; see `PostgresStore`."""

    conninfo: str | None
    pool: HasConnections | None
    listen: str | None
    max_connections: int
    wait_seconds: float
    synchronous_commit: str | None
    pooler: bool | None
    schema: Schema
    migrate: bool

    def access(self, clock: ServerClock) -> Access:
        """Return what a store works by; nothing is connected yet.

        Args:
            clock: is told what the server's clock says at each connection of the store's own.

        Raises:
            StoreError: what was said cannot be.
        """
        check_synchronous_commit(self.synchronous_commit)
        if self.pool is not None and self.conninfo is None:
            return self._borrowed(clock)
        if self.conninfo is None or self.pool is not None:
            raise StoreError(
                "a Postgres store has a URL or a pool, and never both (write "
                "PostgresStore('postgresql://host/database') or PostgresStore(pool=pool))"
            )
        return self._own(self.conninfo, clock)

    def _own(self, conninfo: str, clock: ServerClock) -> Access:
        server = self._server(conninfo, clock, is_shared=self.pooler)
        connect, budget = without_loop(server.connect), Budget(self.max_connections)
        pool = ConnectionPool(connect, budget, self.wait_seconds)
        database = Database(
            pool,
            server.place,
            self.schema,
            self.wait_seconds,
            migrate=self.migrate,
            answer_seconds=self._answer_seconds(server),
        )
        return Access(database, self._listener(self._heard(conninfo, clock) or server))

    def _borrowed(self, clock: ServerClock) -> Access:
        from longterm.store.postgres._borrowed import BorrowedPool  # for few

        assert self.pool is not None
        pool = BorrowedPool(self.pool, self.schema, self.synchronous_commit)
        database = Database(pool, pool.place, self.schema, self.wait_seconds, migrate=self.migrate)
        return Access(database, self._listener(self._heard(None, clock)))

    def _heard(self, conninfo: str | None, clock: ServerClock) -> Server | None:
        """Return the server that workers listen to, if it is to be reached in another way."""
        if self.listen is None:
            return None
        conninfo = past_pooler(conninfo, self.listen)
        return self._server(conninfo, clock, is_shared=None)  # found out: it may be one, too

    def _server(self, conninfo: str, clock: ServerClock, *, is_shared: bool | None) -> Server:
        def note(connection: Connection) -> None:
            clock.note(connection.reading)

        return Server(
            conninfo,
            self.schema,
            wait_seconds=self.wait_seconds,
            synchronous_commit=self.synchronous_commit,
            is_shared=is_shared,
            on_connect=note,
        )

    def _listener(self, server: Server | None) -> Listener:
        if server is None:
            return Listener(None, partial(_failed, "the pool", self.schema), self.wait_seconds)
        failed = partial(_failed, server.place, self.schema)
        return Listener(server.connect, failed, self._answer_seconds(server))

    def _answer_seconds(self, server: Server) -> float:
        return self.wait_seconds / (_SERVERS_ASKED if server.has_several else 1)


def _failed(place: str, schema: Schema, error: Exception, operation: str) -> StoreError:
    return as_store_error(error, f"{operation} in {place}", schema)
