"""Which sockets the steps of an event loop wait for: when one is ready, its step goes on.

asyncio's own `add_reader` and `remove_reader` are some thirty calls of Python for each wait, more
than all else that a wait takes. So on Linux there is an epoll beside the loop's own: the loop
watches that one, once and for all.
"""

from __future__ import annotations

import select
import weakref
from asyncio import AbstractEventLoop
from functools import partial
from socket import socket as Socket
from socket import socketpair
from typing import Final, Protocol

from psycopg.waiting import Ready, Wait

READ: Final = int(Wait.R)
WRITE: Final = int(Wait.W)

_READY: Final = {int(ready): ready for ready in Ready}


class Waits(Protocol):
    """What waits for a socket."""

    def go_on(self, news: Ready, /) -> None:
        """Go on, since the socket is ready."""
        ...


class Sockets(Protocol):
    """The sockets that are waited for in one loop."""

    def watch(self, socket: int, wanted: int, who: Waits) -> None:
        """Let one go on, once, when its socket can be read or written, as it wants."""
        ...

    def forget(self, socket: int) -> None:
        """Let nobody go on for this socket."""
        ...


def sockets_of(loop: AbstractEventLoop, owner: object) -> Sockets:
    """Return the sockets of a loop, none of which is waited for yet.

    Args:
        loop: the loop, which runs in this thread.
        owner: is kept until the loop is closed.

    Raises:
        NotImplementedError: the loop can watch none, as that of asyncio on Windows.
    """
    return EpollSockets(loop, owner) if hasattr(select, "epoll") else LoopSockets(loop, owner)


class EpollSockets:
    """Watches sockets by an epoll of its own."""

    def __init__(self, loop: AbstractEventLoop, owner: object) -> None:
        """Have the loop watch the epoll."""
        self._poll = poll = select.epoll()
        self._waiting: dict[int, Waits] = {}
        loop.add_reader(poll.fileno(), partial(_look, poll, self._waiting, owner))

    def watch(self, socket: int, wanted: int, who: Waits) -> None:
        """Let one go on, once, when its socket can be read or written, as it wants."""
        self._waiting[socket] = who
        events = select.EPOLLONESHOT
        if wanted & READ:
            events |= select.EPOLLIN
        if wanted & WRITE:
            events |= select.EPOLLOUT
        try:
            self._poll.modify(socket, events)
        except FileNotFoundError:  # it is new
            self._poll.register(socket, events)

    def forget(self, socket: int) -> None:
        """Let nobody go on for this socket: what comes is for nobody."""
        self._waiting.pop(socket, None)


def _look(poll: select.epoll, waiting: dict[int, Waits], _owner: object) -> None:
    for socket, events in poll.poll(0):
        who = waiting.pop(socket, None)
        if who is not None:
            # What is broken can be read and written: that tells how it broke.
            ready = READ if events & ~select.EPOLLOUT else 0
            ready |= WRITE if events & ~select.EPOLLIN else 0
            who.go_on(_READY[ready])


class LoopSockets:
    """Watches sockets by the loop alone."""

    def __init__(self, loop: AbstractEventLoop, owner: object) -> None:
        """Have the loop keep the owner, by a socket to which nothing ever comes."""
        self._ours, self._theirs = socketpair()
        loop.add_reader(self._ours.fileno(), partial(bool, owner))
        self._loop = weakref.ref(loop)
        self._waiting: dict[int, Waits] = {}
        weakref.finalize(self, _close, self._ours, self._theirs)

    def watch(self, socket: int, wanted: int, who: Waits) -> None:
        """Let one go on, once, when its socket can be read or written, as it wants."""
        loop = self._loop()
        assert loop is not None  # it runs
        self._waiting[socket] = who
        if wanted & READ:
            loop.add_reader(socket, self._is_ready, socket, READ)
        if wanted & WRITE:
            loop.add_writer(socket, self._is_ready, socket, WRITE)

    def forget(self, socket: int) -> None:
        """Let nobody go on for this socket."""
        loop = self._loop()
        if self._waiting.pop(socket, None) is not None and loop and not loop.is_closed():
            loop.remove_reader(socket)
            loop.remove_writer(socket)

    def _is_ready(self, socket: int, ready: int) -> None:
        who = self._waiting[socket]
        self.forget(socket)
        who.go_on(_READY[ready])


def _close(*sockets: Socket) -> None:
    for socket in sockets:
        socket.close()
