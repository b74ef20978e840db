"""The worker: carries runs on where nobody else does, and takes up those whose processes have died.

It ends waits whose deadlines have passed, and has runs read the events that they were sent.
Any number of workers may run side by side, in processes of their own or in threads of an
application; a run is claimed by one of them. It needs a store with deadlines and leases.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from longterm._names import queue_name
from longterm._worker.executor import Executor
from longterm._worker.moving import Moving
from longterm.engine import Engine
from longterm.errors import NotSupported
from longterm.store.base import Deadlines, Leases, RunStore, Wakes
from longterm.store.queues import Queues

__all__ = ["Worker"]

_log = logging.getLogger("longterm")

_RELEASED_AT_ONCE: Final = 100
"""How many dead turns one step of the store lets go of."""
_PAUSE_SECONDS: Final = 1.0
"""How long to rest after a round that failed, at most: nothing ends this rest early."""


class Worker:
    """Looks after the runs of one engine until it is told to stop."""

    given_up = 0
    """How many turns `run` gave up; their threads may go on, and would hold up the exit."""
    _is_stopping = False
    _next_release = 0.0
    _failed_rounds = 0

    def __init__(
        self,
        engine: Engine,
        *,
        poll: timedelta = timedelta(seconds=1),
        threads: int = 8,
        batch: int = 100,
        queues: Collection[str] | None = None,
        max_attempts: int | None = None,
        turn_seconds: float | None = None,
        grace_seconds: float = 30.0,
    ) -> None:
        """Look after an engine's runs.

        Args:
            engine: the engine; its lease is how long a dead process may hold a run.
            poll: how long to rest when there is nothing to do. A store that wakes its workers ends
                a rest as soon as a run is due; it needs one of at most five minutes.
            threads: how many turns run at once: plain flows in a thread each, `async def` flows
                together in one event loop.
            batch: how many due runs to claim at once, at most; never more than are begun at once.
            queues: the names of queues: only runs that wait for a slot of one of them are carried
                on here, and others need another worker; None: all that is due, of all queues.
            max_attempts: after how many dead turns in a row a run is failed; as many as the engine
                says unless told otherwise.
            turn_seconds: how long a turn may take before it is given up and its run is failed by
                `TurnTimeout`; None: for ever. Its thread cannot be ended, and goes on.
            grace_seconds: how long to wait, once told to stop, for the turns under way.

        Raises:
            NotSupported: the engine's store has no deadlines, or no leases; or queues are given,
                and it has none.
            InvalidQueue: a queue's name is none.
            ValueError: a number is less than 1, or a time is no time at all.
        """
        _check_store(engine.store, queues)
        if max_attempts is None:
            max_attempts = engine._claims.max_attempts
        _check_counts(threads=threads, batch=batch, max_attempts=max_attempts)
        _check_times(poll, turn_seconds, grace_seconds)
        self._engine = engine
        self._poll = poll.total_seconds()
        self._threads = threads
        self._batch = batch
        self._queues = None if queues is None else [queue_name(name) for name in queues]
        self._max_attempts = max_attempts
        self._turn_seconds = turn_seconds
        self._grace_seconds = grace_seconds
        self._moving = Moving(engine.store)
        # Not an event: a signal handler cannot set one that its own thread is about to wait for.
        self._news: SimpleQueue[None] = SimpleQueue()
        self._executor = self._new_executor()

    def run(self) -> bool:
        """Work until `stop` is called, from another thread or a signal handler.

        A store that is out of reach is logged, and tried again a second later.

        Returns:
            Whether all turns had ended after the grace time. What still runs then goes on in its
            thread, and keeps its claim as long as this process lives.
        """
        try:
            while not self._is_stopping:
                self._work()
        finally:
            is_done = self._wait(lambda: not self._executor.running, self._grace_seconds)
            for turn in self._executor.running:
                _log.warning(
                    "run %s: its turn still goes on after the grace time of %g s; the claim on "
                    "it holds until its lease runs out",
                    *(turn.run.id, self._grace_seconds),
                )
            self.given_up += self._executor.given_up
            self._executor.close()
            self._executor = self._new_executor()
        return is_done

    def run_once(self) -> int:
        """Do one round: let go of dead turns, end the waits that are due; return how many runs.

        Takes at most `batch` due runs, as many at once as there are threads, and returns when
        their turns have ended.
        """
        released = self._release_stale()
        self._engine._going_on.deliver_due()
        self._moving.move()
        ended = 0
        while ended < self._batch and not self._is_stopping:
            self._wait(lambda: self._is_stopping or self._executor.free > 0)
            asked = min(self._executor.free, self._batch - ended)
            found = self._start_due(asked)
            ended += found
            if found < asked:
                self._wait(lambda: not self._executor.running)
                if not self._engine._due.has_left:
                    break
        self._wait(lambda: not self._executor.running)
        return released + ended

    def stop(self) -> None:
        """Claim nothing more, wait for the turns under way for the grace time, and end `run`."""
        self._is_stopping = True
        self._wake()

    def _work(self) -> None:
        """Do a round; of several that fail one after the other, the first is logged."""
        try:
            self._do_round()
        except Exception:
            if not self._failed_rounds:
                _log.exception("the worker could not do its round (it tries again)")
            self._failed_rounds += 1
            self._wait(lambda: self._is_stopping, min(self._poll, _PAUSE_SECONDS))

    def _do_round(self) -> None:
        """Do what there is to do, and rest if it is nothing."""
        self._executor.give_up_overdue()
        if monotonic() >= self._next_release:
            self._release_stale()
            self._engine._going_on.deliver_due()
            self._moving.move()
            self._next_release = monotonic() + self._poll
        elif self._seconds_to_rest() == 0:
            self._engine._going_on.deliver_due()
        asked = min(self._executor.free, self._batch)
        looked_at = self._engine.clock.now()
        found = self._start_due(asked) if asked > 0 else 0
        if self._failed_rounds:
            _log.info("the worker works again, after %d rounds that failed", self._failed_rounds)
            self._failed_rounds = 0
        if asked <= 0:
            self._wait(lambda: self._is_stopping or self._executor.free > 0, self._poll)
        elif found < asked:
            self._rest(looked_at)

    def _start_due(self, limit: int) -> int:
        """Begin the turns of due runs; return how many. What cannot be begun is given back."""
        due = self._engine._due
        due.has_left = False  # what was left before is found now
        turns = due.claim(limit, self._queues)
        started = 0
        try:
            for turn in turns:
                if self._is_stopping:
                    break
                self._executor.start(turn)
                started += 1
        finally:
            due.release(turns[started:])
        return started

    def _release_stale(self) -> int:
        """Let go of dead turns, few at a time: after an outage there may be very many."""
        number = 0
        while not self._is_stopping:
            released = self._engine.release_stale(
                max_attempts=self._max_attempts, limit=_RELEASED_AT_ONCE
            )
            for run in released:
                _log.warning(
                    "run %s: its process died in turn %d; it is %s", run.id, run.turn, run.state
                )
            number += len(released)
            # Of fewer, some may be another worker's, which is at it too.
            if len(released) < _RELEASED_AT_ONCE:
                break
        return number

    def _rest(self, looked_at: datetime) -> None:
        """Wait until it is time to look again, or there is something to be found."""
        store = self._engine.store
        if isinstance(store, Wakes):
            now = self._engine.clock.now()
            store.wait_for_work(
                looked_at=looked_at,
                now=now,
                until=now + timedelta(seconds=self._seconds_to_rest()),
                is_stopped=lambda: self._has_work() or self._executor.next_limit() == 0,
            )
        else:
            self._wait(self._has_work, self._poll, rest=self._seconds_to_rest)

    def _seconds_to_rest(self) -> float:
        """Return how long to rest: for one poll, or until a message is to be tried again."""
        next_try = self._engine._going_on.next_try
        if next_try is None:
            return self._poll
        left = (next_try - self._engine.clock.now()).total_seconds()
        return max(0.0, min(self._poll, left))

    def _has_work(self) -> bool:
        """Whether to rest no longer: there is more to do at once, or the worker stops."""
        return self._is_stopping or self._engine._due.has_left or self._seconds_to_rest() == 0

    def _wait(
        self,
        is_done: Callable[[], bool],
        seconds: float | None = None,
        rest: Callable[[], float | None] = lambda: None,
    ) -> bool:
        """Wait until something is so, at most for some seconds; return whether it is so.

        It is asked when something has changed, and after a `rest`. Meanwhile the turns that take
        too long are given up.
        """
        end = None if seconds is None else monotonic() + seconds
        while not is_done():
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return False
            limit = self._executor.next_limit()
            waits = [wait for wait in (left, limit, rest()) if wait is not None]
            with suppress(Empty):
                self._news.get(timeout=min(waits, default=None))
            self._executor.give_up_overdue()
        return True

    def _wake(self) -> None:
        """Let whoever waits look again; what has changed has changed before."""
        if self._news.empty():  # or what nobody waits for would pile up
            self._news.put(None)

    def _new_executor(self) -> Executor:
        return Executor(self._threads, seconds=self._turn_seconds, on_end=self._wake)


def _check_store(store: RunStore, queues: Collection[str] | None) -> None:
    if not isinstance(store, Deadlines):
        raise NotSupported(store, "deadlines")
    if not isinstance(store, Leases):
        raise NotSupported(store, "leases")
    if queues is not None and not isinstance(store, Queues):
        raise NotSupported(store, "queues")


def _check_counts(**counts: int) -> None:
    for name, number in counts.items():
        if number < 1:
            raise ValueError(f"{name}={number} must be at least 1")


def _check_times(poll: timedelta, turn_seconds: float | None, grace_seconds: float) -> None:
    if poll <= timedelta(0):
        raise ValueError(f"poll={poll!r} is no time (give timedelta(seconds=1))")
    if turn_seconds is not None and turn_seconds <= 0:
        raise ValueError(f"turn_seconds={turn_seconds} is no time (give 30, or None)")
    if grace_seconds < 0:
        raise ValueError(f"grace_seconds={grace_seconds} is less than no time (give 30, or 0)")
