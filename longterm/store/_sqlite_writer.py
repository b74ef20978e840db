"""The one writer of a SQLite file in a process: what must last waits for the disk, the rest not.

The two are groups of their own, so that a claim never waits for the disk behind a save.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from longterm.errors import StoreError
from longterm.forks import begins_anew
from longterm.store._sqlite_file import SQLiteFile
from longterm.store._sqlite_group import Group, Step
from longterm.store._sqlite_log import sync_log
from longterm.store._sqlite_pool import ConnectionPool

_T = TypeVar("_T")

_FAILURES: Final = (sqlite3.Error, UnicodeEncodeError)


class Writer:
    """Writes to a file, for one thread or for all that wait."""

    def __init__(self, file: SQLiteFile, pool: ConnectionPool) -> None:
        """Write to a file, over the connections of a pool."""
        self._file = file
        self._pool = pool
        begins_anew(self)

    def begin_anew(self) -> None:
        """Begin with nothing to write, and nobody who writes."""
        self._writing = threading.Lock()
        self.quick = Group(self._write)
        self.lasting = Group(self._write_and_sync) if self._file.syncs else self.quick

    def write(
        self, action: Callable[[sqlite3.Connection], _T], asked: str, *, is_durable: bool = True
    ) -> _T:
        """Take a step that is atomic in itself, and return what came of it.

        Args:
            action: the step; should the transaction that it shares fail, it is taken again alone.
            asked: what it is, such as `save run 'r1'`.
            is_durable: whether it must be on the disk before this returns. The log is in order:
                when a step is on the disk, so are all before it.

        Raises:
            StoreError: it failed.
        """
        step = Step(action)
        group = self.lasting if is_durable else self.quick
        group.take(step)
        if step.error is None:
            result: _T = step.result
            return result
        if isinstance(step.error, StoreError):
            raise step.error
        raise self._file.error(step.error, f"{asked} in {self._file.path}") from step.error

    def _write_and_sync(self, steps: list[Step]) -> None:
        self._write(steps)
        try:
            sync_log(self._file.path)
        except OSError as error:
            for each in steps:
                each.error = each.error or error

    def _write(self, steps: list[Step]) -> None:
        # By one thread at a time, so over the same connection, which still has the pages at hand.
        with self._writing:
            try:
                connection = self._pool.lend()
            except StoreError as error:
                for each in steps:
                    each.error = error
                return
            try:
                if len(steps) == 1 or not self._take_together(connection, steps):
                    for each in steps:
                        self._take_alone(connection, each)
            finally:
                self._pool.give_back(connection)

    def _take_alone(self, connection: sqlite3.Connection, step: Step) -> None:
        try:
            step.result = self._file.patiently(step.action, connection)
        except _FAILURES as error:
            step.error = error

    def _take_together(self, connection: sqlite3.Connection, steps: list[Step]) -> bool:
        """Take steps in one transaction; return False if it failed, so that none is taken."""
        try:
            self._file.patiently(connection.execute, "BEGIN IMMEDIATE")
        except _FAILURES as error:
            for each in steps:
                each.error = error
            return True
        try:
            results = [each.action(connection) for each in steps]
            connection.execute("COMMIT")
        except _FAILURES:
            connection.rollback()
            return False
        except BaseException:
            connection.rollback()
            raise
        for each, result in zip(steps, results, strict=True):
            each.result = result
        return True
