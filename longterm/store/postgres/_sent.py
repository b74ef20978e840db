"""A statement that one session sends again and again: parameters go in, rows come out.

A cursor of psycopg's finds out at each call what the statement's placeholders are, whether it is
prepared, and how its columns are read; that takes longer than to send it and to hear the answer.
Here it is found out once. Nothing else is different: the types of the parameters are psycopg's,
and so are the errors.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, Protocol

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader, PyFormat, Transformer
from psycopg.errors import DataError, error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.types.datetime import TimestamptzBinaryLoader

from longterm.store._rows import NoMoment, RawRow

_PLACEHOLDER: Final = re.compile(rb"%([sb])")
_FORMATS: Final = {b"s": PyFormat.AUTO, b"b": PyFormat.BINARY}
_BINARY: Final = Format.BINARY
_ROWS, _DONE = int(ExecStatus.TUPLES_OK), int(ExecStatus.COMMAND_OK)
_SENT_BEFORE: Final = 5
"""So often a statement is sent before it is prepared, which takes a round trip of its own."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Postgres counts from here, in microseconds."""


class _NoSession:
    """What values are read by: psycopg's adapters as without a session, in UTF-8 and in UTC.

    In a session's own time zone, some moments are in a year that Python has not.
    """

    connection = None

    def __init__(self, moments: type[Loader]) -> None:
        """Read moments in a way of their own."""
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_loader("timestamptz", moments)


class _LenientMomentLoader(Loader):
    """Reads moments of which Python has not all."""

    format = _BINARY

    def load(self, data: Buffer) -> datetime | NoMoment:
        """Return the moment."""
        (microseconds,) = struct.unpack("!q", data)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            return NoMoment()  # an error would cost every row that was asked for with it


_STRICT: Final = _NoSession(TimestamptzBinaryLoader)
_LENIENT: Final = _NoSession(_LenientMomentLoader)


class Session(AdaptContext, Protocol):
    """What a statement is sent in."""

    @property
    def pgconn(self) -> PGconn:
        """The session as libpq has it."""
        ...

    def answer(self) -> list[PGresult]:
        """Return the results of what was sent."""
        ...

    def break_off(self) -> None:
        """Settle what was sent, since nobody waits for its answer."""
        ...


class SentStatement:
    """One statement of one session."""

    __slots__ = (
        *("_formats", "_knows_columns", "_names", "_numbers", "_query", "_reads", "_session"),
        *("_times", "_writes"),
    )

    def __init__(self, session: Session, query: bytes, numbers: count[int] | None = None) -> None:
        """Have it not sent yet.

        Args:
            session: what it is sent in.
            query: its text; the placeholders are `%s` and `%b`, as psycopg writes them.
            numbers: draws numbers for the names of what is prepared; None: nothing is.
        """
        self._session = session
        self._writes, self._reads = Transformer(session), Transformer(_STRICT)
        self._formats = [_FORMATS[kind] for kind in _PLACEHOLDER.findall(query)]
        places = count(1)
        self._query = _PLACEHOLDER.sub(lambda _: b"$%d" % next(places), query)
        self._numbers = numbers
        self._names: dict[tuple[int, ...], bytes] = {}
        """What it is called where it is prepared, by the types of its parameters."""
        self._times = 0
        self._knows_columns = False
        """Whether it is known how to read its rows: those of a prepared statement never change."""

    def ask(self, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Send it, and return what came; a row that psycopg cannot read comes as its bytes.

        Args:
            parameters: one for each placeholder.

        Raises:
            psycopg.Error: it failed.
        """
        writes, reads, pgconn = self._writes, self._reads, self._session.pgconn
        values = writes.dump_sequence(parameters, self._formats)
        types = writes.types or ()
        name = self._names.get(types) or self._prepared(types)
        try:
            if name is None:
                pgconn.send_query_params(
                    self._query, values, types, param_formats=writes.formats, result_format=_BINARY
                )
            else:
                pgconn.send_query_prepared(
                    name, values, param_formats=writes.formats, result_format=_BINARY
                )
            result = self._answer()
        except psycopg.Error:
            raise
        except BaseException:  # of a signal
            self._session.break_off()
            raise
        reads.set_pgresult(result, set_loaders=not self._knows_columns)
        self._knows_columns = name is not None
        try:
            return reads.load_rows(0, result.ntuples, tuple)
        except (UnicodeDecodeError, DataError):
            return _leniently(result)

    def _prepared(self, types: tuple[int, ...]) -> bytes | None:
        """Prepare it for parameters of these types, if it was sent often enough; return its name.

        The number is drawn before: should a signal interrupt this, no other one gets the name.
        """
        self._times += 1
        if self._numbers is None or self._times <= _SENT_BEFORE:
            return None
        name = b"longterm_%d" % next(self._numbers)
        self._session.pgconn.send_prepare(name, self._query, types)
        self._answer()
        self._names[types] = name
        return name

    def _answer(self) -> PGresult:
        """Return what the server answered: one result, or more of a connection that broke."""
        results = self._session.answer()
        for result in results:
            if result.status != _ROWS and result.status != _DONE:
                raise error_from_result(result)
        return results[-1]


def _leniently(result: PGresult) -> list[tuple[Any, ...]]:
    """Read rows of which some have a value that psycopg cannot read."""
    tx = Transformer(_LENIENT)
    tx.set_pgresult(result)
    return [_row(tx, result, number) for number in range(result.ntuples)]


def _row(tx: Any, result: PGresult, number: int) -> tuple[Any, ...]:
    try:
        row: tuple[Any, ...] = tx.load_row(number, tuple)
    except UnicodeDecodeError:
        return RawRow(result.get_value(number, column) for column in range(result.nfields))
    return row
