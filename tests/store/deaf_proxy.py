"""A proxy before a server, which can swallow an answer, or fall silent.

When it swallows one, the server acts, and the client never hears: both sides' connections are cut
at that moment. While it is silent, it takes whatever it is sent, as a live peer does, and passes
nothing on. Then it serves as before.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class DeafProxy:
    """Listens on a port of its own and passes everything on, to and fro."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._swallows = threading.Semaphore(0)
        self.swallowed = 0
        self._is_silent = False
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._spawn(self._accept)

    def swallow_next_answer(self) -> None:
        """Cut the connection at the next answer instead of passing it on."""
        self._swallows.release()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Acknowledge everything and answer nothing; what came meanwhile is lost."""
        self._is_silent = True
        try:
            yield
        finally:
            self._is_silent = False

    def close(self) -> None:
        # A thread that waits for a socket wakes up from a shutdown, but not from a close. The first
        # thread is the one that accepts; without it there will be no more sockets.
        for thread in self._threads:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            thread.join()
        for one in self._sockets:
            one.close()

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            self._spawn(self._pass_on, client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    try:
                        content = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                        if not content:
                            return
                        if self._is_silent:
                            continue
                        if key.fileobj is server and self._swallows.acquire(blocking=False):
                            self.swallowed += 1
                            return
                        key.data.sendall(content)
                    except OSError:
                        return
