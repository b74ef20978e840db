"""What a resting worker hears from Postgres: that somebody saved a run that will be due soon.

A connection of its own listens on the channel that is called as the schema; a message is a
deadline in seconds since 1970, or 0 for what can be done at once (see `_waker`). That needs a
session of its own: behind a pooler nothing is heard, and the worker has to look.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import psycopg

from longterm._fork import register_reset
from longterm.errors import StoreError, closed_store
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._waker import NOW

_SLICE_SECONDS: Final = 0.25
"""How long to listen before asking again whether to stop."""

_CLOCKS_SECONDS: Final = 1.0
"""A moment that was still to come by the clock of who saved it may be past by this machine's."""


class Listener:
    """Listens while a worker rests; opens its connection when it first does."""

    def __init__(
        self,
        connect: Callable[[float], Connection] | None,
        error: Callable[[Exception, str], StoreError],
        wait_seconds: float,
    ) -> None:
        """Note how to work.

        Args:
            connect: opens a session until a deadline; None: there is none to be had.
            error: says what failed.
            wait_seconds: how long to wait for an answer.
        """
        self._connect = connect
        self._error = error
        self._wait_seconds = wait_seconds
        self._is_closed, self._is_deaf = False, connect is None
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Let go of what belongs to the parent process: its connection stays open, unclosed."""
        # The exception of a signal may leave it held; then its thread can still take it again.
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    def listen(self) -> bool:
        """Listen; what is heard from now on ends the next `wait`, or shortens it.

        A connection of before is asked whether it still works: one that nobody answers any more
        is as silent as one on which there is nothing to be heard.

        Returns whether nothing was heard up to now: it begins just now, or there is a pooler.

        Raises:
            StoreError: the server cannot be reached, or the store is closed.
        """
        if self._is_closed:
            raise closed_store()
        if not self._lock.acquire(blocking=False):
            return False  # another worker of this process is listening
        try:
            if self._connection is not None and self._still_answers(self._connection):
                return False
            if self._connect is not None and not self._is_deaf:
                deadline = time.monotonic() + self._wait_seconds
                self._connection = connection = self._connect(deadline)
                if connection.is_shared:
                    self._is_deaf = True
                    self._hang_up()
                else:
                    self._ask(connection)
            return True
        except Exception as error:
            raise self._lost(error) from error
        finally:
            self._lock.release()

    def wait(
        self,
        *,
        begin: float,
        looked_at: datetime,
        now: datetime,
        until: datetime,
        is_stopped: Callable[[], bool],
    ) -> None:
        """Wait until a moment, or until the soonest deadline that is heard of meanwhile.

        Args:
            begin: what the monotonic clock said at the moment `now`.
            looked_at: the worker has seen what was due then; such a deadline is not heard.
            now: the moment from which the others count.
            until: when to end at the latest.
            is_stopped: says whether to end at once.
        """
        end = begin + (until - now).total_seconds()
        seen = looked_at.timestamp() - _CLOCKS_SECONDS
        if self._is_deaf:
            _sleep(end, is_stopped)
            return
        if not self._lock.acquire(blocking=False):
            self._wait_for_a_place(end, is_stopped)
            return
        try:
            while (left := end - time.monotonic()) > 0 and not is_stopped():
                # Another worker may have lost the connection since this one began to listen.
                if (connection := self._connection) is None:
                    return
                for deadline in self._heard(connection, min(left, _SLICE_SECONDS)):
                    if deadline == NOW or deadline > seen:
                        end = min(end, begin + deadline - now.timestamp())
        finally:
            self._lock.release()

    def _wait_for_a_place(self, end: float, is_stopped: Callable[[], bool]) -> None:
        """Wait beside the one worker of this process that listens, until it has left off.

        What it heard it told nobody, so whoever comes after it has to look again.
        """
        while (left := end - time.monotonic()) > 0 and not is_stopped():
            if self._lock.acquire(timeout=min(left, _SLICE_SECONDS)):
                self._lock.release()
                return

    def close(self) -> None:
        """Stop listening, for ever."""
        self._is_closed = True
        self._hang_up()

    def _still_answers(self, connection: Connection) -> bool:
        try:
            self._ask(connection)
        except psycopg.Error:
            self._hang_up()
            return False
        return True

    def _ask(self, connection: Connection) -> None:
        connection.deadline = time.monotonic() + self._wait_seconds
        connection.execute(connection.schema.sql("LISTEN longterm"))  # once more does no harm
        connection.deadline = math.inf  # to hear nothing is no fault

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _heard(self, connection: Connection, seconds: float) -> list[float]:
        try:
            heard = [*connection.notifies(timeout=seconds, stop_after=1)]
            heard += connection.notifies(timeout=0)  # one look is enough for all
            return [_deadline(message.payload) for message in heard]
        except Exception as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> StoreError:
        self._hang_up()
        return self._error(error, "listen for work")


def _sleep(end: float, is_stopped: Callable[[], bool]) -> None:
    while (left := end - time.monotonic()) > 0 and not is_stopped():
        time.sleep(min(left, _SLICE_SECONDS))


def _deadline(message: str) -> float:
    """Read a deadline; what another application says on the channel is never due."""
    try:
        return float(message)
    except ValueError:
        return math.inf
