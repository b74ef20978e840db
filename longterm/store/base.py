"""The store contract: what every RunStore promises, written once.

A store holds runs as plain records of text and bytes, and never decodes them. Four methods are its
whole duty; the engine does the rest. `longterm.testing.contract` tests each promise made here.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from longterm.run import Run


@runtime_checkable
class RunStore(Protocol):
    """A durable home of runs.

    - **Whole or not at all.** Each method is one atomic step. One that raises has changed nothing,
      and a reader sees a run as it was before a step or after it, never between.
    - **Many callers.** Every method may be called from several threads and, where the store is
      durable, from several processes at once. A store waits for its turn; it does not fail because
      another caller is busy.
    - **Durable on return.** When `create` or `update` returns, a power failure cannot undo it. A
      claim by `unsuspend` may be lost only in a failure that its claimant does not outlive (that
      of the one machine they share): the run is then merely still suspended.
    - **Exact.** Text is any Unicode without NUL and compares by code point; bytes come back as they
      went in, and empty is not None. A record that was returned never changes afterwards.
    - **Fields of its own.** A store may return a subclass of `Run` with further fields. `create` is
      given a plain `Run`, `update` a record that this store returned, changed by
      `dataclasses.replace`: what the engine does not know, it hands back as it was.
    """

    def create(self, run: Run) -> Run:
        """Insert a new run, in any state, and return it as stored.

        Raises:
            RunExists: the id is taken.
        """
        ...

    def get(self, run_id: str) -> Run:
        """Return the run as it is now.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        """Claim a suspended run for one turn, if it waits for this event.

        In one atomic step: if the run is suspended and waits for `event_id`, its state becomes
        running, its turn goes up by one, and the claimed run is returned, everything else as it
        was, so that the run can be taken up again should the claimant die. Otherwise nothing
        changes and None is returned. Of several callers exactly one gets the run.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def update(self, run: Run) -> Run:
        """Save what a turn made of a claimed run, every field of it, and return it as stored.

        Only the holder of the newest claim can save, and only once: the stored run must be running
        and its turn must equal `run.turn`.

        Raises:
            UnknownRun: no run has this id.
            ClaimLost: the stored run is not running, or its turn is another; nothing was stored.
        """
        ...
