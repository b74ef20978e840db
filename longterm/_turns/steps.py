"""The steps of turns: each is run in its turn, outside of the flow's stack, and saved once.

First the frames and the call are encoded, so what cannot be stored is refused before anything is
done. Then the function runs; then the run is saved with what came of it, and its flow goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import CodeType
from typing import Final, Protocol

from longterm._flows.run_turn import Suspended
from longterm._flows.step_calls import StepCall, StepTurn, StepWait
from longterm._flows.turn_context import InContext, context_of_turn
from longterm._flows.wait_result import StepResult, WaitResult
from longterm._signals import is_of_signal
from longterm._turns.attempts import Attempt, Attempts
from longterm._turns.claim import Claim
from longterm._turns.exactly_once import PAUSE, NotSaved, Work, WorkWithRun
from longterm._turns.step_records import described, gone_on, keep_end, keep_pending
from longterm._turns.threads import in_thread
from longterm._turns.transitions import add_note, after_turn
from longterm.clock import Clock, SystemClock
from longterm.errors import CannotStore, Retry, in_bytes
from longterm.frame import Frame
from longterm.run import Run
from longterm.store.base import RunStore

_log = logging.getLogger("longterm")

LONGEST_IN_PLACE: Final = timedelta(seconds=5)
"""How long a pause between two attempts may be that is waited in the turn."""
LARGE_BYTES: Final = 2**20
"""What the frames of a flow may take at a step before that is logged."""
_SLICE: Final = 1.0
"""Seconds after which a pause looks whether the run was cancelled."""


class Saves(Protocol):
    """What saves turns in their middle."""

    def save_on(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> None:
        """Save a run."""
        ...

    def save_in(
        self, view: RunStore, claim: Claim, attempt: Attempt, outcome: Suspended
    ) -> Callable[[], None]:
        """Save a run in a transaction, and return what to do once that is committed."""
        ...


class Steps:
    """Runs the steps of one engine."""

    def __init__(
        self,
        clock: Clock,
        attempts: Attempts,
        saves: Saves,
        *,
        max_bytes: int,
    ) -> None:
        """Have turns saved in their middle; none leaves more than some bytes."""
        self._clock = clock
        self._attempts = attempts
        self._saves = saves
        self._max_bytes = max_bytes
        self._large: set[str] = set()

    def run(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> bool:
        """Run the step that a flow has come to; return whether the flow goes on in this turn.

        If not, the run rests until the next attempt at the step.
        """
        call = self._begin(claim, attempt, outcome)
        if call is not None and needs_slot(attempt, outcome):
            self._rest(outcome, timedelta(0))
            return False
        while call is not None:
            end, after_commit = self._try(claim, attempt, outcome, call)
            if after_commit is not None:
                after_commit()
                self._go_on(attempt, outcome, end)
                return True
            pause = self._pause_after(attempt.run, call, end)
            if pause is None:
                self._keep(claim, attempt, outcome, end)
                return True
            if pause > LONGEST_IN_PLACE:
                self._rest(outcome, pause)
                return False
            seconds = pause.total_seconds()
            while seconds > 0 and call is not None:
                self._clock.sleep(min(seconds, _SLICE))
                seconds -= _SLICE
                if self._is_interrupted(claim, attempt, outcome):
                    call = None
        return True

    async def arun(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> bool:
        """Run a step of an `async def` flow: one that is none itself runs in a thread."""
        call = await claim.in_store(self._begin, claim, attempt, outcome)
        if call is not None and needs_slot(attempt, outcome):
            self._rest(outcome, timedelta(0))
            return False
        while call is not None:
            after_commit = None
            if call.step.db is None or call.step.is_async:
                end = await _atried(attempt, call)
            elif tried := await claim.in_thread(self._try, claim, attempt, outcome, call):
                end, after_commit = tried
            else:
                break
            if after_commit is not None:
                after_commit()
                self._go_on(attempt, outcome, end)
                return True
            pause = self._pause_after(attempt.run, call, end)
            if pause is None:
                await claim.in_store(self._keep, claim, attempt, outcome, end)
                return True
            if pause > LONGEST_IN_PLACE:
                self._rest(outcome, pause)
                return False
            seconds = pause.total_seconds()
            while seconds > 0 and call is not None:
                await self._asleep(min(seconds, _SLICE))
                seconds -= _SLICE
                if await claim.in_store(self._is_interrupted, claim, attempt, outcome):
                    call = None
        return True

    async def _asleep(self, seconds: float) -> None:
        if type(self._clock) is SystemClock:
            import asyncio

            await asyncio.sleep(seconds)
        else:
            await in_thread(self._clock.sleep, seconds)

    def _begin(self, claim: Claim, attempt: Attempt, outcome: Suspended) -> StepCall | None:
        """Make sure that a call can be stored, before it is made; None: it is not to be made.

        Raises:
            CannotStore: it cannot be, or the flow holds what cannot.
            UnknownQueue: it is to wait in a queue that was never declared.
        """
        wait = outcome.wait
        assert isinstance(wait, StepWait)
        call = wait.call
        if not outcome.frames:  # no flow has called it: it is the run itself
            outcome.frames = [Frame(attempt.flow.name, "", 0, 0)]
        if self._is_interrupted(claim, attempt, outcome, look=False):
            return None
        if wait.queue is not None:
            claim.check_queue(wait.queue)
        if not call.number:
            call.number, call.since = attempt.steps + 1, self._clock.now()
        attempt.steps = call.number
        keep_pending(outcome.frames, replace(call, attempt=1))
        pending = after_turn(
            *(attempt.run, attempt, outcome, self._clock.now(), self._max_bytes), is_on=True
        )
        self._look_at_size(pending)
        if call.step.is_found_by_name() and not call.step.at_most_once:
            call.before = pending.stack, pending.position
        if call.step.at_most_once and not needs_slot(attempt, outcome):
            keep_pending(outcome.frames, call, is_begun=True)
            self._saves.save_on(claim, attempt, outcome)
        return call

    def _look_at_size(self, pending: Run) -> None:
        """Log once for each flow that its frames are large for what is written at each step."""
        size = len(pending.stack or b"")
        if size > LARGE_BYTES and pending.flow not in self._large:
            self._large.add(pending.flow)
            _log.warning(
                "the frames of flow %s take %s, and are written at each of its steps (keep what is "
                "large elsewhere, or spawn the steps: a child has frames of its own)",
                *(pending.flow, in_bytes(size)),
            )

    def _try(
        self, claim: Claim, attempt: Attempt, outcome: Suspended, call: StepCall
    ) -> tuple[StepResult, Callable[[], None] | None]:
        """Make a call of a step once; return what came of it.

        Also what is to be done if the run was saved with it, in the step's own transaction.
        """
        db, store = call.step.db, claim.store
        has_flow = outcome.frames[0].point != 0  # else the run ends with the step
        try:
            is_joined = has_flow and db is not None and db.joins(store)
        except Exception as error:
            assert db is not None
            if not db.is_unreachable(error):
                raise
            # If it is another database, a process that has died may have done it there.
            call.is_unknown = True
            return StepResult(error=error), None
        if db is None or not is_joined:
            return _tried(attempt, call), None

        def save(view: RunStore, end: WaitResult) -> Callable[[], None]:
            keep_end(outcome.frames, call, end)
            give_slot_back(attempt, outcome)
            return self._saves.save_in(view, claim, attempt, outcome)

        work = WorkWithRun(db, call, store, save)
        try:
            return _tried(attempt, call, work), work.after_commit
        except NotSaved as error:
            if error.is_unknown:
                claim.lose()
            raise error.reason from error.reason.__cause__

    def _pause_after(self, run: Run, call: StepCall, end: WaitResult) -> timedelta | None:
        """Return how long to wait before the next attempt; None: there is none.

        An exception that ends the step gets a note of how often it was tried.
        """
        step, error = call.step, end.error
        if error is None:
            return None
        call.is_unknown, is_unknown = False, call.is_unknown
        is_wanted = isinstance(error, (Retry, step.retry_on))
        if not is_wanted or call.attempt >= step.max_attempts:
            if is_unknown:
                _log.warning(
                    "run %s: the database of step %s is out of reach (%s); it is asked again in %s",
                    *(run.id, step.spoken, type(error).__name__, PAUSE),
                )
                return PAUSE
            if step.max_attempts > 1:
                why = "" if is_wanted else ", not in retry_on"
                add_note(
                    error,
                    f"longterm: step {step.spoken}, attempt {call.attempt} of {step.max_attempts}"
                    f"{why}",
                )
            return None
        after = error.after if isinstance(error, Retry) else None
        try:
            pause = step.pause_after(call.attempt) if after is None else after
        except Exception as fault:
            if is_of_signal(fault):
                raise
            end.error = fault
            return None
        call.attempt += 1
        return pause

    def _keep(self, claim: Claim, attempt: Attempt, outcome: Suspended, end: WaitResult) -> None:
        """Save what has come of a step, and let the flow go on with it.

        An exception that cannot be stored is raised in the flow all the same: it is part of no
        save then, and should the process die, the step is done again.
        """
        wait = outcome.wait
        assert isinstance(wait, StepWait)
        give_slot_back(attempt, outcome)
        is_over = outcome.frames[0].point == 0  # with the step, and that is its save
        # The call of a step without a name cannot be kept beside its exception.
        is_lost = end.error is not None and not (wait.call.before or wait.call.step.at_most_once)
        if is_over or is_lost:
            self._go_on(attempt, outcome, end)
            return
        keep_end(outcome.frames, wait.call, end)
        try:
            self._saves.save_on(claim, attempt, outcome)
        except CannotStore as error:
            if end.error is None:
                attempt.fails_by = error
                attempt.go_on()
                attempt.entry = WaitResult(error=error).as_callable()
                return
        else:
            attempt.before_failure = None if end.error is None else wait.call.before
        self._go_on(attempt, outcome, end)

    def _rest(self, outcome: Suspended, pause: timedelta) -> None:
        """Let the run rest until the next attempt."""
        wait = outcome.wait
        assert isinstance(wait, StepWait)
        keep_pending(outcome.frames, wait.call, rests=True)
        wait.expires = self._clock.now() + pause
        wait.wants = {"step": described(wait.call)}

    def _is_interrupted(
        self, claim: Claim, attempt: Attempt, outcome: Suspended, *, look: bool = True
    ) -> bool:
        """Raise in the flow, instead of going on with a step, what the run was sent: a cancel.

        Args:
            claim: the claim on the run.
            attempt: its turn.
            outcome: how its flow has come to the step.
            look: whether to ask the store; else what it has said last is known.
        """
        unread = claim.read_now(()) if look else claim.read_control()
        if unread is None:
            return False
        self._go_on(attempt, outcome, self._attempts.result_of(unread))
        return True

    def _go_on(self, attempt: Attempt, outcome: Suspended, end: WaitResult) -> None:
        attempt.frames = outcome.frames
        attempt.go_on()
        attempt.flow, attempt.entry = gone_on(outcome.frames, end)


def needs_slot(attempt: Attempt, outcome: Suspended) -> bool:
    """Tell whether a run has to wait in a queue before its step."""
    queue = outcome.wait.queue
    return queue is not None and attempt.run.queue != queue


def give_slot_back(attempt: Attempt, outcome: Suspended) -> None:
    """Let a run that was taken from a queue for its step go on without a slot."""
    if attempt.outcome is outcome and attempt.run.queue is not None:
        attempt.run = attempt.run.changed(queue=None, partition="")


def _tried(attempt: Attempt, call: StepCall, work: WorkWithRun | None = None) -> StepResult:
    """Make a call of a step once, in a context of its own.

    Raises:
        CannotSuspend: it came to wait.
        BaseException: what interrupts the turn.
    """
    turn, db = _step_turn(attempt, call), call.step.db
    context = context_of_turn(turn)
    function = work or (call.step.function if db is None else Work(db, call, turn))
    try:
        end = StepResult(context.run(function, *call.args, **call.kwargs))
    except Exception as error:
        end = _failed(error)
    if turn.observed is not None:
        turn.observed.end(end.error)
    if turn.refusal is not None:
        raise turn.refusal
    return end


async def _atried(attempt: Attempt, call: StepCall) -> StepResult:
    """Make a call of a step once, from asynchronous code; see `_tried`."""
    if not call.step.is_async:
        return await in_thread(_tried, attempt, call)
    turn, timeout, db = _step_turn(attempt, call), call.step.timeout, call.step.db
    context = context_of_turn(turn)
    function = call.step.function if db is None else Work(db, call, turn).awaited
    try:
        made = InContext(context, context.run(function, *call.args, **call.kwargs))
        if timeout is None:
            value = await made
        else:
            import asyncio

            async with asyncio.timeout(timeout.total_seconds()):
                value = await made
        end = StepResult(value, is_awaited=True)
    except Exception as error:
        end = _failed(error)
    if turn.observed is not None:
        turn.observed.end(end.error)
    if turn.refusal is not None:
        raise turn.refusal
    return end


def _step_turn(attempt: Attempt, call: StepCall) -> StepTurn:
    """Return a turn as a step sees it that begins now; whoever observes the turn is told."""
    turn, step = StepTurn(attempt, call), call.step
    if attempt.observed is not None:
        which = (step.name, call.number, call.attempt, step.max_attempts)
        turn.observed = attempt.observed.step(*which)
    return turn


def _failed(error: Exception) -> StepResult:
    """Return the end of a step that let an exception out, without the frames that called it."""
    if is_of_signal(error):
        raise error
    entry = error.__traceback__
    while entry is not None and _is_ours(entry.tb_frame.f_code):
        entry = entry.tb_next
    return StepResult(error=error.with_traceback(entry))


def _is_ours(code: CodeType) -> bool:
    return code in _OURS or code.co_filename.startswith(_DATABASE) or code.co_filename == _ONCE


_OURS: Final = frozenset({_tried.__code__, _atried.__code__, InContext.__await__.__code__})
_ONCE: Final = Work.__call__.__code__.co_filename
_DATABASE: Final = os.path.join(os.path.dirname(os.path.dirname(_ONCE)), "database", "")
