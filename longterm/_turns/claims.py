"""What the claims of one engine have in common: the store, the clock, and for how long they hold.

A claim on a store without leases holds until its turn is saved or undone; if the process dies in
the turn, the run stays claimed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from longterm._turns.keeper import Keeper
from longterm.clock import Clock
from longterm.errors import ClockSkew, NotSupported, UnknownQueue
from longterm.run import Run
from longterm.store.base import Clocked, Confirms, Keys, Leases, RunStore, takes
from longterm.store.inbox import Inbox
from longterm.store.queues import Queues

if TYPE_CHECKING:
    from longterm._observer import Observer
    from longterm._turns.recording import Recording


class Claims:
    """What the claims of one engine have in common."""

    def __init__(
        self,
        store: RunStore,
        clock: Clock,
        lease: timedelta,
        max_attempts: int,
        observer: Observer | None = None,
    ) -> None:
        """Take claims on a store for a time, and no run whose last turns all died.

        The observer is told of their turns, and of what is begun and sent.
        """
        self.store = store
        self.observer = observer
        # Asking a protocol takes longer than the rest of a claim in memory, so it is asked once.
        self.leases = store if isinstance(store, Leases) else None
        self.keys = store if isinstance(store, Keys) else None
        self.inbox = store if isinstance(store, Inbox) else None
        self.queues = store if isinstance(store, Queues) else None
        self.known_queues: set[str] = set()
        """The names of queues that were declared."""
        self._clocked = store if isinstance(store, Clocked) else None
        self._confirms = store if isinstance(store, Confirms) else None
        self.clock = clock
        self.lease = lease
        self.max_attempts = max_attempts
        self.keeper = Keeper(self.leases, clock, lease)
        self.recording: Recording | None = None
        """What makes the entries of histories; None: none are kept."""

    def now(self) -> datetime:
        """Return the present moment, if this machine's clock is good enough to claim by it."""
        if self._clocked is not None:
            ahead = self._clocked.clock_ahead()
            if 2 * abs(ahead) > self.lease:
                raise ClockSkew(ahead, self.lease)
        return self.clock.now()

    def confirmed(self, run: Run) -> Run:
        """Return a run as it is once what it says is safe, on a store that can tell."""
        return run if self._confirms is None else self._confirms.confirm(run.id)

    def check_queue(self, name: str) -> None:
        """Make sure that a queue was declared; of one that was, the store is asked once.

        Raises:
            UnknownQueue: it was not.
            NotSupported: the store has no queues.
        """
        if name in self.known_queues:
            return
        if self.queues is None:
            raise NotSupported(self.store, "queues")
        if self.queues.declared_queue(name) is None:
            raise UnknownQueue(name)
        self.known_queues.add(name)

    def release_stale(self, max_attempts: int | None, limit: int | None) -> list[Run]:
        """Let go of the runs whose claims have run out."""
        leases = self.leases
        if leases is None:
            raise NotSupported(self.store, "leases")
        if max_attempts is None:
            max_attempts = self.max_attempts
        now = self.now()
        if limit is None or not takes(leases.release_stale, "limit"):
            return leases.release_stale(now=now, max_attempts=max_attempts)
        return leases.release_stale(now=now, max_attempts=max_attempts, limit=limit)
