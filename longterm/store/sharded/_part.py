"""A part of a store over several servers: it has all runs, and finds the work of one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from longterm.store.base import Wakes
from longterm.store.sharded._server import Server, ShardStore
from longterm.store.sharded._store import Sharded

_T = TypeVar("_T")


class Part(Sharded):
    """What a worker of one server has as its store.

    While that server is away its steps fail, and those of other parts do not.
    """

    def __init__(self, store: Sharded, name: str) -> None:
        """See a store from one of its servers.

        Raises:
            StoreError: no server has this name.
        """
        self.name = store._servers.named(name).name
        self._all = store
        self._servers, self._found, self._origins = store._servers, store._found, store._origins
        self.is_partial, self._at_exit = store.is_partial, store._at_exit

    def _working(self) -> Iterator[Server]:
        return iter([self._servers.named(self.name)])

    def _try_on(self, server: Server, step: Callable[[ShardStore], _T]) -> list[_T]:
        return [self._servers.at(server.name).step(step)]

    def clock_ahead(self) -> timedelta:
        return self._servers.at(self.name).ahead


class WakingPart(Part):
    """The part of a server that wakes its workers."""

    def wait_for_work(
        self,
        *,
        looked_at: datetime,
        now: datetime,
        until: datetime,
        is_stopped: Callable[[], bool],
    ) -> None:
        def wait(store: ShardStore) -> None:
            assert isinstance(store, Wakes)
            store.wait_for_work(looked_at=looked_at, now=now, until=until, is_stopped=is_stopped)

        self._servers.at(self.name).step(wait)


def part_of(store: Sharded, name: str) -> Part:
    """Return the part of a server.

    Raises:
        StoreError: there is none of this name.
    """
    wakes = isinstance(store._servers.named(name).store, Wakes)
    return WakingPart(store, name) if wakes else Part(store, name)
