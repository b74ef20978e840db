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
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from psycopg.pq import TransactionStatus

from longterm._fork import register_reset
from longterm.errors import closed_store
from longterm.store.postgres._connection import Connection

_LOOK_SECONDS: Final = 0.1
"""How long to wait for a connection before looking whether there is room to open one."""

_IDLE_SECONDS: Final = 600.0
"""A session that nobody needed for so long is ended."""

_inherited: list[object] = []
"""Sessions of a parent process. Kept, since ending one here would end the parent's."""


class Place:
    """Room for one connection; it is free again when nothing refers to it any more."""

    connection: Connection | None = None
    """The connection, once it is open."""
    used_at = math.inf


class ConnectionPool:
    """Lends connections, and opens more while there is room.

    An exception of a signal can come between any two steps of the code below. It loses nothing: a
    place that an interrupted thread held is free when the thread's frames are gone, since the pool
    counts places by weak references. A signal handler that uses the store waits for nothing that
    the thread below it holds: `SimpleQueue` is made for that, and the lock can be taken twice.
    """

    def __init__(self, open_connection: Callable[[float], Connection], max_places: int) -> None:
        """Begin with no connection; `open_connection` is given the deadline."""
        self._open_connection = open_connection
        self._max_places = max_places
        self._is_closed = False
        self._idle: SimpleQueue[Place | None] = SimpleQueue()
        self._waiting: deque[threading.Lock] = deque()
        """A lock for each thread that waits; whoever gives something back releases the first."""
        self._places: list[weakref.ref[Place]] = []
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Leave the sessions to the process that opened them."""
        _inherited.extend([self._idle, *(place() for place in self._places)])
        self._idle = SimpleQueue()
        self._waiting = deque()
        self._places = []
        self._lock = threading.RLock()

    def lend(self, deadline: float) -> Place | None:
        """Return a place with a connection, for the caller's use alone until it is given back.

        None if all are in use until the deadline.

        Raises:
            psycopg.Error: the server could not be reached.
            StoreError: the store is closed.
        """
        while True:
            if self._is_closed:
                raise closed_store()
            try:
                place = self._idle.get_nowait()
            except Empty:
                place = self._new_place()
                if place is not None:
                    return self._opened(place, deadline)
                place = self._returned(min(deadline - monotonic(), _LOOK_SECONDS))
                if place is None and monotonic() > deadline:
                    return None
            if place is not None and _is_usable(place):
                return place
            self._leave(place)

    def give_back(self, place: Place) -> None:
        """Take a connection back; one that is in the middle of something is closed."""
        connection = place.connection
        if (
            connection is None
            or connection.closed
            or connection.pgconn.transaction_status != TransactionStatus.IDLE
        ):
            self._leave(place)
            self._put(None)  # whoever waits may look for room
            return
        place.used_at = monotonic()
        self._put(place)
        if self._is_closed:
            self._close_idle()

    def unanswered(self) -> int:
        """Return how many connections are just being opened."""
        places = [place() for place in self._places]
        return sum(place is not None and place.connection is None for place in places)

    def close(self) -> None:
        """End every session: the idle ones now, a lent one when it comes back."""
        self._is_closed = True
        self._close_idle()
        self._put(None)

    def _close_idle(self) -> None:
        while not self._idle.empty():
            self._leave(self._returned(0))

    def _new_place(self) -> Place | None:
        with self._lock:
            self._places = [place for place in self._places if place() is not None]
            if len(self._places) >= self._max_places:
                return None
            place = Place()
            self._places.append(weakref.ref(place))
            return place

    def _opened(self, place: Place, deadline: float) -> Place:
        try:
            place.connection = self._open_connection(deadline)
        except BaseException:
            self._leave(place)  # whoever keeps the traceback keeps its frames, and these the place
            raise
        return place

    def _put(self, place: Place | None) -> None:
        self._idle.put(place)
        with suppress(IndexError):  # nobody waits
            self._waiting.popleft().release()

    def _returned(self, seconds: float) -> Place | None:
        """Return what comes back within some seconds; None if that is nothing, or room for one.

        `SimpleQueue.get(timeout=…)` is not for that: on CPython 3.11 a thread was seen to stay in
        it long after its time, while others took what had come.
        """
        waiting = threading.Lock()
        waiting.acquire()
        self._waiting.append(waiting)
        try:
            # What came before the lock was there has released another one, or none.
            if self._idle.empty():
                waiting.acquire(timeout=max(0.0, seconds))
            return self._idle.get_nowait()
        except Empty:
            return None
        finally:
            with suppress(ValueError):  # it was released
                self._waiting.remove(waiting)

    def _leave(self, place: Place | None) -> None:
        """End the session at a place, if there is one, and free the place."""
        if place is not None:
            if place.connection is not None:
                place.connection.close()
            with self._lock:
                places = ((found, found()) for found in self._places)
                self._places = [found for found, held in places if held not in (None, place)]


def _is_usable(place: Place) -> bool:
    """Tell whether a connection still works, without asking the server.

    An idle connection is silent. If there is something to be read, it is most often the server's
    farewell; so a restart is noticed before a statement is lost in it, at no cost otherwise.
    """
    assert place.connection is not None
    is_old = monotonic() - place.used_at > _IDLE_SECONDS
    return not (is_old or place.connection.closed or _can_be_read(place.connection))


def _can_be_read(connection: Connection) -> bool:
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([connection], [], [], 0)[0])
    # Unlike `select.select`, it takes descriptors above 1023.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
