"""The sessions of one Postgres store: lent to one thread at a time, left behind at a fork.

A function that opens a connection goes in; connections come out. Whoever needs one and finds none
connects itself, so that the store works as soon as the server does: psycopg's pool connects in the
background instead, after pauses that double up to minutes. Knows nothing of statements.
"""

from __future__ import annotations

import math
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from longterm._fork import register_reset
from longterm.errors import closed_store
from longterm.store._budget import Budget
from longterm.store._loan import Loan, move
from longterm.store.postgres._connection import Connection
from longterm.store.postgres._loops import current_step
from longterm.store.postgres._waiters import LoopWaiter, TaskWaiter, ThreadWaiter, Waiter

if TYPE_CHECKING:
    from longterm.store.postgres._loop_step import LoopStep

_IDLE: Final = int(TransactionStatus.IDLE)

_LOOKS_BEFORE_DOUBT: Final = 10
"""So often one that waits looks before it doubts that it is still known."""

_IDLE_SECONDS: Final = 600.0
"""A session that nobody needed for so long is ended."""

_SPARE_SECONDS: Final = 1.0
"""One that nobody needed for so long ends, if another pool of the same budget needs one."""

_BRIEF_SECONDS: Final = 0.05
"""One that was lent so lately is not looked at: between the claim and the save of a short turn the
server has hardly ended it, and if it has, the statement is sent again as always."""

T = TypeVar("T")

_inherited: list[object] = []
"""Sessions of a parent process. Kept, since ending one here would end the parent's."""


class HasConnections(Protocol):
    """A pool such as `psycopg_pool.ConnectionPool`."""

    def connection(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Return what lends a connection while it is entered."""
        ...


class NoConnection(Exception):
    """Raised when there is no connection to be had; says why, and what to do."""


class Place:
    """Room for one connection; it is free again when nothing refers to it any more."""

    connection: Connection | None = None
    """The connection, once it is open."""
    used_at = math.inf


class PlaceLoan(Loan[Place]):
    """One connection of a pool, for its holder's use alone while this is entered."""

    __slots__ = ("_pool",)

    def __init__(self, pool: ConnectionPool) -> None:
        """Hold nothing yet."""
        self.held = []
        self._take_back, self._pool = pool.take_back, pool

    def take(self, deadline: float) -> Connection:
        """Return a connection.

        Raises:
            NoConnection: all are in use until the deadline.
            psycopg.Error: the server could not be reached.
            StoreError: the store is closed.
        """
        return self._pool.lend(self.held, deadline)


class ConnectionPool:
    """Lends connections, and opens more while there is room.

    The one that came back last is lent first. So a short turn claims and saves over the same one,
    unless somebody else needed it in between: nobody holds one while the code of a flow runs.

    An exception of a signal can come between any two steps of the code below. It loses nothing: a
    place is idle, or in a loan, which leaves or returns it. A signal handler that uses the store
    waits for nothing that the thread below it holds: the lock can be taken twice.
    """

    def __init__(
        self, open_connection: Callable[[float], Connection], budget: Budget, wait_seconds: float
    ) -> None:
        """Begin with no connection.

        Args:
            open_connection: opens one until a deadline.
            budget: how many may be open at once.
            wait_seconds: how long those wait that find none.
        """
        self._open_connection = open_connection
        self._wait_seconds = wait_seconds
        self._is_closed = False
        self._look_at = 0.0
        """When to look next for a session that nobody has needed for long."""
        self._idle: deque[Place] = deque()
        self._waiting: deque[Waiter[Place]] = deque()
        """Whoever gives something back wakes the first."""
        self._places: list[weakref.ref[Place]] = []
        register_reset(self)
        self.share(budget)

    def reset_after_fork(self) -> None:
        """Leave the sessions to the process that opened them."""
        _inherited.extend([self._idle, *(place() for place in self._places)])
        self._idle = deque()
        self._waiting = deque()
        self._places = []
        self._lock = threading.RLock()

    def share(self, budget: Budget) -> None:
        """Have the connections counted in a budget, with those of other pools."""
        budget.join(self)
        self._budget = budget

    @property
    def open_count(self) -> int:
        """How many connections are open, or being opened."""
        return len(self._places)

    def end_idle(self, seconds: float = _SPARE_SECONDS) -> bool:
        """End a session that nobody has used for a while; False if there is none."""
        held: list[Place] = []
        with suppress(IndexError):
            if monotonic() - self._idle[0].used_at > seconds:
                move(self._idle.popleft, held)
                self._leave(held)
                return True
        return False

    def loan(self) -> PlaceLoan:
        """Return what a connection is lent by."""
        return PlaceLoan(self)

    def lend(self, held: list[Place], deadline: float) -> Connection:
        """Put a place into `held`, and return its connection; see `PlaceLoan.take`."""
        step, was_first = current_step(), False
        if step is not None and step.reserved is not None:
            reserved, step.reserved = step.reserved, None
            if reserved:
                move(reserved.pop, held)
            elif step.has_waited_long:
                deadline = monotonic()
            was_first = True
        while True:
            if self._is_closed:
                raise closed_store()
            if not held:
                try:
                    move(self._idle.pop, held)
                except IndexError:
                    # In a loop, what others wait for is not there to be made.
                    is_next = step is None or was_first or not self._waiting
                    if is_next and self._make_place(held):
                        opened = held[0].connection = self._open_connection(deadline)
                        return opened
                    was_first = self._wait(held, step, deadline, was_first=was_first)
                    continue
            connection = held[0].connection
            if connection is not None and _is_usable(connection, held[0].used_at):
                return connection
            self._leave(held)

    def take_back(self, held: list[Place]) -> None:
        """Empty `held`; a connection that is in the middle of something is closed."""
        if not held:
            return
        place = held[0]
        # That of a closed one is unknown.
        if place.connection is None or place.connection.pgconn.transaction_status != _IDLE:
            self._leave(held)
            return
        place.used_at = now = monotonic()
        if self._waiting:
            self._hand_over(held)
        else:
            move(held.pop, self._idle)
        if self._is_closed:
            self._close_idle()
        elif now > self._look_at:
            self._look_at = now + _SPARE_SECONDS
            self.end_idle(_IDLE_SECONDS)

    def close(self) -> None:
        """End every session: the idle ones now, a lent one when it comes back."""
        self._is_closed = True
        self._close_idle()
        for _ in range(len(self._waiting)):
            self._wake()

    def _none(self) -> NoConnection:
        waited = f"for {self._wait_seconds:g} seconds"
        places = [place() for place in self._places]
        if opening := sum(place is not None and place.connection is None for place in places):
            return NoConnection(
                "the server cannot be reached (check that it runs, and the URL): "
                f"{opening} attempts to connect were not answered {waited}"
            )
        return NoConnection(
            f"all {self._budget.most} connections were in use {waited} (allow more "
            "`max_connections`)"
        )

    def _close_idle(self) -> None:
        held: list[Place] = []
        with suppress(IndexError):
            while True:
                move(self._idle.popleft, held)
                self._leave(held)

    def _make_place(self, held: list[Place]) -> bool:
        with self._budget.lock, self._lock:
            self._places = [place for place in self._places if place() is not None]
            if not self._budget.has_room(self):
                return False
            held.append(Place())
            self._places.append(weakref.ref(held[0]))
            return True

    def _wake(self) -> None:
        with suppress(IndexError):  # nobody waits
            self._waiting.popleft().wake()

    def _hand_over(self, held: list[Place]) -> None:
        """Give what came back to the first that waits for it."""
        try:
            first = self._waiting.popleft()
        except IndexError:  # nobody waits any more
            move(held.pop, self._idle)
            return
        move(held.pop, first.held if first.is_owed else self._idle)
        first.wake()

    def _wait(
        self, held: list[Place], step: LoopStep | None, deadline: float, *, was_first: bool
    ) -> bool:
        """Wait until something comes back, or there may be room.

        Returns:
            Whether it is the turn of this one, before all others that wait.

        Raises:
            NoConnection: the time is over.
        """
        waiter: Waiter[Place]
        waiter = ThreadWaiter(held) if step is None else LoopWaiter(held, step)
        # Who finds that another one was faster has lost no place.
        (self._waiting.appendleft if was_first else self._waiting.append)(waiter)
        is_woken, looks = False, count(1)
        try:
            # What came before it was there has woken another one, or none.
            while not (held or self._idle or self._is_closed):
                left = deadline - monotonic()
                if left < 0:
                    raise self._none()
                if is_woken := waiter.wait(min(left, waiter.look_seconds)):
                    return True
                if self._is_next(waiter, next(looks)):
                    return True
            return was_first
        finally:
            if not is_woken:
                with suppress(ValueError):  # it was, but in the last moment
                    self._waiting.remove(waiter)

    async def take_step(self, function: Callable[[], T]) -> T:
        """Take a step in the running event loop; where tasks wait for connections, in its turn.

        A step that has begun is awaited to its end, also by a task that is cancelled.
        """
        from longterm.store.postgres._loop_step import take_step

        if not self._waiting or self._idle:
            return await take_step(function)
        reserved: list[Place] = []
        try:
            is_late = await self._reserve(reserved)
            return await take_step(function, reserved, has_waited_long=is_late)
        finally:
            self.take_back(reserved)  # of a step that did not begin, or needed none

    async def _reserve(self, held: list[Place]) -> bool:
        """Wait as `_wait` does; return whether the time is over, which the step is to say."""
        from longterm.store.postgres._loop_step import TaskWait

        deadline, looks = monotonic() + self._wait_seconds, count(1)
        waiter = TaskWaiter(held, TaskWait())
        self._waiting.append(waiter)
        is_woken = False
        try:
            while not (is_woken or held or self._is_closed):
                left = deadline - monotonic()
                if left < 0:
                    return True
                is_woken = await waiter.wait(min(left, waiter.look_seconds))
                if not is_woken and self._is_next(waiter, next(looks)):
                    break
            return False
        finally:
            if not is_woken:
                with suppress(ValueError):  # it was, but in the last moment
                    self._waiting.remove(waiter)

    def _is_next(self, waiter: Waiter[Place], looks: int) -> bool:
        """Tell whether one that has looked so often may look whether there is room."""
        with suppress(IndexError):
            if self._waiting[0] is waiter:
                return True
        # Should a signal have interrupted whoever was about to wake it, it stands nowhere.
        return looks % _LOOKS_BEFORE_DOUBT == 0 and waiter not in self._waiting

    def _leave(self, held: list[Place]) -> None:
        """End the session at a place, if there is one, and free the place; may be repeated."""
        place = held[0]
        if place.connection is not None:
            place.connection.close()
        with self._lock:
            self._places = [found for found in self._places if found() not in (None, place)]
        held.clear()
        self._wake()


def _is_usable(connection: Connection, used_at: float) -> bool:
    """Tell whether a connection still works, without asking the server.

    An idle connection is silent. If there is something to be read, it is most often the server's
    farewell; so a restart is noticed before a statement is lost in it, at no cost otherwise. And
    where one connection had no answer, those of before would have none either, or one of a server
    that has slept while another took over.
    """
    silent_at = -math.inf if connection.host is None else connection.host.silent_at
    if connection.opened_at < silent_at:
        return False
    rested = monotonic() - used_at
    if rested < _BRIEF_SECONDS:
        return True
    return not (rested > _IDLE_SECONDS or connection.closed or _can_be_read(connection))


def _can_be_read(connection: Connection) -> bool:
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([connection], [], [], 0)[0])
    # Unlike `select.select`, it takes descriptors above 1023.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
