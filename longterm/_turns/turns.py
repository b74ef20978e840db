"""Turns on a store: take a run in hand, run it to its next suspension, and save it.

Whatever ends a turn before its save leaves the run as it was. Plain code and asynchronous code take
the same steps, each in a method of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from longterm._abi import EVENTS, GATHERED
from longterm._codec import decode_frames
from longterm._event_names import CHECKPOINT, START, child_of, is_control, joined, names_in
from longterm._flows.context import LiveTurn
from longterm._flows.continuation import rebuild
from longterm._flows.flow import Flow, flow_named, flow_of
from longterm._flows.run_turn import Completed, Outcome, Suspended, arun_turn, run_turn
from longterm._flows.wait_result import WaitResult
from longterm._main import is_main
from longterm._signals import is_of_signal
from longterm._turns.claims import Claim, Claims
from longterm._turns.starts import Start, later_run, new_run, stored_call
from longterm._turns.threads import in_thread
from longterm._turns.transitions import (
    after_error,
    after_turn,
    ended_run,
    released_run,
    with_facts,
)
from longterm._turns.waits import (
    deadline_of,
    end_of_wait,
    is_over,
    keep_wait,
    may_end_now,
    missing_after,
)
from longterm.clock import Clock
from longterm.errors import (
    AsyncFlow,
    CannotRestart,
    ClaimLost,
    CorruptData,
    InvalidValue,
    NotImportable,
    RunBusy,
    RunNotSuspended,
    RunTooLarge,
    WrongEvent,
)
from longterm.frame import Frame
from longterm.run import Run, RunState, context_of
from longterm.store.base import RunStore
from longterm.wait import Wait

if TYPE_CHECKING:
    from longterm._turns.deliveries import Delivery
    from longterm._turns.outgoing import Outgoing
    from longterm.unread import UnreadEvent

P = ParamSpec("P")

_log = logging.getLogger("longterm")


class Reading(threading.local):
    """What this thread is decoding."""

    store: RunStore | None = None
    """The store whose values they are: a run among them is read from it."""


reading: Final = Reading()


class Attempt(LiveTurn):
    """One try at a turn: what there is to call, and what it is made of."""

    __slots__ = ("_open_outbox", "entry", "flow", "frames", "outcome", "outgoing", "result")

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
        self.outgoing: Outgoing | None = None
        """What the flow sends to others; None: nothing so far."""
        self.outcome: Suspended | None = None
        """How the turn ends that runs no code of the flow: it waits for more."""
        self.flow = flow
        self.entry = entry
        self.frames = frames
        self.result = result

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


class Turns:
    """Runs the turns of one engine."""

    def __init__(
        self,
        store: RunStore,
        clock: Clock,
        claims: Claims,
        *,
        max_bytes: int,
        max_event_bytes: int,
        on_turn: Callable[[Run], object] | None = None,
    ) -> None:
        """Run turns on a store, under claims.

        None reads or leaves more than some bytes, and no event that it sends has more. `on_turn` is
        told of each that is saved.
        """
        self._store = store
        self._clock = clock
        self._claims = claims
        self._max_bytes = max_bytes
        self._on_turn = on_turn
        self._max_event_bytes = max_event_bytes
        self.on_failure: Callable[[Run], object] = lambda run: None
        """Called with a run that was saved as failed for its caller, to whom its exception is then
        raised."""
        self.aon_failure: Callable[[Run], Awaitable[object]] | None = None
        """The same, for asynchronous code."""

    def start(self, start: Start) -> Run:
        """Create a run of a flow, and run its first turn; not if it was created before."""
        if start.flow.is_async:
            raise AsyncFlow(start.flow.name, "start_flow")
        with self._claims.open() as claim, claim:
            begun = self._begin(claim, start)
            return self._run(claim, begun) if isinstance(begun, Attempt) else begun

    async def astart(self, start: Start) -> Run:
        """Run the first turn of a flow from asynchronous code."""
        if not start.flow.is_async:
            return await in_thread(self.start, start)
        async with self._claims.open() as claim, claim:
            begun = await claim.in_thread(self._begin, claim, start)
            assert begun is not None  # None: this coroutine was closed, and does not come here
            return await self._arun(claim, begun) if isinstance(begun, Attempt) else begun

    def start_later(self, start: Start, due: datetime) -> Run:
        """Create a run of a flow that waits for its start; return it if it was created before."""
        run = later_run(start, now=self._clock.now(), due=due, max_bytes=self._max_bytes)
        return self._created(start, run, self._store.create)

    def interrupt(
        self, run_id: str, result: WaitResult | None, send: Callable[[], object] | None = None
    ) -> Run:
        """Bring a run what it did not ask for: an exception, or None, the end of its wait.

        Args:
            run_id: the run's id.
            result: what it is brought.
            send: stores that for a run in the middle of a turn, which is returned as it is then;
                None: such a run is refused.
        """
        with self._claims.open() as claim, claim:
            return self._take_waiting(claim, run_id, send) or self.advance(claim, result)

    async def ainterrupt(
        self, run_id: str, result: WaitResult | None, send: Callable[[], object] | None = None
    ) -> Run:
        """Bring a run what it did not ask for, from asynchronous code."""
        async with self._claims.open() as claim, claim:
            return await self.take_turn(
                claim, lambda: (result, None), self._take_waiting, claim, run_id, send
            )

    def _take_waiting(
        self, claim: Claim, run_id: str, send: Callable[[], object] | None
    ) -> Run | None:
        """Claim a suspended run, whatever it waits for; or send, and return the run as it is."""
        try:
            claim.take_waiting(run_id)
        except (RunBusy, WrongEvent):  # the second: it has gone on in this very moment
            if send is None:
                raise
            send()
            return self._store.get(run_id)
        return None

    def end(self, run_id: str) -> Run:
        """End a run as cancelled without the code of its flow, in the middle of a turn too.

        Raises:
            RunComplete, RunNotSuspended: it has ended already.
        """
        while True:  # until no turn of another comes in between
            try:
                return self._end(run_id)
            except ClaimLost:
                continue
            except RunNotSuspended as error:
                if error.state != RunState.RUNNING:
                    raise

    def _end(self, run_id: str) -> Run:
        run = self._store.get(run_id)
        if run.state is RunState.RUNNING:
            # Whoever has it in hand, alive or dead, cannot save it afterwards.
            return self._ended(run, self._store.update)
        with self._claims.open() as claim, claim:
            claim.take_waiting(run_id)
            assert claim.run is not None
            return self._ended(claim.run, claim.save)

    def _ended(self, run: Run, save: Callable[[Run], Run]) -> Run:
        ended = ended_run(run, RunState.CANCELLED, self._clock.now())
        if run.parent is None and not run.children:
            return save(ended)
        from longterm._turns.family import tell_family

        until = self._clock.now() + self._claims.lease
        told = tell_family(ended, self._open_outbox(run), None, until)
        return save(told).changed(outgoing=told.outgoing)

    def retry(self, run_id: str) -> Run:
        """Start a run anew that failed in its first turn; any other waits again, as it did.

        Then it reads what it has been sent, as it would have.
        """
        with self._claims.open() as claim, claim:
            return self._take_failed(claim, run_id) or self.advance(claim, *self.unread(claim))

    async def aretry(self, run_id: str) -> Run:
        """Give a failed run another try from asynchronous code."""
        async with self._claims.open() as claim, claim:
            return await self.take_turn(
                claim, lambda: self.unread(claim), self._take_failed, claim, run_id
            )

    def unread(self, claim: Claim) -> tuple[WaitResult | None, Delivery | None]:
        """Return the event of its inbox that a claimed run reads, and its delivery, if any."""
        unread = claim.read_next()
        if unread is None:
            return None, None
        from longterm._turns.deliveries import delivery_of_unread  # most runs are sent nothing

        return self._result_of(unread), delivery_of_unread(unread)

    def _result_of(self, event: UnreadEvent) -> WaitResult:
        """Return what a wait is worth that an event ends; a run in it is read from this store."""
        before = reading.store
        try:
            reading.store = self._store
            value = event.value
        finally:
            reading.store = before
        if child_of(event.event_id) is not None:
            from longterm._turns.family import end_of_child

            return end_of_child(event.event_id, value)
        if not is_control(event.event_id):
            return WaitResult(value, name=event.event_id)
        if not isinstance(value, BaseException):
            raise CorruptData(f"event {event.event_id!r} in the inbox is no exception")
        return WaitResult(error=value)

    def _take_failed(self, claim: Claim, run_id: str) -> Run | None:
        """Claim a failed run, and then for its next event; return it if it waits for one to come.

        The delivery that failed may then come again under its key, as a queue brings it.
        """
        run = claim.take_failed(run_id)
        if run.parent is not None and run.waiting_for is None:
            raise CannotRestart(run_id, "its parent has been told that it failed")
        if run.waiting_for in (START, CHECKPOINT, None):  # None: it is of a longterm before 0.2
            return None
        # Saved as it waited: should the turn die, it is done again like any other.
        run = claim.save(released_run(run.changed(encoded_error=None, delivery=None)))
        return None if claim.take_unread(run) else run

    def advance(
        self,
        claim: Claim,
        result: WaitResult | None,
        delivery: Delivery | None = None,
        said: Sequence[Any] = (),
    ) -> Run:
        """Run one turn of a claimed run, and save it; None is the end of its wait.

        If an event of its inbox does not fit, that is taken out, and the run waits on.
        """
        assert claim.run is not None
        try:
            claim.turn = attempt = self._attempt(claim.run, result, delivery)
        except InvalidValue as error:
            return self._refuse_read(claim, error)
        if attempt.flow.is_async:
            raise AsyncFlow(attempt.flow.name, "process_event")
        attempt.responses += said
        return self._run(claim, attempt)

    async def _aadvance(
        self,
        claim: Claim,
        result: WaitResult | None,
        delivery: Delivery | None,
        said: Sequence[Any] = (),
    ) -> Run:
        """Run one turn of a claimed run of an `async def` flow; see `advance`."""
        assert claim.run is not None
        try:
            claim.turn = attempt = self._attempt(claim.run, result, delivery)
        except InvalidValue as error:
            return await in_thread(self._refuse_read, claim, error)
        attempt.responses += said
        return await self._arun(claim, attempt)

    def _refuse_read(self, claim: Claim, error: InvalidValue) -> Run:
        """Let a run wait on that has read a value of its inbox which it cannot take.

        Raises:
            InvalidValue: it has read nothing; whoever brought the value is told.
        """
        if not claim.read:
            raise error
        assert claim.run is not None
        from longterm._turns.checks import log_refused

        log_refused(claim.read[-1], error)
        run = released_run(claim.run)
        return claim.save(
            run if run.encoded_error is None else unparked(run, self._store), claim.read
        )

    def advance_due(self, claim: Claim, said: Sequence[Any] = ()) -> Run:
        """Run one turn of a claimed run by an event of its inbox, else by the end of its wait.

        An event that was stored before the claim counts, although the deadline has passed.

        Args:
            claim: the claim on the run.
            said: what the turns before have said to the same caller.
        """
        return self.advance(claim, *self.unread(claim), said)

    async def aadvance_due(self, claim: Claim, said: Sequence[Any] = ()) -> Run:
        """Run one turn of a claimed run of an `async def` flow; see `advance_due`."""
        assert claim.run is not None
        result, delivery = None, None
        if claim.run.unread:
            chosen = await claim.in_thread(self.unread, claim)
            assert chosen is not None  # None: this coroutine was closed, and does not come here
            result, delivery = chosen
        return await self._aadvance(claim, result, delivery, said)

    async def take_turn(
        self,
        claim: Claim,
        choose: Callable[[], tuple[WaitResult | None, Delivery | None]],
        take: Callable[P, Run | None] | Callable[P, None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Run:
        """Claim a run in a thread, and run its turn there too, unless its flow is `async`.

        Args:
            claim: what holds no run yet.
            choose: returns what the turn of the claimed run begins with.
            take: claims the run; or returns one, of which no turn is to be run.
            args, kwargs: what `take` is called with.
        """
        result: WaitResult | None = None
        delivery: Delivery | None = None

        def step() -> Run | None:
            nonlocal result, delivery
            settled = take(*args, **kwargs)
            if settled is not None:
                return settled
            assert claim.run is not None
            result, delivery = choose()
            is_async = flow_named(claim.run.flow).is_async
            return None if is_async else self.advance(claim, result, delivery)

        done = await claim.in_thread(step)
        if done is not None:
            return done
        assert claim.run is not None
        return await self._aadvance(claim, result, delivery)

    def startable(self, function: Callable[..., Any]) -> Flow:
        """Return the flow of a function, if its runs can go on once they are stored."""
        flow = flow_of(function)
        if is_main(flow.name.partition(":")[0]):
            from longterm.store.memory import MemoryStore

            if not isinstance(self._store, MemoryStore):
                raise NotImportable(flow.name)
        return flow

    def _begin(self, claim: Claim, start: Start) -> Attempt | Run:
        """Create a run, claimed for its first turn; return it if it was created before."""
        now = self._claims.now()
        until = None if self._claims.leases is None else now + self._claims.lease
        run = new_run(start, now=now, until=until, max_bytes=self._max_bytes)
        run = self._created(start, run, claim.begin)
        if run.is_duplicate:
            return run
        if run.delivery is not None:  # it is kept by now, and no later save is to keep it again
            run = run.changed(delivery=None, delivery_digest=None)
        entry = partial(start.function, *start.args, **start.kwargs)
        return self._new(run, start.flow, entry, [], None)

    def _created(self, start: Start, run: Run, create: Callable[[Run], Run]) -> Run:
        """Create a run; under an id of its caller's, only once."""
        if start.run_id is None:
            return create(run)
        from longterm._turns.once import created  # only for those who choose ids

        return created(self._claims, start, run, create)

    def _new(
        self,
        run: Run,
        flow: Flow,
        entry: Callable[[], Any],
        frames: list[Frame],
        result: WaitResult | None,
    ) -> Attempt:
        return Attempt(run, flow, entry, frames, result, self._clock.now, self._open_outbox)

    def _open_outbox(self, run: Run) -> Outgoing:
        from longterm._turns.outgoing import Outgoing  # most turns send nothing

        return Outgoing(
            run,
            self._store,
            self._clock.now,
            self.startable,
            max_bytes=self._max_bytes,
            max_event_bytes=self._max_event_bytes,
        )

    def _attempt(
        self, run: Run, result: WaitResult | None, delivery: Delivery | None = None
    ) -> Attempt:
        """Decode a claimed run's frames, and make of them what is to be called."""
        if run.stack is None:
            raise CannotRestart(run.id, "the call that began it could not be stored")
        if len(run.stack) > self._max_bytes:
            raise RunTooLarge(run.id, len(run.stack), self._max_bytes)
        frames = frames_of(run.stack, run, self._store)
        slots, outcome = frames[-1].slots, None
        brought = "" if result is None else result.name
        if frames[0].point == 0:
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
        if brought:
            attempt.note_child(brought)
        return attempt

    def _run(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn, and save the run as the turn leaves it."""
        attempt.begin()
        try:
            outcome = attempt.outcome or run_turn(attempt, attempt.entry)
            while may_end_now(outcome) and self._ends_now(claim, attempt, outcome):
                outcome = run_turn(attempt, attempt.entry)
        except BaseException as error:
            ended = self._ended_by(error, attempt)
            if ended is None:
                raise
            saved = self.tell(claim.save_turn(ended))
            if ended.state is not RunState.CANCELLED:
                if claim.turn is None:
                    self.on_failure(saved)
                raise
            return saved
        return self.tell(claim.save_turn(self._after(attempt, outcome)))

    async def _arun(self, claim: Claim, attempt: Attempt) -> Run:
        """Run a turn of an `async def` flow; the store is used in a thread."""
        attempt.begin()
        try:
            outcome = attempt.outcome or await arun_turn(attempt, attempt.entry)
            while may_end_now(outcome) and await claim.in_thread(
                self._ends_now, claim, attempt, outcome
            ):
                outcome = await arun_turn(attempt, attempt.entry)
        except BaseException as error:
            ended = self._ended_by(error, attempt)
            if ended is None:
                raise
            saved = self.tell(await in_thread(claim.save_turn, ended))
            if ended.state is not RunState.CANCELLED:
                if claim.turn is None and self.aon_failure is not None:
                    await self.aon_failure(saved)
                raise
            return saved
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

    def _after(self, attempt: Attempt, outcome: Outcome) -> Run:
        run = after_turn(attempt.run, attempt, outcome, self._clock.now(), self._max_bytes)
        return self._told(run, attempt, outcome.result if type(outcome) is Completed else None)

    def _told(self, run: Run, attempt: Attempt, outcome: object) -> Run:
        """Return a run with what its turn sends to others."""
        if attempt.outgoing is None and run.parent is None and not run.children:
            return run
        from longterm._turns.family import tell_family

        return tell_family(run, attempt.outbox, outcome, self._clock.now() + self._claims.lease)

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
            result = None if unread is None else self._result_of(unread)
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
            result = self._result_of(unread)
            attempt.note_child(unread.event_id)
            try:
                return end_of_wait(result, waiting_for, slots)
            except InvalidValue as error:
                from longterm._turns.checks import log_refused

                log_refused(unread, error)
        return end_of_wait(None, waiting_for, slots)

    def _ended_by(self, error: BaseException, attempt: Attempt) -> Run | None:
        asked = None if attempt.result is None else attempt.result.error
        run = with_facts(attempt.run, attempt)
        ended = after_error(run, error, asked, attempt.frames, self._clock.now())
        return None if ended is None else self._told(ended, attempt, error)


def frames_of(stack: bytes, run: Run, store: RunStore) -> list[Frame]:
    """Return the frames of a run's stack; a run in them is read from the store."""
    before = reading.store
    try:
        reading.store = store
        return decode_frames(stack, context_of(run, "stack"))
    finally:
        reading.store = before


def unparked(run: Run, store: RunStore) -> Run:
    """Return a parked run with the deadline of its wait, not the time of its next try."""
    if run.stack is None:
        return run
    return run.changed(encoded_error=None, deadline=deadline_of(frames_of(run.stack, run, store)))


def _missing(result: WaitResult | None, slots: dict[str, object]) -> tuple[str, ...]:
    """Return which of all children a run waits for still after one has ended."""
    if result is None or result.error is not None:
        return ()
    return missing_after(result, slots)


def _nothing() -> None:
    """Stands for the code of a flow that is not run."""
