"""One turn: run what there is to call, and save the run as the turn leaves it.

Whatever ends a turn before its save leaves the run as it was. Plain code and asynchronous code take
the same steps, each in a method of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from longterm._event_names import CHECKPOINT, names_in
from longterm._flows.continuation import rebuild
from longterm._flows.run_turn import Completed, Outcome, Suspended, arun_turn, run_turn
from longterm._flows.wait_result import WaitResult
from longterm._signals import is_of_signal
from longterm._turns.attempts import Attempt, Attempts
from longterm._turns.claims import Claim, Claims
from longterm._turns.threads import in_thread
from longterm._turns.transitions import after_error, after_turn, with_facts
from longterm._turns.waits import end_of_wait, is_over, keep_wait, may_end_now
from longterm.clock import Clock
from longterm.errors import InvalidValue
from longterm.run import Run, RunState

_log = logging.getLogger("longterm")


class Running:
    """Runs the attempts of one engine."""

    def __init__(
        self,
        attempts: Attempts,
        clock: Clock,
        claims: Claims,
        *,
        max_bytes: int,
        on_turn: Callable[[Run], object] | None = None,
    ) -> None:
        """Run turns that leave no more than some bytes; `on_turn` is told of each that is saved."""
        self._attempts = attempts
        self._clock = clock
        self._claims = claims
        self._max_bytes = max_bytes
        self._on_turn = on_turn
        self.on_failure: Callable[[Run], object] = lambda run: None
        """Called with a run that was saved as failed for its caller, to whom its exception is then
        raised."""
        self.aon_failure: Callable[[Run], Awaitable[object]] | None = None
        """The same, for asynchronous code."""

    def run(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn, and save the run as the turn leaves it."""
        attempt.begin()
        outcome: Outcome | None = attempt.outcome
        while outcome is None:
            try:
                outcome = run_turn(attempt, attempt.entry)
            except BaseException as error:
                ended = self._ended_by(error, attempt)
                if ended is None:
                    raise
                saved = self.tell(claim.save_turn(ended))
                if ended.state is not RunState.CANCELLED:
                    if claim.has_caller:
                        self.on_failure(saved)
                    raise
                return saved
            # Not in the `try`: what the store refuses here is no failure of the flow's.
            if may_end_now(outcome) and self._ends_now(claim, attempt, outcome):
                outcome = None
        return self.tell(claim.save_turn(self._after(attempt, outcome)))

    async def arun(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn of an `async def` flow; the store is used in a thread."""
        attempt.begin()
        outcome: Outcome | None = attempt.outcome
        while outcome is None:
            try:
                outcome = await arun_turn(attempt, attempt.entry)
            except BaseException as error:
                ended = self._ended_by(error, attempt)
                if ended is None:
                    raise
                saved = self.tell(await in_thread(claim.save_turn, ended))
                if ended.state is not RunState.CANCELLED:
                    if claim.has_caller and self.aon_failure is not None:
                        await self.aon_failure(saved)
                    raise
                return saved
            if may_end_now(outcome) and await claim.in_thread(
                self._ends_now, claim, attempt, outcome
            ):
                outcome = None
        return self.tell(await in_thread(claim.save_turn, self._after(attempt, outcome)))

    def tell(self, run: Run) -> Run:
        """Tell the application of a turn that is saved; what goes wrong there changes nothing."""
        if self._on_turn is not None:
            try:
                self._on_turn(run.changed(outgoing=()) if run.outgoing else run)
            except Exception as error:
                if is_of_signal(error):
                    raise
                _log.exception("run %s: on_turn failed after turn %d", run.id, run.turn)
        return run

    def told(self, run: Run, attempt: Attempt, outcome: object) -> Run:
        """Return a run with what its turn sends to others."""
        if attempt.outgoing is None and run.parent is None and not run.children:
            return run  # most often
        from longterm._turns.family import tell_family

        return tell_family(run, attempt.outbox, outcome, self._clock.now() + self._claims.lease)

    def _after(self, attempt: Attempt, outcome: Outcome) -> Run:
        run = after_turn(attempt.run, attempt, outcome, self._clock.now(), self._max_bytes)
        return self.told(run, attempt, outcome.result if type(outcome) is Completed else None)

    def _ends_now(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> bool:
        """Go on in the same turn with a flow whose wait is over as soon as it has begun.

        That is a checkpoint, at which the run is saved; or a wait for what may be there already,
        with a deadline that is not in the future: for that no run is saved, and no worker comes.
        """
        wait, frames = outcome.wait, outcome.frames
        if wait.event_id == CHECKPOINT:
            attempt.run = claim.save_on(self._after(attempt, outcome))
            if attempt.outgoing is not None:
                attempt.outgoing.saved(attempt.run)
            unread = claim.read_next()
            result = None if unread is None else self._attempts.result_of(unread)
            result = end_of_wait(result, wait.event_id, frames[-1].slots)
        elif is_over(wait, self._clock.now()):
            keep_wait(frames, wait)
            result = self._polled(claim, attempt, wait.event_id, frames[-1].slots)
        else:
            return False
        attempt.frames = frames
        attempt.go_on()
        attempt.flow, attempt.entry = rebuild(frames, result)
        return True

    def _polled(
        self, claim: Claim, attempt: Attempt, waiting_for: str, slots: dict[str, object]
    ) -> WaitResult:
        """Return what a wait is worth that takes what is in the inbox now, and fits."""
        while (unread := claim.read_now(names_in(waiting_for))) is not None:
            result = self._attempts.result_of(unread)
            attempt.note_child(unread.event_id)
            try:
                return end_of_wait(result, waiting_for, slots)
            except InvalidValue as error:
                claim.refuse(error)
        return end_of_wait(None, waiting_for, slots)

    def _ended_by(self, error: BaseException, attempt: Attempt) -> Run | None:
        asked = None if attempt.result is None else attempt.result.error
        run = with_facts(attempt.run, attempt)
        ended = after_error(run, error, asked, attempt.frames, self._clock.now())
        return None if ended is None else self.told(ended, attempt, error)
