"""The store in memory: runs in a dict, gone with the process; the reference model of the others.

Keeps the records it is given, subclasses and their fields included. Never touches a disk.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from longterm.errors import ClaimLost, RunExists, UnknownRun
from longterm.run import Run, RunState


class MemoryStore:
    """A store for tests, for trying things out, and for runs that may be lost with the process."""

    def __init__(self) -> None:
        """Begin with no runs."""
        self._runs: dict[str, Run] = {}
        self._lock = Lock()

    def create(self, run: Run) -> Run:
        with self._lock:
            if run.id in self._runs:
                raise RunExists(run.id)
            self._runs[run.id] = run
        return run

    def get(self, run_id: str) -> Run:
        with self._lock:
            return self._stored(run_id)

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        with self._lock:
            run = self._stored(run_id)
            if run.state is not RunState.SUSPENDED or run.waiting_for != event_id:
                return None
            claimed = replace(run, state=RunState.RUNNING, turn=run.turn + 1)
            self._runs[run_id] = claimed
        return claimed

    def update(self, run: Run) -> Run:
        with self._lock:
            stored = self._stored(run.id)
            if stored.state is not RunState.RUNNING or stored.turn != run.turn:
                raise ClaimLost(run.id, run.turn)
            self._runs[run.id] = run
        return run

    def _stored(self, run_id: str) -> Run:
        try:
            return self._runs[run_id]
        except KeyError:
            raise UnknownRun(run_id) from None
