"""How one store reaches its server: a connection string in, sessions out.

A connection string may name several servers, of which one can be written: a primary and its
standbys. Each has a share of the time, and the one that answered last is asked first: libpq would
give a machine that is gone all the time there is, at each attempt anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from longterm.errors import StoreError
from longterm.store.postgres._connection import Connection, Host
from longterm.store.postgres._errors import one_line, place
from longterm.store.postgres._names import Schema

_SQLALCHEMY: Final = re.compile(r"^postgresql\+psycopg(_async)?://")
"""How SQLAlchemy begins the URL of a database that it reaches by psycopg."""

_HOSTS: Final = re.compile(r"[^:,/@]+(:\d+)?(,[^:,/@]+(:\d+)?)*")
_LISTS: Final = ("host", "hostaddr", "port")
_PRIMARY: Final = ("read-write", "primary")


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
        self._hosts = [Host(each) for each in _each_host(_with_limits(conninfo, wait_seconds))]
        """The one that answered last is the first."""
        self._schema = schema
        self._synchronous_commit = synchronous_commit
        self._is_shared = is_shared
        self._on_connect = on_connect

    @property
    def has_several(self) -> bool:
        """Whether another server may take over from the one that is in use."""
        return len(self._hosts) > 1

    def connect(self, deadline: float) -> Connection:
        """Open a session, and give up what the server does not answer by the deadline.

        Raises:
            psycopg.Error: no server could be reached.
        """
        errors: list[psycopg.Error] = []
        hosts = sorted(self._hosts, key=lambda host: host.silent_at)  # the last to be silent last
        for number, host in enumerate(hosts):
            share = (deadline - monotonic()) / (len(hosts) - number)
            try:
                connection = self._begin(host, monotonic() + share)
            except psycopg.Error as error:
                errors.append(error)
                continue
            if self._hosts[0] is not host:
                self._hosts = [host, *(other for other in self._hosts if other is not host)]
            self._on_connect(connection)
            return connection
        if len(errors) == 1:
            raise errors[0]
        raise psycopg.OperationalError("; ".join(map(one_line, errors))) from errors[-1]

    def _begin(self, host: Host, deadline: float) -> Connection:
        opened_at = monotonic()
        connection = Connection.begin(
            host.conninfo,
            self._schema,
            synchronous_commit=self._synchronous_commit,
            is_shared=self._is_shared,
            deadline=deadline,
        )
        connection.host, connection.opened_at = host, opened_at
        return connection


def _with_limits(conninfo: str, wait_seconds: float) -> str:
    """Return a connection string that says when libpq gives up a server that acknowledges nothing.

    It would take a quarter of an hour else. An idle connection is tried once a minute, so that
    firewalls do not forget it. What the user has set stays.
    """
    seconds = min(max(2, int(wait_seconds)), 1_000_000)
    limits = {"tcp_user_timeout": seconds * 1000, "keepalives_idle": 60}
    return make_conninfo("", **(limits | conninfo_to_dict(conninfo)), client_encoding="utf8")


def _each_host(conninfo: str) -> list[str]:
    """Return a connection string for each server that one names; of them, one can be written.

    One that asks for something else of several is left to libpq, and so is one that is wrong.
    """
    parts = conninfo_to_dict(conninfo)
    lists = {name: str(parts[name]).split(",") for name in _LISTS if parts.get(name)}
    count = max(map(len, lists.values()), default=1)
    is_usual = parts.get("target_session_attrs", "read-write") in _PRIMARY
    is_whole = all(
        len(each) == count or (name == "port" and len(each) == 1) for name, each in lists.items()
    )
    if count == 1 or not is_usual or not is_whole:
        return [conninfo]
    usual = {"target_session_attrs": "read-write"} | parts
    return [
        make_conninfo("", **(usual | {name: each[n % len(each)] for name, each in lists.items()}))
        for n in range(count)
    ]


def past_pooler(conninfo: str | None, listen: str) -> str:
    """Return the connection string of the server behind a pooler.

    Args:
        conninfo: that of the pooler, if it is known.
        listen: `host:port`, several of them with commas between, or a connection string.

    Raises:
        StoreError: they do not make one.
    """
    if "://" in listen or "=" in listen:
        return listen
    if conninfo is None:
        raise StoreError(
            f"listen={listen!r} has no user and no database, and a pool does not tell them (write "
            "listen='postgresql://host/database')"
        )
    if not _HOSTS.fullmatch(listen):
        raise StoreError(f"listen={listen!r} names no server (write listen=db:5432)")
    hosts, _, ports = zip(*(each.partition(":") for each in listen.split(",")), strict=True)
    parts = conninfo_to_dict(_SQLALCHEMY.sub("postgresql://", conninfo))
    where = {"host": ",".join(hosts), "port": ",".join(port or "5432" for port in ports)}
    return make_conninfo("", **(parts | where | {"hostaddr": None}))
