"""Turns on a store: take a run in hand, run it to its next suspension, and save it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec

from longterm._event_names import CANCEL, CHECKPOINT, RETRY, START, STEP
from longterm._flows.flow import Flow
from longterm._flows.wait_result import WaitResult
from longterm._turns.attempts import Attempt, Attempts, check_goes_on, unparked
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.kept_sources import KeptSources
from longterm._turns.position import flow_of_run
from longterm._turns.running import Running
from longterm._turns.starts import Start, later_run, new_run
from longterm._turns.threads import has_loop_steps, in_store, in_thread
from longterm._turns.transitions import ended_run, released_run
from longterm.clock import Clock
from longterm.errors import (
    AsyncFlow,
    CannotRestart,
    ClaimLost,
    InvalidValue,
    RunBusy,
    RunNotSuspended,
    WrongEvent,
)
from longterm.run import Run, RunState
from longterm.store.base import RunStore

if TYPE_CHECKING:
    from longterm._turns.deliveries import Delivery

P = ParamSpec("P")


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
        sources: KeptSources | None = None,
    ) -> None:
        """Run turns on a store, under claims.

        None reads or leaves more than some bytes, and no event that it sends has more. `on_turn` is
        told of each that is saved, and `sources` keeps the source of what they wait in.
        """
        self._store = store
        self._clock = clock
        self._claims = claims
        self._max_bytes = max_bytes
        self._has_loop_steps = has_loop_steps(store)
        self._attempts = Attempts(
            store, clock, max_bytes=max_bytes, max_event_bytes=max_event_bytes
        )
        self.running = Running(
            *(self._attempts, clock, claims),
            max_bytes=max_bytes,
            on_turn=on_turn,
            sources=sources,
        )

    _are_plain = False
    """Whether the last run that asynchronous code has claimed was none of an `async def` flow: the
    next one is expected to be none either, and gets a thread for all of its turn."""

    def startable(self, function: Callable[..., Any]) -> Flow:
        """Return the flow of a function, if its runs can go on once they are stored."""
        return self._attempts.startable(function)

    def start(self, start: Start) -> Run:
        """Create a run of a flow, and run its first turn; not if it was created before."""
        if start.flow.is_async:
            raise AsyncFlow(start.flow.name, "start_flow")
        with Claim(self._claims) as claim, claim:
            begun = self._begin(claim, start)
            return self.running.run(claim, begun) if isinstance(begun, Attempt) else begun

    async def astart(self, start: Start) -> Run:
        """Run the first turn of a flow from asynchronous code."""
        if not start.flow.is_async:
            return await in_thread(self.start, start)
        async with Claim(self._claims) as claim, claim:
            begun = await claim.in_store(self._begin, claim, start)
            assert begun is not None  # None: this coroutine was closed, and does not come here
            return await self.running.arun(claim, begun) if isinstance(begun, Attempt) else begun

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
        with Claim(self._claims) as claim, claim:
            return self._take_waiting(claim, run_id, send) or self.advance(claim, result)

    async def ainterrupt(
        self, run_id: str, result: WaitResult | None, send: Callable[[], object] | None = None
    ) -> Run:
        """Bring a run what it did not ask for, from asynchronous code."""
        async with Claim(self._claims) as claim, claim:
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
            return self._ended(run, self._store.update, is_in_turn=True)
        with Claim(self._claims) as claim, claim:
            claim.take_waiting(run_id)
            assert claim.run is not None
            return self._ended(claim.run, claim.save)

    def _ended(self, run: Run, save: Callable[[Run], Run], *, is_in_turn: bool = False) -> Run:
        ended = ended_run(run, RunState.CANCELLED, self._clock.now())
        if self._claims.recording is not None:
            from longterm._turns.recording import LAST

            number = LAST if is_in_turn else 0
            ended = self._claims.recording.noted(ended, CANCEL, run, number=number)
        if run.parent is None and not run.children:
            return save(ended)
        from longterm._turns.family import tell_family

        until = self._clock.now() + self._claims.lease
        told = tell_family(ended, self._attempts.open_outbox(run), None, until)
        return save(told).changed(outgoing=told.outgoing)

    def retry(self, run_id: str) -> Run:
        """Start a run anew that failed in its first turn; any other waits again, as it did.

        Then it reads what it has been sent, as it would have.
        """
        with Claim(self._claims) as claim, claim:
            return self._take_failed(claim, run_id) or self.advance(claim, *self.unread(claim))

    async def aretry(self, run_id: str) -> Run:
        """Give a failed run another try from asynchronous code."""
        async with Claim(self._claims) as claim, claim:
            return await self.take_turn(
                claim, lambda: self.unread(claim), self._take_failed, claim, run_id
            )

    def unread(self, claim: Claim) -> tuple[WaitResult | None, Delivery | None]:
        """Return the event of its inbox that a claimed run reads, and its delivery, if any."""
        unread = claim.read_next()
        if unread is None:
            return None, None
        from longterm._turns.deliveries import delivery_of_unread  # most runs are sent nothing

        return self._attempts.result_of(unread), delivery_of_unread(unread)

    def _take_failed(self, claim: Claim, run_id: str) -> Run | None:
        """Claim a failed run, and then for its next event; return it if it waits for one to come.

        The delivery that failed may then come again under its key, as a queue brings it.
        """
        run = claim.take_failed(run_id)
        if run.parent is not None and run.waiting_for is None:
            raise CannotRestart(run_id, "its parent has been told that it failed")
        # None: it is of a longterm before 0.2.
        if run.waiting_for in (START, CHECKPOINT, STEP, None):
            return None
        check_goes_on(run, self._store)
        # Saved as it waited: should the turn die, it is done again like any other.
        released = released_run(run.changed(encoded_error=None, delivery=None))
        if self._claims.recording is not None:
            released = self._claims.recording.noted(released, RETRY, run)
        run = claim.save(released)
        return None if claim.take_unread(run) else run

    def advance(
        self,
        claim: Claim,
        result: WaitResult | None,
        delivery: Delivery | None = None,
        said: Sequence[Any] = (),
    ) -> Run:
        """Run one turn of a claimed run, and save it; None is the end of its wait.

        If an event of its inbox does not fit, that is refused, and the run waits on.
        """
        try:
            attempt = self._attempt(claim, result, delivery, said)
        except InvalidValue as error:
            return self._refuse_read(claim, error)
        if attempt.is_async:
            raise AsyncFlow(attempt.flow.name, "process_event")
        return self.running.run(claim, attempt)

    async def _aadvance(
        self,
        claim: Claim,
        result: WaitResult | None,
        delivery: Delivery | None,
        said: Sequence[Any] = (),
    ) -> Run:
        """Run one turn of a claimed run of an `async def` flow; see `advance`."""
        try:
            attempt = self._attempt(claim, result, delivery, said)
        except InvalidValue as error:
            return await in_store(self._store, self._refuse_read, claim, error)
        return await self.running.arun(claim, attempt)

    def _attempt(
        self,
        claim: Claim,
        result: WaitResult | None,
        delivery: Delivery | None,
        said: Sequence[Any],
    ) -> Attempt:
        """Return the turn of a claimed run that goes on by what has come.

        Raises:
            Exception: what `Attempts.of` raises.
        """
        assert claim.run is not None
        if self._claims.observer is not None:
            claim.begin_observed(self._claims.observer, None if result is None else result.name)
        if self._claims.recording is not None:
            claim.note_begin(result)
        claim.turn = attempt = self._attempts.of(claim.run, result, delivery)
        attempt.observed = claim.observed
        attempt.responses += said
        return attempt

    def _refuse_read(self, claim: Claim, error: InvalidValue) -> Run:
        """Let a run wait on that has read a value of its inbox which it cannot take.

        The event is kept as refused.

        Raises:
            InvalidValue: it has read nothing; whoever brought the value is told.
        """
        if not claim.read:
            raise error
        assert claim.run is not None
        claim.refuse(error)
        run = released_run(claim.run)
        if run.encoded_error is not None:
            run = unparked(run, self._store)
        return claim.save(run, claim.read)

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
            chosen = await claim.in_store(self.unread, claim)
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
        """Claim a run, and run its turn; in one thread both, unless its flow is `async`.

        Args:
            claim: what holds no run yet.
            choose: returns what the turn of the claimed run begins with.
            take: claims the run; or returns one, of which no turn is to be run.
            args, kwargs: what `take` is called with.
        """
        result: WaitResult | None = None
        delivery: Delivery | None = None

        def claimed() -> Run | None:
            nonlocal result, delivery
            settled = take(*args, **kwargs)
            if settled is None:
                result, delivery = choose()
            return settled

        def advanced() -> Run | None:
            assert claim.run is not None
            is_async = flow_of_run(claim.run).is_async
            self._are_plain = not is_async
            return None if is_async else self.advance(claim, result, delivery)

        if self._are_plain or not self._has_loop_steps:
            done = await claim.in_thread(lambda: claimed() or advanced())
        else:
            done = await claim.in_store(claimed)
            if claim.run is not None and not flow_of_run(claim.run).is_async:
                done = await claim.in_thread(advanced)
        if done is not None:
            return done
        assert claim.run is not None
        return await self._aadvance(claim, result, delivery)

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
        if self._claims.recording is not None:
            claim.record = self._claims.recording.of_start(run)
        if self._claims.observer is not None:
            claim.begin_observed(self._claims.observer, None)
        claim.turn = attempt = self._attempts.first(run, start)
        attempt.observed = claim.observed
        return attempt

    def _created(self, start: Start, run: Run, create: Callable[[Run], Run]) -> Run:
        """Create a run; under an id of its caller's, only once."""
        if self._claims.recording is not None:
            run = self._claims.recording.noted(run, START, run)
        if self._claims.observer is not None:
            run = run.changed(traceparent=self._claims.observer.traceparent())
        if start.run_id is None:
            return create(run)
        from longterm._turns.once import created  # only for those who choose ids

        return created(self._claims, start, run, create)
