"""The database of one Postgres store: a statement goes in, its rows come out, or a StoreError.

Sends a statement again when a connection broke, and takes another one, until `wait_seconds` are
over. Knows nothing of runs.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, LiteralString, Protocol, TypeVar

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

from longterm._fork import register_reset
from longterm.errors import StoreError, closed_store
from longterm.store._budget import Budget
from longterm.store._loop_steps import TakesStep
from longterm.store._step_lock import StepLock
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._errors import as_store_error, is_lost, is_undone
from longterm.store.postgres._loops import sleep
from longterm.store.postgres._names import Schema
from longterm.store.postgres._pool import NoConnection
from longterm.store.postgres._schema import ensure_schema
from longterm.store.postgres._statements.waking import HINT

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
"""Seconds between two tries: so soon after the server is back does the store work again."""

_HINT_SECONDS: Final = 2.0

_T = TypeVar("_T")


class Lends(AbstractContextManager["Lends"], Protocol):
    """What lends one connection while it is entered, as `PlaceLoan` does."""

    def take(self, deadline: float) -> Connection:
        """Return a connection, or raise `NoConnection`, if there is none until the deadline."""
        ...


class Pool(Protocol):
    """What connections come from."""

    @property
    def take_step(self) -> TakesStep | None:
        """What takes steps in an event loop; None: it blocks where it waits."""
        ...

    def loan(self) -> Lends:
        """Return what a connection is lent by."""
        ...

    def lend(self, held: list[Any], deadline: float) -> Connection:
        """Return a connection as a loan does; what is to be taken back is put into `held`."""
        ...

    def take_back(self, held: list[Any]) -> None:
        """Take back what is held, if anything is, and empty the list."""
        ...

    def share(self, budget: Budget) -> None:
        """Have the connections counted in a budget, unless they are somebody else's affair."""
        ...

    def close(self) -> None:
        """End all sessions that were opened for the store, and lend none any more."""
        ...


@dataclass(slots=True)  # not frozen: that makes it take three times as long
class Answer:
    """What came of a statement."""

    rows: list[tuple[Any, ...]]
    is_repeated: bool
    """A connection broke after the statement was sent, and it was sent again: the server may have
    taken the step before, so that an answer of no rows need not mean what it says."""


class Database:
    """Sends statements, each a transaction of its own."""

    take_step: TakesStep | None = None
    """What takes steps in an event loop, once it is known that the schema is there."""

    def __init__(
        self,
        pool: Pool,
        place: str,
        schema: Schema,
        wait_seconds: float,
        *,
        migrate: bool,
        answer_seconds: float | None = None,
    ) -> None:
        """Send statements over the connections of a pool.

        Args:
            pool: what lends connections.
            place: names the database in errors.
            schema: where the tables are.
            wait_seconds: how long a step tries to reach the server, and to hear its answer.
            migrate: whether the schema is brought up to date at the first use, or only checked.
            answer_seconds: after what time without an answer to ask another server; None: there is
                none.
        """
        self._pool = pool
        self.place = place
        self._schema = schema
        self._wait_seconds = wait_seconds
        self._least_seconds = min(wait_seconds, 1.0)
        self._answer_seconds = math.inf if answer_seconds is None else answer_seconds
        self._has_written = False
        self._migrate = migrate
        self._is_prepared = self._is_closed = False
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
        until: float | None = None,
    ) -> Answer:
        """Send a statement that is atomic in itself until the server has answered it.

        Unless it `is_prepared`, the server plans it anew for these parameters. As a part of a step
        of several statements, it is given the time `until` that step must end.

        Raises:
            StoreError: it failed, or the server could not be reached for `wait_seconds`, or did
                not answer for so long.
        """
        deadline = self.end_of_step() if until is None else until
        if not self._is_prepared:
            self._make_ready(operation, deadline)
        pool, pause, is_repeated = self._pool, _FIRST_PAUSE, False
        held: list[Any]
        while True:
            connection, held = None, []
            try:
                try:
                    connection = pool.lend(held, deadline)
                    connection.deadline = self._end_of_answer(deadline)
                    if is_prepared:
                        rows = connection.ask(statement, parameters)
                    else:
                        rows = connection.ask_once(statement, parameters)
                    if not self._has_written:
                        self._has_written = not statement.startswith("SELECT")
                    return Answer(rows, is_repeated)
                finally:
                    if held:
                        pool.take_back(held)
            except (psycopg.Error, UnicodeEncodeError) as error:
                if not self._may_repeat(error, connection) or time.monotonic() > deadline:
                    raise self.error(error, operation) from error
                is_repeated = is_repeated or (connection is not None and is_lost(error))
            except NoConnection as error:
                raise self._none(error, operation) from error.__cause__
            finally:
                if held:  # as a loan that is entered twice; an event takes two such steps
                    pool.take_back(held)
            # Not all at the same moment, when many wait for the server to come back.
            sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def end_of_step(self) -> float:
        """Return when a step that begins now must end, by the monotonic clock."""
        return time.monotonic() + self._wait_seconds

    def hint(self, message: str) -> None:
        """Tell resting workers something, once, and for two seconds at most.

        Raises:
            Exception: it may not have been told.
        """
        deadline = time.monotonic() + min(self._wait_seconds, _HINT_SECONDS)
        with self._pool.loan() as loan, loan:
            connection = loan.take(deadline)
            connection.deadline = deadline
            connection.ask(HINT, (message,))

    def on_connection(self, step: Callable[[Connection, str], _T], operation: str) -> _T:
        """Take a step of several statements, before the schema is looked at.

        Raises:
            StoreError: the step failed, or the server cannot be reached.
        """
        return self._on_connection(step, operation, time.monotonic() + self._wait_seconds)

    def error(self, error: Exception, operation: str) -> StoreError:
        """Say in the user's words what failed."""
        return as_store_error(error, f"{operation} in {self.place}", self._schema)

    def share(self, budget: Budget) -> None:
        """Have the connections counted in a budget, with those of other databases."""
        self._pool.share(budget)

    def close(self) -> None:
        """End every session."""
        self._is_closed = True
        self._pool.close()

    def _end_of_answer(self, deadline: float) -> float:
        """Return until when to wait for an answer: soon enough to ask another server after it."""
        now = time.monotonic()
        end, least = now + self._answer_seconds, now + self._least_seconds
        if end > deadline:
            end = deadline
        return end if end > least else least  # who waited for a connection has a fair time, too

    def _may_repeat(self, error: Exception, connection: Connection | None) -> bool:
        """Whether a statement that failed so is to be sent again."""
        if isinstance(error, ReadOnlySqlTransaction):
            # A server that could be written has become a standby: another one takes over, and the
            # sessions with this one are of no use. One that never could be is a mistake in the URL.
            if connection is not None:
                connection.close()
            return self._has_written
        return is_lost(error) or is_undone(error)

    def _make_ready(self, operation: str, deadline: float) -> None:
        """Prepare the database, at its first use."""
        with self._preparing.alone():
            if self._is_closed:
                raise closed_store()
            if self._is_prepared:
                return
            prepare = partial(ensure_schema, migrate=self._migrate)
            self._on_connection(prepare, f"open the store for: {operation}", deadline)
            self._is_prepared, self.take_step = True, self._pool.take_step

    def _on_connection(
        self, step: Callable[[Connection, str], _T], operation: str, deadline: float
    ) -> _T:
        try:
            with self._pool.loan() as loan, loan:
                connection = loan.take(deadline)
                connection.deadline = max(deadline, time.monotonic() + self._least_seconds)
                return step(connection, self.place)
        except psycopg.Error as error:
            raise self.error(error, operation) from error
        except NoConnection as error:
            raise self._none(error, operation) from error.__cause__

    def _none(self, error: NoConnection, operation: str) -> StoreError:
        return StoreError(f"cannot {operation} in {self.place}: {error}")
