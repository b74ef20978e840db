"""What Postgres's errors mean to a user: an exception of psycopg in, a StoreError out.

Never raises; whoever caught the error raises what it gets.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from longterm.errors import StoreError
from longterm.store.postgres._connection import CutOff, Unanswered
from longterm.store.postgres._names import Schema

_MEANINGS: Final[tuple[tuple[type[psycopg.Error], str, str], ...]] = (
    (
        errors.InsufficientPrivilege,
        "this user may not",
        "grant it USAGE on schema longterm, and SELECT, INSERT, UPDATE and DELETE on its tables",
    ),
    (
        errors.ReadOnlySqlTransaction,
        "the server only answers questions",
        "name the primary server, or add target_session_attrs=read-write to the URL",
    ),
    (
        errors.ProgramLimitExceeded,
        "a value is too large",
        "keep the names of events and the facts of a run shorter than 2,000 bytes",
    ),
    (errors.DiskFull, "the server's disk is full", "free some space there and try again"),
    (
        errors.UndefinedTable,
        "the tables of schema longterm are gone",
        "restore them from a backup, or start again to have them made anew",
    ),
    (
        errors.DuplicatePreparedStatement,
        "a pooler has given the session to another client",
        "add pooler=yes to the URL",
    ),
    (
        errors.InvalidSqlStatementName,
        "a pooler has given the session to another client",
        "add pooler=yes to the URL",
    ),
    (
        errors.QueryCanceled,
        "the server broke off the statement",
        "see its statement_timeout, or who cancelled it",
    ),
    (
        errors.LockNotAvailable,
        "somebody else holds the row or the table",
        "end the transaction that is left open, or raise the server's lock_timeout",
    ),
)


_URL: Final = re.compile(r"postgres(?:ql)?://")
_AUTHORITY: Final = re.compile(r"\w+://(?:[^@/?]*@)?[^@?]*(?:\?.*)?", re.DOTALL)
_PORTS: Final = re.compile(r"[0-9,]*")
_WRITE: Final = (
    "write postgresql://user:password@host:5432/database; in a password write %40 for @, %2F for "
    "/, %3A for :, %3F for ?, %23 for #, %25 for % and %20 for a space"
)


def as_store_error(error: Exception, operation: str, schema: Schema) -> StoreError:
    """Say in the user's words what failed, why, and what to do.

    Args:
        error: what psycopg raised.
        operation: the step that failed, such as `save run 'r1' in database 'shop' at db:5432`.
        schema: where the tables are.
    """
    if isinstance(error, UnicodeEncodeError):
        return StoreError(
            f"cannot {operation}: {error.object!r} is not valid Unicode (leave out lone surrogates)"
        )
    for kind, cause, way_out in _MEANINGS:
        if isinstance(error, kind):
            meaning = schema.sql(f"{cause} ({way_out})").decode()
            return StoreError(f"cannot {operation}: {meaning}: {one_line(error)}")
    if isinstance(error, Unanswered):
        return StoreError(
            f"cannot {operation}: the server took the statement and did not answer in time, so "
            "nobody knows whether it was done (check the server; get_run shows how a run stands; "
            "to wait longer, allow more `wait_seconds`)"
        )
    if isinstance(error, CutOff):
        return StoreError(
            f"cannot {operation}: the server committed it and stopped waiting for its standby, so "
            "a failover may undo it (see who cancelled it, and whether the standby follows; "
            "get_run shows how a run stands)"
        )
    if is_lost(error):
        return StoreError(
            f"cannot {operation}: the server cannot be reached (check that it runs, and the URL): "
            f"{one_line(error)}"
        )
    return StoreError(f"cannot {operation}: {one_line(error)} (the message is Postgres's own)")


def is_lost(error: Exception) -> bool:
    """Whether the connection broke, so that nobody knows if the step was taken."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    # Without a state, the message is libpq's: the server did not answer.
    return isinstance(error, psycopg.OperationalError) and (
        error.sqlstate is None or error.sqlstate[:2] == "08" or error.sqlstate[:3] == "57P"
    )


def is_undone(error: Exception) -> bool:
    """Whether the server undid the step for the sake of another, so that it may be tried again.

    Two steps that insert one key both look first whether it is there, so the second looks again.
    """
    undone = (errors.SerializationFailure, errors.DeadlockDetected)
    return isinstance(error, undone) or has_key_twice(error)


def has_key_twice(error: Exception) -> bool:
    """Whether another step had inserted a key in the moment in which this one did."""
    if isinstance(error, errors.InternalError_):  # what Citus makes of what a node said
        return "deliveries_pkey" in str(error)
    return isinstance(error, errors.UniqueViolation)


def place(conninfo: str) -> str:
    """Name a database for error messages, without the password.

    Raises:
        StoreError: the URL is not one of a Postgres database.
    """
    # libpq's own words about a URL quote parts of it, and would take a part of the password for
    # the host, the port, the database or an option. So they are neither shown nor chained.
    if _URL.match(conninfo) and not _AUTHORITY.fullmatch(conninfo):
        raise StoreError(
            f"the Postgres URL has an @ that does not stand before the host ({_WRITE})"
        )
    try:
        parts = conninfo_to_dict(conninfo)
    except (psycopg.ProgrammingError, ValueError):
        raise StoreError(
            f"the Postgres URL cannot be read{_similar_option(conninfo)} ({_WRITE})"
        ) from None
    if not _PORTS.fullmatch(str(parts.get("port") or "")):
        raise StoreError(f"the Postgres URL has a port that is no number ({_WRITE})")
    name = parts.get("dbname") or parts.get("user") or "of this user"
    host, port = parts.get("host") or "the local server", parts.get("port")
    return f"database {name!r} at {host}{f':{port}' if port else ''}"


def _similar_option(conninfo: str) -> str:
    """Say which of libpq's options was meant by one that it does not know."""
    known = [option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()]
    for name in re.findall(r"[?&\s](\w+)=", conninfo):
        if name not in known:
            for similar in get_close_matches(name, known, n=1):
                return f": an option is unknown (is it {similar}?)"
    return ""


def one_line(error: Exception) -> str:
    """Return what Postgres says, without its line breaks."""
    return " ".join(str(error).split())
