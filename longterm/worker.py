"""The worker: ends waits whose deadlines have passed, and takes up runs whose processes have died.

Any number of workers may run side by side, in processes of their own or in threads of an
application; a run is claimed by one of them. It needs a store with deadlines and leases.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Final

from longterm.engine import Engine
from longterm.errors import NotSupported
from longterm.store.base import Deadlines, Leases, Wakes

__all__ = ["Worker"]

_log = logging.getLogger("longterm")

_PAUSE_SECONDS: Final = 1.0
"""How long to rest after a round that failed, at most: nothing ends this rest early."""


class Worker:
    """Looks after the runs of one engine until it is told to stop."""

    def __init__(
        self,
        engine: Engine,
        *,
        poll: timedelta = timedelta(seconds=1),
        batch: int = 100,
        max_attempts: int = 5,
    ) -> None:
        """Look after an engine's runs.

        Args:
            engine: the engine; its lease is how long a dead process may hold a run.
            poll: how long to rest when there is nothing to do. A store that wakes its workers ends
                a rest as soon as a run is due; it needs one of at most five minutes.
            batch: how many due runs to claim at once.
            max_attempts: after how many dead turns in a row a run is failed.

        Raises:
            NotSupported: the engine's store has no deadlines, or no leases.
            ValueError: a number is less than 1, or the rest is no time at all.
        """
        if not isinstance(engine.store, Deadlines):
            raise NotSupported(engine.store, "deadlines")
        if not isinstance(engine.store, Leases):
            raise NotSupported(engine.store, "leases")
        if poll <= timedelta(0):
            raise ValueError(f"poll={poll!r} is no time (give timedelta(seconds=1))")
        if batch < 1 or max_attempts < 1:
            raise ValueError(f"batch={batch} and max_attempts={max_attempts} must be at least 1")
        self._engine = engine
        self._poll = poll.total_seconds()
        self._batch = batch
        self._max_attempts = max_attempts
        # Not an event: a signal handler cannot set one that its own thread is about to wait for.
        self._stops: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        """Work until `stop` is called, from another thread or a signal handler.

        A store that is out of reach is logged, and tried again a second later.
        """
        while not self._is_stopped():
            looked_at = self._engine.clock.now()
            try:
                if self.run_once() < self._batch:
                    self._rest(looked_at)
            except Exception:
                _log.exception("the worker could not do its round (it tries again)")
                self._pause(min(self._poll, _PAUSE_SECONDS))

    def _rest(self, looked_at: datetime) -> None:
        """Wait until it is time to look again, or there is something to be found."""
        store = self._engine.store
        if isinstance(store, Wakes):
            now = self._engine.clock.now()
            store.wait_for_work(
                looked_at=looked_at,
                now=now,
                until=now + timedelta(seconds=self._poll),
                is_stopped=self._is_stopped,
            )
        else:
            self._pause(self._poll)

    def run_once(self) -> int:
        """Do one round: end the waits that are due, let go of dead turns; return how many runs."""
        released = self._engine.release_stale(max_attempts=self._max_attempts)
        for run in released:
            _log.warning(
                "run %s: its process died in turn %d; it is %s", run.id, run.turn, run.state
            )
        ended = self._engine.expire_due(limit=self._batch, is_stopped=self._is_stopped)
        return ended + len(released)

    def stop(self) -> None:
        """Finish the present run, and end `run`."""
        self._stops.put(None)

    def _is_stopped(self) -> bool:
        return not self._stops.empty()

    def _pause(self, seconds: float) -> None:
        with suppress(Empty):
            self._stops.put(self._stops.get(timeout=seconds))
