"""One session with a Postgres server: a statement goes in, its rows come out, by a deadline.

TCP notices that a peer is gone, not that it is silent: a server that is stopped, or a proxy that
lost its server, acknowledges each packet and never answers. So each wait here has an end.

A pooler gives each transaction whatever session of the server is free. There, nothing may be left
behind in a session: no prepared statement, and no setting that outlives its transaction.
"""

from __future__ import annotations

import math
import select
import weakref
from asyncio import _get_running_loop
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from time import monotonic, time
from typing import Any, Final, LiteralString, NamedTuple, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic
from psycopg.generators import execute, fetch_many
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from longterm.errors import StoreError
from longterm.store.postgres._loops import current_step
from longterm.store.postgres._names import Schema
from longterm.store.postgres._sent import SentStatement

_SHORTEST_CONNECT: Final = 2
"""Seconds; psycopg takes no less for an attempt to connect, as libpq does."""

_SIGNAL_SECONDS: Final = 0.1
"""How long a wait for the server may keep a signal waiting."""
_LOOK: Final = _SIGNAL_SECONDS * 1000
_CANCEL_SECONDS: Final = 5.0

# `off` acknowledges a commit before it is on the disk. What is stronger than `on` is the DBA's
# choice, and so is what is weaker but still waits for the disk.
_SYNCHRONOUS_COMMIT: Final[LiteralString] = (
    "'synchronous_commit', coalesce(%s::text, CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END)"
)
# A commit that nobody waits for any more is told by a warning, so warnings must come.
_WARNINGS: Final[LiteralString] = "'client_min_messages', 'warning'"
# A pooler makes up the process id that it tells its clients when they connect.
_BEGIN: Final[LiteralString] = (
    "SELECT clock_timestamp(), shared.is_so,"
    f" CASE WHEN NOT shared.is_so THEN set_config({_SYNCHRONOUS_COMMIT}, false)"
    f" || set_config({_WARNINGS}, false) END"
    " FROM (SELECT coalesce(%s::boolean, pg_backend_pid() <> %s)) AS shared (is_so)"
)
# Holds until the transaction of the statement ends, that is for its commit. A call, and so good at
# the end of a FROM as well as of a RETURNING.
_FOR_THIS_COMMIT: Final[LiteralString] = (
    f", concat(set_config({_SYNCHRONOUS_COMMIT}, true), set_config({_WARNINGS}, true))"
)
_CHANGES: Final = (" RETURNING ", ".claim_queued(")
"""What stands in statements that change anything."""
_SETTINGS: Final = (None, "on", "off", "local", "remote_write", "remote_apply")
_WAIT_FOR_STANDBY: Final = "SyncRepWaitForLSN"
"""The function of Postgres's that warns of a commit that it waits for no more."""

_T = TypeVar("_T")


def check_synchronous_commit(given: str | None) -> None:
    """Refuse what Postgres does not have for it."""
    if given not in _SETTINGS:
        raise StoreError(
            f"synchronous_commit={given!r} is no setting of Postgres "
            f"(choose from {', '.join(filter(None, _SETTINGS))})"
        )


class Unanswered(psycopg.OperationalError):
    """The server has the statement and gave no answer in time, so nobody knows if it was done."""


class CutOff(psycopg.OperationalError):
    """The server committed and stopped waiting for its standby, so a failover may undo the step."""


class Reading(NamedTuple):
    """What the server's clock said, between two moments of this machine's (seconds since 1970)."""

    asked_at: float
    server: datetime
    heard_at: float


class Host:
    """One server, of those that a connection string names."""

    silent_at = -math.inf
    """When it last had a statement and did not answer, by the monotonic clock."""

    def __init__(self, conninfo: str) -> None:
        """Note where it is."""
        self.conninfo = conninfo


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A session that knows the statements which are sent again and again.

    Each keeps its last rows, until the next ones or the session's end.
    """

    deadline = math.inf
    """When, by the monotonic clock, to give up waiting for the server."""
    reading: Reading
    """What the server's clock said when the session began."""
    schema: Schema
    """Where the tables are that its statements name."""
    host: Host | None = None
    """The server, if it is the store's own session."""
    opened_at = math.inf
    is_shared = False
    """Whether the server's session serves others too, between two transactions of this one."""
    _synchronous_commit: str | None = None
    _is_cut_off = False
    _poll: select.poll | None = None
    """Looks whether the server has sent anything; None: psycopg is to look."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Wrap a session of libpq, as psycopg does."""
        super().__init__(*args, **options)
        this: weakref.ref[Any] = weakref.ref(self)  # a session that is forgotten is to end
        self.add_notice_handler(lambda notice: _pass_on(this, notice))
        self._sent: dict[str, SentStatement] = {}
        self._numbers: count[int] | None = count()
        """Of what is prepared; None: nothing may be."""

    @classmethod
    def begin(
        cls,
        conninfo: str,
        schema: Schema,
        *,
        synchronous_commit: str | None,
        is_shared: bool | None,
        deadline: float,
    ) -> Self:
        """Connect, and settle how durable a commit is.

        Args:
            conninfo: where the server is; its `connect_timeout`, if any, goes before the deadline.
            schema: where the tables are.
            synchronous_commit: what to set; None: as it is set for this user and database, but
                never `off`.
            is_shared: whether the sessions are a pooler's; None: find out.
            deadline: when to give up, by the monotonic clock.
        """
        timeout = conninfo_to_dict(conninfo).get("connect_timeout")
        if timeout is None:
            timeout = max(_SHORTEST_CONNECT, math.ceil(deadline - monotonic()))
        connection = cls.connect(conninfo, autocommit=True, connect_timeout=timeout)
        connection.schema = schema
        if hasattr(select, "poll"):  # not on Windows
            connection._poll = select.poll()
            connection._poll.register(connection.pgconn.socket, select.POLLIN)
        try:
            connection.deadline = max(deadline, monotonic() + _SHORTEST_CONNECT)
            asked_at = time()
            asked = (synchronous_commit, is_shared, connection.info.backend_pid)
            ((server, found_shared, _),) = connection.ask_once(_BEGIN, asked)
            connection.reading = Reading(asked_at, server, time())
            if found_shared:
                connection.share(synchronous_commit)
        except BaseException as error:
            connection.close()
            if isinstance(error, Unanswered):
                raise psycopg.errors.ConnectionTimeout("connection timeout expired") from None
            raise
        return connection

    def share(self, synchronous_commit: str | None) -> None:
        """Leave nothing behind in the session: it is lent to others too."""
        self.is_shared, self.prepare_threshold, self._numbers = True, None, None
        self._synchronous_commit = synchronous_commit

    def note(self, notice: Diagnostic) -> None:
        """Take note of a warning that the server waits for its standby no more."""
        if notice.source_function == _WAIT_FOR_STANDBY:
            self._is_cut_off = True

    def ask(self, statement: LiteralString, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Send a statement; it is prepared when it has been sent a few times."""
        is_settled = (
            not self.is_shared
            or not self.schema.dialect.settles_commits
            or not any(word in statement for word in _CHANGES)
        )
        if not is_settled:
            statement += _FOR_THIS_COMMIT
            parameters = (*parameters, self._synchronous_commit)
        sent = self._sent.get(statement)
        if sent is None:
            sent = SentStatement(self, self.schema.sql(statement), self._numbers)
            self._sent[statement] = sent
        rows = sent.ask(parameters)
        if self._is_cut_off:
            self._is_cut_off = False
            raise CutOff("the server stopped waiting for its standby")
        return rows if is_settled else [type(row)(row[:-1]) for row in rows]

    def ask_once(
        self, statement: LiteralString, parameters: Sequence[object]
    ) -> list[tuple[Any, ...]]:
        """Send a statement that is to be planned for these very parameters."""
        return SentStatement(self, self.schema.sql(statement)).ask(parameters)

    def answer(self) -> list[PGresult]:
        """Return the results of what was sent, mostly one, as psycopg's `execute` does.

        What has come whole by the first look is taken without that generator, which a thread that
        has just been woken takes long to go through. An event loop has no time to look: whoever may
        wait there knows how.
        """
        pgconn, poll = self.pgconn, self._poll
        if poll is None or pgconn.flush() or _get_running_loop() is not None:
            return self.wait(execute(pgconn))
        has_some = self.deadline - monotonic() > _SIGNAL_SECONDS and poll.poll(_LOOK)
        if has_some:
            pgconn.consume_input()
        if not has_some or pgconn.is_busy():
            return self.wait(execute(pgconn))
        results = []
        while (result := pgconn.get_result()) is not None:
            results.append(result)
            if pgconn.is_busy():
                return [*results, *self.wait(fetch_many(pgconn))]
        return results

    def wait(
        self, gen: PQGen[_T], interval: float = _SIGNAL_SECONDS, timeout: float | None = None
    ) -> _T:
        """Wait for the server as psycopg does, but no longer than to the deadline.

        Everything that psycopg does on a session comes by here: each statement, commit and so on.
        """
        left = self.deadline - monotonic()
        if left < math.inf and (timeout is None or left < timeout):
            timeout = max(0.0, left)
        step = current_step()
        try:
            if step is not None:
                seconds = math.inf if timeout is None else timeout
                return step.wait_for_server(gen, self.pgconn.socket, seconds)
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError as error:
            if monotonic() < self.deadline or error.sqlstate is not None:
                raise
            if self.host is not None:
                self.host.silent_at = monotonic()
            raise Unanswered("the server did not answer in time") from None

    def break_off(self) -> None:
        """Have the server undo a statement that a signal has interrupted, or end it.

        So whoever asks next how things stand sees what became of it. What an event loop or a pool
        of somebody else's waits for is left alone.
        """
        is_ours = self._poll is not None and _get_running_loop() is None
        if is_ours and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=_CANCEL_SECONDS)
                self.wait(execute(self.pgconn), timeout=_CANCEL_SECONDS)

    def __del__(self, _warn: object = None) -> None:
        """End the session in silence: only a step that a signal interrupted forgets to close it."""
        if hasattr(self, "pgconn") and not self.closed:
            self.close()


def _pass_on(this: weakref.ref[Connection], notice: Diagnostic) -> None:
    connection = this()
    if connection is not None:
        connection.note(notice)
