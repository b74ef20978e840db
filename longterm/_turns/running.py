"""One turn: run what there is to call, and save the run as the turn leaves it.

Whatever ends a turn before its save leaves the run as it was. Plain code and asynchronous code take
the same steps, each in a method of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeGuard

from longterm._event_names import CHECKPOINT, SCHEDULE, STEP, names_in
from longterm._flows.continuation import rebuild
from longterm._flows.run_turn import Completed, Outcome, Suspended, arun_turn, run_turn
from longterm._flows.step_calls import StepWait
from longterm._flows.wait_result import WaitResult
from longterm._signals import is_of_signal
from longterm._turns.attempts import Attempt, Attempts
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.kept_sources import KeptSources
from longterm._turns.step_records import described
from longterm._turns.steps import Steps
from longterm._turns.threads import in_store
from longterm._turns.transitions import after_error, after_turn, failed_run, with_facts
from longterm._turns.waits import end_of_wait, is_over, keep_wait
from longterm.clock import Clock
from longterm.errors import InvalidValue
from longterm.run import Run, RunState
from longterm.store.base import RunStore
from longterm.wait import Wait

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
        sources: KeptSources | None = None,
    ) -> None:
        """Run turns that leave no more than some bytes; `on_turn` is told of each that is saved.

        `sources` keeps the source of what they wait in.
        """
        self._attempts = attempts
        self._clock = clock
        self._claims = claims
        self._max_bytes = max_bytes
        self._on_turn = on_turn
        self._sources = sources
        self._steps = Steps(clock, attempts, self, max_bytes=max_bytes)
        self.on_failure: Callable[[Run], object] = lambda run: None
        """Called with a run that was saved for its caller, to whom an exception is then raised."""
        self.aon_failure: Callable[[Run], Awaitable[object]] | None = None
        """The same, for asynchronous code."""

    def run(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn, and save the run as the turn leaves it."""
        attempt.begin()
        outcome: Outcome | None = attempt.outcome
        # The store is asked outside of the `try`: what it refuses is no failure of the flow's.
        while outcome is None or (
            _may_end_now(outcome, attempt) and self._ends_now(claim, attempt, outcome)
        ):
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
        return self.tell(self._save(claim, self._after(attempt, outcome), outcome))

    async def arun(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn of an `async def` flow; the store is used in a thread."""
        attempt.begin()
        outcome: Outcome | None = attempt.outcome
        while outcome is None or (
            _may_end_now(outcome, attempt) and await self._aends_now(claim, attempt, outcome)
        ):
            try:
                outcome = await arun_turn(attempt, attempt.entry)
            except BaseException as error:
                ended = self._ended_by(error, attempt)
                if ended is None:
                    raise
                saved = self.tell(await in_store(claim.store, claim.save_turn, ended))
                if ended.state is not RunState.CANCELLED:
                    if claim.has_caller and self.aon_failure is not None:
                        await self.aon_failure(saved)
                    raise
                return saved
        after = self._after(attempt, outcome)
        return self.tell(await in_store(claim.store, self._save, claim, after, outcome))

    def _save(self, claim: Claim, run: Run, outcome: Outcome) -> Run:
        saved = claim.save_turn(run)
        if self._sources is not None and type(outcome) is Suspended:
            self._sources.keep(outcome.frames)
        return saved

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

        outbox = attempt.outbox
        if attempt.observed is not None:
            outbox.traceparent = attempt.observed.traceparent
        return tell_family(run, outbox, outcome, self._clock.now() + self._claims.lease)

    def _after(self, attempt: Attempt, outcome: Outcome, *, is_on: bool = False) -> Run:
        now = self._clock.now()
        run = after_turn(attempt.run, attempt, outcome, now, self._max_bytes, is_on=is_on)
        return self.told(run, attempt, outcome.result if type(outcome) is Completed else None)

    def _ends_now(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> bool:
        """Go on in the same turn with a flow whose wait is over as soon as it has begun.

        That is a checkpoint, at which the run is saved; or a wait for what may be there already,
        with a deadline that is not in the future: for that no run is saved, and no worker comes.
        """
        wait, frames = outcome.wait, outcome.frames
        if attempt.postponed is not None:
            result, attempt.postponed = attempt.postponed, None
        elif wait.event_id == STEP:
            with _shown(attempt, wait):
                return self._steps.run(claim, attempt, outcome)
        elif wait.event_id == CHECKPOINT:
            self.save_on(claim, attempt, outcome)
            unread = claim.read_next()
            found = None if unread is None else self._attempts.result_of(unread)
            result = end_of_wait(found, wait.event_id, frames[-1].slots)
        elif is_over(wait, self._clock.now()):
            keep_wait(frames, wait)
            result = self._polled(claim, attempt, wait.event_id, frames[-1].slots)
        else:
            return False
        attempt.frames = frames
        attempt.go_on()
        attempt.flow, attempt.entry = rebuild(frames, result)
        return True

    async def _aends_now(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> bool:
        if outcome.wait.event_id == STEP and attempt.postponed is None:
            with _shown(attempt, outcome.wait):
                return await self._steps.arun(claim, attempt, outcome)
        return bool(await claim.in_store(self._ends_now, claim, attempt, outcome))

    def save_on(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> None:
        """Save a run in the middle of its turn."""
        self._note_saved(attempt, claim.save_on(self._after(attempt, outcome, is_on=True)))
        if self._sources is not None:
            self._sources.keep(outcome.frames)

    def save_in(
        self, view: RunStore, claim: Claim, attempt: Attempt, outcome: Suspended
    ) -> Callable[[], None]:
        """Save a run in the middle of its turn, in a transaction; return what to do after that."""
        saved = claim.save_in(view, self._after(attempt, outcome, is_on=True))
        return lambda: self._note_saved(attempt, claim.note_saved(saved))

    def _note_saved(self, attempt: Attempt, saved: Run) -> None:
        attempt.run = saved
        if attempt.outgoing is not None:
            attempt.outgoing.saved(saved)
        attempt.before_failure = None

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
        if attempt.observed is not None:
            attempt.observed.error = error
        asked = None if attempt.result is None else attempt.result.error
        run = with_facts(attempt.run, attempt)
        now = self._clock.now()
        if error is attempt.fails_by:
            ended: Run | None = failed_run(run, error, attempt.frames, now)
        else:
            ended = after_error(run, error, asked, attempt.frames, now)
        if ended is not None and ended.state is RunState.FAILED and attempt.before_failure:
            stack, position = attempt.before_failure
            ended = ended.changed(stack=stack, position=position)
        return None if ended is None else self.told(ended, attempt, error)


def _may_end_now(outcome: Outcome, attempt: Attempt) -> TypeGuard[Suspended]:
    """Tell whether a turn ends in a wait that may be over already."""
    if type(outcome) is not Suspended or outcome.wait.event_id == SCHEDULE:
        return False  # there is no flow of a schedule's that could go on
    return outcome.wait.expires is not None or attempt.postponed is not None


@contextmanager
def _shown(attempt: Attempt, wait: Wait) -> Iterator[None]:
    """Let the turn say what it is at while it runs a step."""
    assert isinstance(wait, StepWait)
    call = wait.call
    attempt.progress = lambda: json.dumps(described(call))
    try:
        yield
    finally:
        attempt.progress = None
