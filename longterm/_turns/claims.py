"""The claims of one engine: taken for a limited time, renewed while a turn is long, given back.

A claim on a store without leases holds until its turn is saved or undone; if the process dies in
the turn, the run stays claimed.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from longterm._fork import register_reset
from longterm._turns.transitions import released_run
from longterm.clock import Clock
from longterm.errors import ClockSkew, NotSupported, RunNotFailed
from longterm.run import Run
from longterm.store.base import Clocked, Deadlines, Leases, RunStore, claims_by_flow

_RENEWALS = 3
"""How many times a claim is renewed in the time for which it would hold."""


class Claims:
    """Takes claims and keeps them alive; a thread renews those of turns that take long."""

    def __init__(self, store: RunStore, clock: Clock, lease: timedelta) -> None:
        """Take claims on a store for a time."""
        self._store = store
        # Asking a protocol takes longer than the rest of a claim in memory, so it is asked once.
        self._leases = store if isinstance(store, Leases) else None
        self._clocked = store if isinstance(store, Clocked) else None
        self._clock = clock
        self._lease = lease
        register_reset(self)

    def reset_after_fork(self) -> None:
        """Hold no claim; none is kept alive by a thread."""
        self._held: dict[str, int] = {}
        self.saving: set[tuple[str, int]] = set()
        """The claims, by run and turn, that the store has been asked to save."""
        self._has_keeper = False

    def claim(self, run_id: str, event_id: str) -> Run | None:
        """Claim a suspended run for an event; None if it is not to be had for it."""
        if self._leases is None:
            return self._store.unsuspend(run_id, event_id)
        now = self._now()
        run = self._leases.claim(run_id, event_id, now=now, until=now + self._lease)
        if run is not None:
            self.hold(run)
        return run

    def hold(self, run: Run) -> None:
        """Keep the claim on a run alive until it is saved or released."""
        self._held[run.id] = run.turn
        if not self._has_keeper:
            self._start_keeper()

    def save(self, run: Run) -> Run:
        """Save what a turn made of a claimed run; the claim is over."""
        self.saving.add((run.id, run.turn))
        try:
            self._keep_no_longer(run.id, run.turn)
            return self._store.update(run)
        finally:
            self.saving.discard((run.id, run.turn))

    def release(self, run: Run) -> Run:
        """Give a claimed run back as it was."""
        return self.save(released_run(run))

    def release_all(self, runs: Collection[Run]) -> None:
        """Give claimed runs back; if the store is out of reach, the claims on them run out."""
        for run in runs:
            self._keep_no_longer(run.id, run.turn)
        for run in runs:
            with suppress(Exception):
                self.release(run)

    def revive(self, run_id: str) -> Run:
        """Claim a failed run."""
        if self._leases is None:
            raise NotSupported(self._store, "retrying failed runs")
        now = self._now()
        run = self._leases.revive(run_id, now=now, until=now + self._lease)
        if run is None:
            raise RunNotFailed(run_id, self._store.get(run_id).state)
        self.hold(run)
        return run

    def claim_due(self, limit: int, flows: Collection[str]) -> list[Run]:
        """Claim runs of some flows whose deadlines have passed; see `claims_by_flow`."""
        store = self._store
        if not isinstance(store, Deadlines):
            raise NotSupported(store, "deadlines")
        now = self._now()
        until = now + self._lease
        if claims_by_flow(store):
            due = store.claim_due(now=now, until=until, limit=limit, flows=flows)
        else:
            due = store.claim_due(now=now, until=until, limit=limit)
        for run in due:
            self.hold(run)
        return due

    def release_stale(self, max_attempts: int) -> list[Run]:
        """Let go of the runs whose claims have run out."""
        if self._leases is None:
            raise NotSupported(self._store, "leases")
        return self._leases.release_stale(now=self._now(), max_attempts=max_attempts)

    def renew(self) -> None:
        """Renew every claim that is held; one that was lost meanwhile is let go of."""
        if self._leases is None:
            return
        for run_id, turn in list(self._held.items()):
            # If the store cannot renew this one now, the next round tries again; if the claim runs
            # out before, saving the turn is refused, and nothing is lost.
            with suppress(Exception):
                if not self._leases.renew(run_id, turn, until=self._until()):
                    self._keep_no_longer(run_id, turn)

    def _keep_no_longer(self, run_id: str, turn: int) -> None:
        """Leave a claim to run out; if the run was claimed anew meanwhile, that claim is kept."""
        if self._held.get(run_id) == turn:
            self._held.pop(run_id, None)

    def _now(self) -> datetime:
        """Return the present moment, if this machine's clock is good enough to claim by it."""
        if self._clocked is not None:
            ahead = self._clocked.clock_ahead()
            if 2 * abs(ahead) > self._lease:
                raise ClockSkew(ahead, self._lease)
        return self._clock.now()

    def _until(self) -> datetime:
        return self._clock.now() + self._lease

    def _start_keeper(self) -> None:
        """Start the thread that renews; it ends when the claims are garbage."""
        self._has_keeper = True
        pause = self._lease.total_seconds() / _RENEWALS
        ended = threading.Event()
        weakref.finalize(self, ended.set)
        thread = threading.Thread(
            target=_keep,
            args=(weakref.ref(self), pause, ended),
            name="longterm-leases",
            daemon=True,
        )
        thread.start()


def _keep(claims: weakref.ref[Claims], pause: float, ended: threading.Event) -> None:
    while not ended.wait(pause):
        alive = claims()
        if alive is None:
            return
        alive.renew()
        del alive
