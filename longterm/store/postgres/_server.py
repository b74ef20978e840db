"""How one store reaches its server: a connection string in, sessions out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from longterm.store.postgres._connection import Connection
from longterm.store.postgres._errors import place
from longterm.store.postgres._names import Schema

_SQLALCHEMY: Final = re.compile(r"^postgresql\+psycopg(_async)?://")
"""How SQLAlchemy begins the URL of a database that it reaches by psycopg."""


class Server:
    """Opens sessions with one database."""

    def __init__(
        self,
        conninfo: str,
        schema: Schema,
        *,
        wait_seconds: float,
        synchronous_commit: str | None,
        is_shared: bool | None,
        on_connect: Callable[[Connection], object],
    ) -> None:
        """Note where the database is.

        Args:
            conninfo: a URL, or what libpq takes.
            schema: where the tables are.
            wait_seconds: how long a step tries to reach the server, and to hear its answer.
            synchronous_commit: see `Connection.begin`.
            is_shared: see `Connection.begin`.
            on_connect: called with each connection.
        """
        conninfo = _SQLALCHEMY.sub("postgresql://", conninfo)
        self.place = place(conninfo)
        self._conninfo = _with_limits(conninfo, wait_seconds)
        self._schema = schema
        self._synchronous_commit = synchronous_commit
        self._is_shared = is_shared
        self._on_connect = on_connect

    def connect(self, deadline: float) -> Connection:
        """Open a session, and give up what the server does not answer by the deadline."""
        connection = Connection.begin(
            self._conninfo,
            self._schema,
            synchronous_commit=self._synchronous_commit,
            is_shared=self._is_shared,
            deadline=deadline,
        )
        self._on_connect(connection)
        return connection


def _with_limits(conninfo: str, wait_seconds: float) -> str:
    """Return a connection string that says when libpq gives up a server that acknowledges nothing.

    It would take a quarter of an hour else. An idle connection is tried once a minute, so that
    firewalls do not forget it. What the user has set stays.
    """
    seconds = min(max(2, int(wait_seconds)), 1_000_000)
    limits = {"tcp_user_timeout": seconds * 1000, "keepalives_idle": 60}
    return make_conninfo("", **(limits | conninfo_to_dict(conninfo)), client_encoding="utf8")
