"""How many connections a process may have open, over the pools of several stores.

Each pool is sure of a few, so that one whose server is silent, and whose callers all wait, takes
none from the others. The rest is for whoever needs it.
"""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable
from weakref import WeakSet

from longterm._fork import register_reset
from longterm.errors import StoreError

__all__ = ["Budget", "SharesConnections"]


class Pool(Protocol):
    """What opens connections."""

    @property
    def open_count(self) -> int:
        """How many it has open now."""
        ...

    def end_idle(self) -> bool:
        """End a connection that nobody has used for a while; False if there is none."""
        ...


class Budget:
    """A number of connections for some pools."""

    def __init__(self, most: int) -> None:
        """Allow so many."""
        self.most = most
        self._pools: WeakSet[Pool] = WeakSet()
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Wait for no thread of a parent process."""
        self.lock = threading.RLock()
        """To be held from the question whether there is room until it is taken."""

    def join(self, pool: Pool) -> None:
        """Let another pool have a part.

        Raises:
            StoreError: there is not one connection for each.
        """
        with self.lock:
            if len(self._pools) >= self.most:
                raise StoreError(
                    f"max_connections={self.most} is not one for each server (allow more: "
                    "?max_connections=100)"
                )
            self._pools.add(pool)

    def has_room(self, pool: Pool) -> bool:
        """Tell whether a pool may open one more; one that nobody uses elsewhere may end for it."""
        sure = max(1, self.most // (2 * len(self._pools)))
        if pool.open_count < sure:
            return True
        free = self.most - sure * len(self._pools)
        if sum(max(0, each.open_count - sure) for each in self._pools) < free:
            return True
        others = (each for each in self._pools if each is not pool and each.open_count > sure)
        return any(each.end_idle() for each in others)


@runtime_checkable
class SharesConnections(Protocol):
    """A store that can have its connections counted with those of others."""

    def share_connections(self, budget: Budget) -> None:
        """Open no more connections than a budget has room for; before the first one is opened."""
        ...
