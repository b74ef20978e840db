"""What a turn runs: a claimed run's frames and what has come become a call of its flow.

No turn is run here, and nothing is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from longterm._abi import EVENTS, GATHERED, STEP
from longterm._codec import decode_frames
from longterm._event_names import CHILD, SCHEDULE, child_of, is_control, joined
from longterm._flows.context import LiveTurn
from longterm._flows.continuation import rebuild
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named, flow_of
from longterm._flows.run_turn import Suspended
from longterm._flows.same_rest import in_present_code
from longterm._flows.step_calls import StepWait
from longterm._flows.wait_result import WaitResult
from longterm._main import is_main
from longterm._turns.starts import Start, stored_call
from longterm._turns.step_records import (
    end_of_step,
    gone_on,
    pending_step,
    stack_before_failure,
    steps_begun,
)
from longterm._turns.waits import deadline_of, end_of_wait, missing_after
from longterm.clock import Clock
from longterm.errors import CannotRestart, CorruptData, NotImportable, RunTooLarge, StepUnknown
from longterm.frame import Frame
from longterm.run import Run, context_of
from longterm.store.base import RunStore
from longterm.wait import Wait

if TYPE_CHECKING:
    from longterm._turns.deliveries import Delivery
    from longterm._turns.outgoing import Outgoing
    from longterm.unread import UnreadEvent


reading: Final[ContextVar[RunStore | None]] = ContextVar("reading", default=None)
"""The store whose values are being decoded: a run among them is read from it."""


class Attempt(LiveTurn):
    """One try at a turn: what there is to call, and what it is made of."""

    outgoing: Outgoing | None = None
    """What the flow sends to others; None: nothing so far."""
    outcome: Suspended | None = None
    """How the turn ends that runs no code of the flow: it waits for more."""
    fails_by: BaseException | None = None
    """What fails the run, although such an exception undoes other turns."""
    postponed: WaitResult | None = None
    """What the run was sent while a step was not over: it is raised at the next wait."""
    before_failure: tuple[bytes | None, str | None] | None = None
    """The stack of before a step that failed last, and its position: a run that fails by it is
    retried there."""

    def __init__(
        self,
        run: Run,
        flow: Flow,
        entry: Callable[[], Any],
        frames: list[Frame],
        result: WaitResult | None,
        now: Callable[[], datetime],
        open_outbox: Callable[[Run], Outgoing],
    ) -> None:
        """Begin a turn; the first one has no frames yet, and no wait that has ended."""
        LiveTurn.__init__(self, run, now)  # `super()` takes as long as all of this
        self._open_outbox = open_outbox
        self.flow = flow
        self.entry = entry
        self.frames = frames
        self.result = result

    @property
    def is_async(self) -> bool:
        """Whether it runs code of an `async def` flow."""
        return self.flow.is_async and self.run.waiting_for != SCHEDULE

    def note_child(self, event_id: str) -> None:
        """Note that an event was read, which may be the end of a child."""
        child = child_of(event_id)
        if child is not None:
            self.outbox.take(child)

    @property
    def outbox(self) -> Outgoing:
        if self.outgoing is None:
            self.outgoing = self._open_outbox(self.run)
        return self.outgoing


class Attempts:
    """Makes the attempts of one engine."""

    def __init__(
        self, store: RunStore, clock: Clock, *, max_bytes: int, max_event_bytes: int
    ) -> None:
        """Read runs of a store.

        Args:
            store: where they are, and what their flows send.
            clock: what `now` in a flow returns.
            max_bytes: what a stack that is read, or the call of a run that is begun, may take.
            max_event_bytes: what the value of an event that a flow sends may take.
        """
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_event_bytes = max_event_bytes

    def startable(self, function: Callable[..., Any]) -> Flow:
        """Return the flow of a function, if its runs can go on once they are stored."""
        flow = flow_of(function)
        if is_main(flow.name.partition(":")[0]):
            from longterm.store.memory import MemoryStore

            if not isinstance(self._store, MemoryStore):
                raise NotImportable(flow.name)
        return flow

    def first(self, run: Run, start: Start) -> Attempt:
        """Return the first turn of a run, which calls the flow as it was started."""
        entry = partial(start.function, *start.args, **start.kwargs)
        return self._new(run, start.flow, entry, [], None)

    def of(self, run: Run, result: WaitResult | None, delivery: Delivery | None = None) -> Attempt:
        """Return a turn of a claimed run that goes on by what has come; None: its wait is over.

        Raises:
            CannotRestart: it failed in its first turn, and the call is not kept.
            RunTooLarge: its stack takes more bytes than are read.
            InvalidValue: what has come is not of the type that it waits for.
        """
        if run.stack is None:
            raise CannotRestart(run.id, "the call that began it could not be stored")
        if len(run.stack) > self._max_bytes:
            raise RunTooLarge(run.id, len(run.stack), self._max_bytes)
        frames = frames_of(run.stack, run, self._store)
        if run.waiting_for == SCHEDULE:
            return self._of_schedule(run, frames, result)
        slots = frames[-1].slots
        outcome: Suspended | None = None
        postponed: WaitResult | None = None
        entry: Callable[[], Any]
        brought = "" if result is None else result.name
        if STEP in slots:
            end, outcome = _step_under_way(frames, result)
            flow, entry = gone_on(frames, end)
            postponed = None if end is result else result
        elif frames[0].point == 0:
            flow, entry = stored_call(run, frames[0])
            if result is not None:  # an exception, which comes before the first line
                entry = result.as_callable()
        elif GATHERED in slots and (missing := _missing(result, slots)):
            flow, entry = flow_named(frames[0].flow), _nothing
            wait = Wait(joined(missing), events=slots[EVENTS], is_for_all=True)  # type: ignore[arg-type]
            outcome = Suspended(wait, frames)
        else:
            result = end_of_wait(result, run.waiting_for, slots)
            flow, entry = rebuild(frames, result)
        if delivery is not None:
            begun = delivery.begun(run)
        elif run.delivery is not None:
            begun = run.changed(delivery=None, delivery_digest=None)
        else:
            begun = run
        attempt = self._new(begun, flow, entry, frames, result)
        attempt.outcome = outcome
        attempt.steps = steps_begun(frames)
        if STEP in slots:
            attempt.before_failure = stack_before_failure(frames, run)
            attempt.postponed = postponed
        if brought.startswith(CHILD):
            attempt.note_child(brought)
        return attempt

    def _of_schedule(self, run: Run, frames: list[Frame], result: WaitResult | None) -> Attempt:
        """Return a turn of a schedule, which begins the runs that are due, or raises."""
        from longterm._turns.scheduled import begin_due

        flow, call = stored_call(run, frames[0])
        entry = _nothing if result is None else result.as_callable()
        attempt = self._new(run, flow, entry, frames, result)
        if result is None:
            attempt.outcome = begin_due(attempt, call, self._store)
        return attempt

    def result_of(self, event: UnreadEvent) -> WaitResult:
        """Return what a wait is worth that an event ends; a run in it is read from this store."""
        before = reading.get()
        try:
            reading.set(self._store)
            value = event.value
        finally:
            reading.set(before)
        if child_of(event.event_id) is not None:
            from longterm._turns.family import end_of_child

            return end_of_child(event.event_id, value)
        if not is_control(event.event_id):
            return WaitResult(value, name=event.event_id)
        if not isinstance(value, BaseException):
            raise CorruptData(f"event {event.event_id!r} in the inbox is no exception")
        return WaitResult(error=value)

    def open_outbox(self, run: Run) -> Outgoing:
        from longterm._turns.outgoing import Outgoing  # most turns send nothing

        return Outgoing(
            run,
            self._store,
            self._clock.now,
            self.startable,
            max_bytes=self._max_bytes,
            max_event_bytes=self._max_event_bytes,
        )

    def _new(
        self,
        run: Run,
        flow: Flow,
        entry: Callable[[], Any],
        frames: list[Frame],
        result: WaitResult | None,
    ) -> Attempt:
        return Attempt(run, flow, entry, frames, result, self._clock.now, self.open_outbox)


def frames_of(stack: bytes, run: Run, store: RunStore) -> list[Frame]:
    """Return the frames of a run's stack; a run in them is read from the store."""
    before = reading.get()
    try:
        reading.set(store)
        return decode_frames(stack, context_of(run, "stack"))
    finally:
        reading.set(before)


def unparked(run: Run, store: RunStore) -> Run:
    """Return a parked run with the deadline of its wait, not the time of its next try."""
    if run.stack is None:
        return run
    return run.changed(encoded_error=None, deadline=deadline_of(frames_of(run.stack, run, store)))


def check_goes_on(run: Run, store: RunStore) -> None:
    """Make sure that this process can go on with a run, before anything is made of it.

    Raises:
        UnknownFlow, FlowChanged: it does not have the code.
        CannotLoad, NotAllowed: it cannot make a value that the run holds.
    """
    for frame in [] if run.stack is None else frames_of(run.stack, run, store):
        if frame.point:
            in_present_code(frame)


def _missing(result: WaitResult | None, slots: dict[str, object]) -> tuple[str, ...]:
    """Return which of all children a run waits for still after one has ended."""
    if result is None or result.error is not None:
        return ()
    return missing_after(result, slots)


def _step_under_way(
    frames: list[Frame], result: WaitResult | None
) -> tuple[WaitResult, Suspended | None]:
    """Return what the step is worth that stored frames wait for; or that it is to be run.

    Args:
        frames: the frames.
        result: what has come instead: an exception, which ends a step that is not over.
    """
    slots = frames[-1].slots
    end = end_of_step(slots) or result
    if end is not None:
        return end, None
    call, is_begun = pending_step(slots)
    if is_begun:
        return WaitResult(error=StepUnknown(call.step.name)), None
    return WaitResult(), Suspended(StepWait(call), frames)


def _nothing() -> None:
    """Stands for the code of a flow that is not run."""
