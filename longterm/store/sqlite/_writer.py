"""The one writer of a SQLite file in a process: what must last waits for the disk, the rest not.

The two are groups of their own, so that a claim never waits for the disk behind a save.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Final, TypeVar

from longterm._fork import register_reset
from longterm.errors import StoreError
from longterm.store._step_lock import interrupted_step
from longterm.store.sqlite._connection import Connection
from longterm.store.sqlite._file import SQLiteFile
from longterm.store.sqlite._group import Group, Step
from longterm.store.sqlite._log import Log
from longterm.store.sqlite._pool import ConnectionPool

_T = TypeVar("_T")

_TOLD: Final = (sqlite3.Error, UnicodeError, OSError)
"""What is told in the user's words; anything else is raised as it is."""


class Writer:
    """Writes to a file, for one thread or for all that wait."""

    def __init__(self, file: SQLiteFile, pool: ConnectionPool) -> None:
        """Write to a file, over the connections of a pool."""
        self._file = file
        self._pool = pool
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Begin with nothing to write, and nobody who writes."""
        self._writing = threading.Lock()
        self._inside: set[int] = set()
        self._log: Log | None = None
        self._disk_error: OSError | None = None
        self.quick = Group(self._write)
        self.lasting = Group(self._write_and_sync) if self._file.syncs else self.quick

    def write(
        self, action: Callable[[Connection], _T], operation: str, *, is_durable: bool = True
    ) -> _T:
        """Take a step that is atomic in itself, and return what came of it.

        Args:
            action: the step; should the transaction that it shares fail, it is taken again alone.
            operation: what it is, such as `save run 'r1'`.
            is_durable: whether it must be on the disk before this returns. The log is in order:
                when a step is on the disk, so are all before it.

        Raises:
            StoreError: it failed.
        """
        # Once the disk has failed, it may have lost what was written before, and not say so again.
        if self._disk_error is not None:
            raise self._file.disk_failed(self._disk_error)
        step = Step(action)
        inside, thread = self._inside, get_ident()
        if thread in inside:
            raise interrupted_step()
        try:
            inside.add(thread)
            (self.lasting if is_durable else self.quick).take(step)
        finally:
            inside.discard(thread)
        if step.error is None:
            result: _T = step.result
            return result
        if isinstance(step.error, _TOLD):
            raise self._file.error(step.error, f"{operation} in {self._file.path}") from step.error
        if isinstance(step.error, StoreError):
            raise StoreError(str(step.error))  # it may be other threads' too
        raise step.error

    def _write_and_sync(self, steps: Sequence[Step]) -> None:
        if self._disk_error is not None:
            _fail(steps, self._file.disk_failed(self._disk_error))
            return
        try:
            self._write(steps, is_durable=True)
        finally:
            if taken := [step for step in steps if step.is_taken and step.error is None]:
                _fail(taken, InterruptedError())  # should it be
                self._sync(taken)

    def _sync(self, steps: Sequence[Step]) -> None:
        assert self._log is not None
        try:
            self._log.sync()
        except OSError as error:
            self._disk_error = error
            _fail(steps, error)
        else:
            _fail(steps, None)

    def _write(self, steps: Sequence[Step], *, is_durable: bool = False) -> None:
        # By one thread at a time, so over the same connection, which still has the pages at hand.
        with self._writing:
            held: list[Connection] = []
            try:
                # Given back twice, as by a `Loan`, and for its reasons; each step would pay for it.
                try:
                    try:
                        self._write_over(self._pool.lend(held), steps, is_durable=is_durable)
                    finally:
                        self._pool.take_back(held)
                finally:
                    if held:
                        self._pool.take_back(held)
            except Exception as error:
                _fail(steps, error)

    def _write_over(
        self, connection: Connection, steps: Sequence[Step], *, is_durable: bool
    ) -> None:
        if is_durable:
            self._open_log(connection)
        if len(steps) == 1 or not self._take_together(connection, steps):
            for step in steps:
                self._take_alone(connection, step)
        if is_durable:
            # While it is lent: the log of a connection that is closed may be gone.
            self._pool.check_place(connection)

    def _open_log(self, connection: Connection) -> None:
        """Have the log open that a connection is about to write to."""
        _, log = connection.files
        if self._log is None or self._log.file != log:
            self._pool.check_place(connection)
            self._log = Log(connection.path)

    def _take_alone(self, connection: Connection, step: Step) -> None:
        try:
            step.result = self._file.with_retry(step.action, connection)
            step.is_taken = True
        except Exception as error:
            step.error = error
        except BaseException:
            step.error = sqlite3.OperationalError("interrupted")
            raise

    def _take_together(self, connection: Connection, steps: Sequence[Step]) -> bool:
        """Take steps in one transaction; return False if it failed, so that none is taken.

        If it is interrupted, whoever gets the connection back ends the transaction.
        """
        try:
            self._file.with_retry(_begin, connection)
        except Exception as error:
            _fail(steps, error)
            return True
        results: list[Any] = []
        try:
            for step in steps:
                results.append(step.action(connection))
            connection.execute("COMMIT")
        except Exception:
            results.clear()
            connection.rollback()
            return False
        finally:
            if not connection.in_transaction:
                for step, result in zip(steps, results, strict=False):
                    step.take(result)
        return True


def _begin(connection: Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def _fail(steps: Sequence[Step], error: Exception | None) -> None:
    for step in steps:
        step.error = error
