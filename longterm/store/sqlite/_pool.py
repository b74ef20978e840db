"""The open connections of one store: lent to one thread at a time, none of them open over a fork.

A function that opens a connection goes in; connections come out. Knows nothing of runs or SQL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final
from weakref import WeakSet, ref

from longterm._fork import at_fork, register_reset
from longterm.errors import StoreError, closed_store
from longterm.store.sqlite._connection import Connection

_FORK_WAIT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
"""How often to look whether the file is still where it was."""

_pools: WeakSet[ConnectionPool] = WeakSet()
_inherited: list[Connection] = []
"""Connections of a parent process. Kept, since closing one here would take the parent's locks."""


class _Opening:
    """Stands for a connection that is just being opened."""


class ConnectionPool:
    """Lends connections, opening more when all are lent.

    SQLite keeps its file locks per process and in memory, so a connection that is open during a
    fork harms both sides, even if the child opens its own. So a fork waits until every connection
    is back and closes them all; parent and child open new ones at their next step.

    The exception of a signal can come between any two steps of the code below. What is lent is
    known by weak references, so a connection that an interrupted thread has dropped is not waited
    for. The lock can be taken twice, so a signal handler that reads waits for nothing.
    """

    def __init__(self, open_connection: Callable[[], Connection]) -> None:
        """Begin with no connection open."""
        self._open_connection = open_connection
        self._is_closed = False
        self._stopped: StoreError | None = None
        self._idle: list[Connection] = []
        register_reset(self)
        _pools.add(self)

    def reset_after_fork(self) -> None:
        """Begin with no connection open."""
        _inherited.extend(self._idle)
        self._idle = []
        self._lent: list[ref[Connection | _Opening]] = []
        self._looked_at = 0.0
        self._forks = 0
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def lend(self) -> Connection:
        """Return a connection for the caller's use alone, until it is given back.

        Raises:
            StoreError: the store is closed, or its file was moved.
        """
        with self._lock:
            while self._forks:
                self._changed.wait()
            if self._stopped is not None:
                raise StoreError(str(self._stopped))  # an error of each caller's own
            if self._is_closed:
                raise closed_store()
            lent = self._idle.pop() if self._idle else _Opening()
            self._lent.append(ref(lent))
        connection = self._opened(lent) if isinstance(lent, _Opening) else lent
        if (now := monotonic()) - self._looked_at > _LOOK_SECONDS:
            self._looked_at = now
            try:
                self.check_place(connection)
            except BaseException:
                self.give_back(connection)
                raise
        return connection

    def check_place(self, connection: Connection) -> None:
        """Stop the store for good if the file of a connection is no longer where it was.

        Raises:
            StoreError: it was moved.
        """
        if connection.is_moved:
            self._stopped = StoreError(
                f"{connection.path} was moved, deleted or replaced while the store had it open, or "
                "its log was: what was saved since is not where the next process will look, so "
                "nothing more is read or written (see what stands there now, and open the store "
                "again)"
            )
            raise self._stopped

    def _opened(self, opening: _Opening) -> Connection:
        try:
            connection = self._open_connection()
            self._lent.append(ref(connection))
            return connection
        finally:
            self._is_back(opening)

    def give_back(self, connection: Connection) -> None:
        """Take a connection back from the thread that it was lent to.

        Whatever interrupted the thread, no transaction of it goes on.
        """
        with self._lock:
            if connection.in_transaction or self._is_closed:
                connection.close()
            else:
                self._idle.append(connection)
            self._is_back(connection)

    def _is_back(self, lent: Connection | _Opening) -> None:
        with self._lock:
            self._lent = [found for found in self._lent if found() not in (None, lent)]
            if self._forks:
                self._changed.notify_all()

    def close(self) -> None:
        """Close every connection: the idle ones now, a lent one when it comes back."""
        with self._lock:
            self._is_closed = True
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def before_fork(self) -> None:
        """Hold every step of this process's threads until the fork is done."""
        with self._lock:
            self._forks += 1
            self._changed.wait_for(self._has_all_back, _FORK_WAIT_SECONDS)
            self._close_idle()

    def _has_all_back(self) -> bool:
        return all(lent() is None for lent in self._lent)

    def after_fork_in_parent(self) -> None:
        """Let the threads go on."""
        with self._lock:
            self._forks -= 1
            self._changed.notify_all()


_held: list[list[ConnectionPool]] = []
"""The pools that each fork holds: one that was made meanwhile is none of them."""


def _before_fork() -> None:
    _held.append(list(_pools))
    for pool in _held[-1]:
        pool.before_fork()


def _after_fork_in_parent() -> None:
    for pool in _held.pop():
        pool.after_fork_in_parent()


def _after_fork_in_child() -> None:
    _held.clear()


at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
