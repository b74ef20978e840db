"""The servers that a file `shards.toml` names: they are opened by their URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

from longterm.errors import StoreError
from longterm.store._budget import Budget, SharesConnections
from longterm.store.base import RunStore
from longterm.store.sharded._epochs import Epoch
from longterm.store.sharded._file import read_file

_USUAL: Final = 10
"""How many connections a process may have open, or one to each server if these are more."""


class FileSource:
    """A file as the source of servers and epochs; it is read again when a server knows of more."""

    def __init__(self, path: str, max_connections: int | None = None) -> None:
        """Take a file, and how many connections this process may have open over all servers.

        Raises:
            StoreError: the file cannot be read.
        """
        self._path = path
        self._layout = read_file(path)
        usual = max(_USUAL, len(self._layout.urls))
        self._budget = Budget(usual if max_connections is None else max_connections)

    def epochs(self) -> Sequence[Epoch]:
        """Return the epochs, as the file has them now.

        Raises:
            StoreError: the file cannot be read.
        """
        self._layout = read_file(self._path)
        return self._layout.epochs

    def open(self, name: str) -> RunStore:
        """Open the store of a server.

        Raises:
            StoreError: no store has such a URL, or there are more servers than connections.
        """
        from longterm.store import open_store

        url = self._layout.urls[name]
        try:
            if "max_connections" in parse_qs(url.partition("?")[2]):
                raise StoreError(
                    "its URL has max_connections, of which there is one number for all servers "
                    "(write ?max_connections= in the URL of shards.toml)"
                )
            store = open_store(url)
            if isinstance(store, SharesConnections):
                store.share_connections(self._budget)
        except StoreError as error:
            raise StoreError(f"server {name!r} in {self._path}: {error}") from error
        return store
