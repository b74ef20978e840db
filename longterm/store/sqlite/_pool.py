"""The open connections of one store: lent to one thread at a time, none of them open over a fork.

A function that opens a connection goes in; connections come out. Knows nothing of runs or SQL.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from longterm._fork import at_fork, register_reset
from longterm.errors import closed_store

_FORK_WAIT_SECONDS: Final = 30.0

_pools: WeakSet[ConnectionPool] = WeakSet()
_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process. Kept, since closing one here would take the parent's locks."""


class ConnectionPool:
    """Lends connections, opening more when all are lent.

    SQLite keeps its file locks per process and in memory, so a connection that is open during a
    fork harms both sides, even if the child opens its own. So a fork waits until every connection
    is back and closes them all; parent and child open new ones at their next step.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        """Begin with no connection open."""
        self._open_connection = open_connection
        self._is_closed = False
        self._idle: list[sqlite3.Connection] = []
        register_reset(self)
        _pools.add(self)

    def reset_after_fork(self) -> None:
        """Begin with no connection open."""
        _inherited.extend(self._idle)
        self._idle = []
        self._lent = 0
        self._forks = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def lend(self) -> sqlite3.Connection:
        """Return a connection for the caller's use alone, until it is given back."""
        is_counted = False
        try:
            with self._lock:
                while self._forks:
                    self._changed.wait()
                if self._is_closed:
                    raise closed_store()
                self._lent += 1
                is_counted = True
                if self._idle:
                    return self._idle.pop()
            return self._open_connection()
        except BaseException:
            if is_counted:
                with self._lock:
                    self._count_back()
            raise

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Take a connection back from the thread that it was lent to.

        Whatever interrupted the thread, no transaction of it goes on.
        """
        with self._lock:
            self._count_back()
            if connection.in_transaction or self._is_closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _count_back(self) -> None:
        self._lent -= 1
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
            self._changed.wait_for(lambda: self._lent == 0, _FORK_WAIT_SECONDS)
            self._close_idle()

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
