"""The open connections of one store: lent to one thread at a time, none of them open over a fork.

A function that opens a connection goes in; connections come out. Knows nothing of runs or SQL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import call
from time import monotonic
from typing import Final
from weakref import WeakSet, ref

from longterm._fork import at_fork, register_reset
from longterm.errors import StoreError, closed_store
from longterm.store._loan import Loan
from longterm.store.sqlite._connection import Connection

_FORK_WAIT_SECONDS: Final = 30.0
_FORK_LOOK_SECONDS: Final = 0.001
"""How often a fork looks whether all connections are back."""
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

    The exception of a signal can come between any two steps of the code below, and its handler may
    use the store. So connections come and go by single steps of a list, without a lock, and are
    found by their loans. What is open is known by weak references: a connection that an interrupted
    thread has dropped is not waited for.
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
        self._open: list[ref[Connection | _Opening]] = []
        self._look_at = 0.0
        self._forks = 0
        self._changed = threading.Condition(threading.RLock())

    def loan(self) -> Loan[Connection]:
        """Return what a connection is lent by."""
        return Loan(self.take_back)

    def lend(self, held: list[Connection]) -> Connection:
        """Put a connection into what a loan holds, for its holder's use alone, and return it.

        Raises:
            StoreError: the store is closed, or its file was moved.
        """
        if self._forks or self._is_closed or self._stopped:
            self._wait_or_refuse()
        try:
            held.extend(map(call, (self._idle.pop,)))  # `move`, without its call
        except IndexError:
            self._open_into(held)
        if (now := monotonic()) > self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self.check_place(held[0])
        return held[0]

    def take_back(self, held: list[Connection]) -> None:
        """Take back what a loan holds, if it is anything.

        Whatever interrupted its thread, no transaction of it goes on.
        """
        if not held:
            return
        if held[0].in_transaction:
            held[0].close()
            held.clear()
            return
        self._idle.extend(map(call, (held.pop,)))
        if self._is_closed:
            self._close_idle()

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

    def lent(self) -> int:
        """Return how many connections are lent, or just being opened."""
        idle = {id(connection) for connection in self._idle}
        opened = [found() for found in self._open]
        return sum(
            id(one) not in idle and not (isinstance(one, Connection) and one.is_closed)
            for one in opened
            if one is not None
        )

    def close(self) -> None:
        """Close every connection: the idle ones now, a lent one when it comes back."""
        self._is_closed = True
        self._close_idle()

    def _wait_or_refuse(self) -> None:
        with self._changed:
            while self._forks:
                self._changed.wait()
        if self._stopped is not None:
            raise StoreError(str(self._stopped))  # an error of each caller's own
        if self._is_closed:
            raise closed_store()

    def _open_into(self, held: list[Connection]) -> None:
        opening = _Opening()
        with self._changed:
            # Until here a fork may have begun; from here on it waits.
            self._wait_or_refuse()
            self._open = [found for found in self._open if found() is not None]
            self._open.append(ref(opening))
        try:
            held.append(self._open_connection())
            self._open.append(ref(held[0]))
        finally:
            del opening  # whoever keeps the traceback of an error keeps this frame

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def before_fork(self) -> None:
        """Hold every step of this process's threads until the fork is done."""
        end = monotonic() + _FORK_WAIT_SECONDS
        with self._changed:
            self._forks += 1
            self._close_idle()
            while self.lent() and monotonic() < end:
                self._changed.wait(_FORK_LOOK_SECONDS)
                self._close_idle()

    def after_fork_in_parent(self) -> None:
        """Let the threads go on."""
        with self._changed:
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
