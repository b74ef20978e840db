"""The one writer of a SQLite file in a process: threads leave their steps, and share transactions.

SQLite admits one writer at a time. So a thread that comes while another one writes leaves its step
in a queue and sleeps; then one of those who sleep writes for all of them, in one transaction, and
has it on the disk by one wait. That is group commit (DeWitt et al., "Implementation techniques for
main memory database systems", 1984).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from longterm.errors import StoreError
from longterm.store._sqlite_file import SQLiteFile
from longterm.store._sqlite_log import Log
from longterm.store._sqlite_pool import ConnectionPool

Action: TypeAlias = Callable[[sqlite3.Connection], list[Any]]
"""Statements of which one at most changes something; returns its rows."""

_FAILURES: Final = (sqlite3.Error, UnicodeEncodeError)


class _Step:
    """What one thread wants written, and what came of it."""

    __slots__ = ("_sleeper", "action", "error", "is_durable", "leads", "rows")

    def __init__(self, action: Action, *, is_durable: bool) -> None:
        self.action = action
        self.is_durable = is_durable
        self.rows: list[Any] | None = None
        self.error: Exception | None = None
        self.leads = False
        """Whether its thread is the one that writes now."""
        self._sleeper: threading.Lock | None = None

    def will_sleep(self) -> None:
        """Prepare its thread's sleep, so that it can be ended before it begins."""
        self._sleeper = threading.Lock()
        self._sleeper.acquire()

    def sleep(self) -> None:
        """Sleep until woken; not at all if there is nothing to wait for."""
        sleeper = self._sleeper
        if sleeper is not None:
            sleeper.acquire()

    def wake(self) -> None:
        """Let its thread go on, if it sleeps."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.release()


class Writer:
    """Writes to a file, for one thread or for all that wait."""

    def __init__(self, file: SQLiteFile, pool: ConnectionPool) -> None:
        """Write to a file, over the connections of a pool."""
        self._file = file
        self._pool = pool
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._queue: list[_Step] = []
        self._is_led = False
        self._log = Log(self._file.path)

    def write(self, action: Action, asked: str, *, is_durable: bool = True) -> list[Any]:
        """Take a step that is atomic in itself, and return its rows.

        Args:
            action: the step; should the transaction that it shares fail, it is taken again alone.
            asked: what it is, such as `save run 'r1'`.
            is_durable: whether it must be on the disk before this returns. The log is in order:
                when a step is on the disk, so are all before it.

        Raises:
            StoreError: it failed.
        """
        if self._pid != os.getpid():
            self._begin()  # after a fork: those that wrote, or waited, are the parent's threads
        step = _Step(action, is_durable=is_durable and self._file.synchronous == "FULL")
        try:
            with self._lock:
                self._queue.append(step)
                if self._is_led:
                    step.will_sleep()
                else:
                    self._is_led = step.leads = True
            step.sleep()
            if step.leads:
                self._lead(step)
        except BaseException:  # an interrupt
            self._abandon(step)
            raise
        if step.error is None:
            assert step.rows is not None
            return step.rows
        if isinstance(step.error, StoreError):
            raise step.error
        raise self._file.error(step.error, f"{asked} in {self._file.path}") from step.error

    def _lead(self, own: _Step) -> None:
        """Take every step in the queue, let another thread lead, and see to it that all last."""
        with self._lock:
            batch, self._queue = self._queue, []
        try:
            self._take(batch)
            self._hand_over(own)
            durable = [each for each in batch if each.is_durable]
            for each in batch:
                if not each.is_durable:
                    each.wake()
            if durable:
                self._make_last(durable)
        except BaseException:
            for each in batch:
                if each.rows is None or each.is_durable:
                    each.error = each.error or sqlite3.OperationalError("interrupted")
            raise
        finally:
            for each in batch:
                each.wake()

    def _hand_over(self, own: _Step) -> None:
        with self._lock:
            own.leads = False
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].wake()
            else:
                self._is_led = False

    def _abandon(self, step: _Step) -> None:
        with self._lock:
            if step in self._queue:
                self._queue.remove(step)
        if step.leads:
            self._hand_over(step)

    def _take(self, batch: list[_Step]) -> None:
        try:
            connection = self._pool.lend()
        except StoreError as error:
            for each in batch:
                each.error = error
            return
        try:
            if len(batch) == 1 or not self._take_together(connection, batch):
                for each in batch:
                    self._take_alone(connection, each)
        finally:
            self._pool.give_back(connection)

    def _take_alone(self, connection: sqlite3.Connection, step: _Step) -> None:
        try:
            step.rows = self._file.patiently(lambda: step.action(connection))
        except _FAILURES as error:
            step.error = error

    def _take_together(self, connection: sqlite3.Connection, batch: list[_Step]) -> bool:
        """Take steps in one transaction; return False if it failed, so that none is taken."""
        try:
            self._file.patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        except _FAILURES as error:
            for each in batch:
                each.error = error
            return True
        try:
            rows = [each.action(connection) for each in batch]
            connection.execute("COMMIT")
        except _FAILURES:
            connection.rollback()
            return False
        except BaseException:
            connection.rollback()
            raise
        for each, its_rows in zip(batch, rows, strict=True):
            each.rows = its_rows
        return True

    def _make_last(self, steps: list[_Step]) -> None:
        try:
            self._log.sync()
        except OSError as error:
            for each in steps:
                each.error = each.error or error
