"""A statement that one session sends again and again: parameters go in, rows come out.

A cursor of psycopg's finds out at each call what the statement's placeholders are, whether it is
prepared, and how its columns are read; that takes longer than to send it and to hear the answer.
Here it is found out once. Nothing else is different: the types of the parameters are psycopg's,
and so are the errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from longterm.store._rows import RawRow

_PLACEHOLDER: Final = re.compile(rb"%([sb])")
_FORMATS: Final = {b"s": PyFormat.AUTO, b"b": PyFormat.BINARY}
_ROWS, _DONE = int(ExecStatus.TUPLES_OK), int(ExecStatus.COMMAND_OK)
_SENT_BEFORE: Final = 5
"""So often a statement is sent before it is prepared, which takes a round trip of its own."""


class SentStatement:
    """One statement of one session."""

    __slots__ = (
        *("_formats", "_knows_columns", "_names", "_numbers", "_query", "_session", "_times"),
        "_tx",
    )

    def __init__(
        self, session: psycopg.Connection[Any], query: bytes, numbers: count[int] | None = None
    ) -> None:
        """Have it not sent yet.

        Args:
            session: what it is sent in.
            query: its text; the placeholders are `%s` and `%b`, as psycopg writes them.
            numbers: draws numbers for the names of what is prepared; None: nothing is.
        """
        self._session = session
        self._tx = Transformer(session)
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
        tx, pgconn = self._tx, self._session.pgconn
        values = tx.dump_sequence(parameters, self._formats)
        types = tx.types or ()
        name = self._names.get(types) or self._prepared(types)
        if name is None:
            pgconn.send_query_params(
                self._query, values, types, param_formats=tx.formats, result_format=Format.BINARY
            )
        else:
            pgconn.send_query_prepared(
                name, values, param_formats=tx.formats, result_format=Format.BINARY
            )
        result = self._answer(pgconn)
        tx.set_pgresult(result, set_loaders=not self._knows_columns)
        self._knows_columns = name is not None
        try:
            return tx.load_rows(0, result.ntuples, tuple)
        except UnicodeDecodeError:
            return [self._row(result, number) for number in range(result.ntuples)]

    def _prepared(self, types: tuple[int, ...]) -> bytes | None:
        """Prepare it for parameters of these types, if it was sent often enough; return its name.

        The number is drawn before: should a signal interrupt this, no other one gets the name.
        """
        self._times += 1
        if self._numbers is None or self._times <= _SENT_BEFORE:
            return None
        name = b"longterm_%d" % next(self._numbers)
        self._session.pgconn.send_prepare(name, self._query, types)
        self._answer(self._session.pgconn)
        self._names[types] = name
        return name

    def _answer(self, pgconn: PGconn) -> PGresult:
        """Return what the server answered: one result, or more of a connection that broke."""
        results: list[PGresult] = self._session.wait(execute(pgconn))
        for result in results:
            if result.status != _ROWS and result.status != _DONE:
                raise error_from_result(result)
        return results[-1]

    def _row(self, result: PGresult, number: int) -> tuple[Any, ...]:
        try:
            return self._tx.load_row(number, tuple)
        except UnicodeDecodeError:
            return RawRow(result.get_value(number, column) for column in range(result.nfields))
