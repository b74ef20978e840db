"""One run in hand: taken for a limited time, and saved or given back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from longterm._event_names import CANCEL, START, is_control, next_of
from longterm._turns.claims import Claims
from longterm._turns.keeper import warn
from longterm._turns.threads import in_store, in_thread
from longterm._turns.transitions import refusal, refused_event, refused_start, released_run
from longterm.errors import (
    ClaimLost,
    CorruptData,
    InvalidValue,
    LongtermError,
    NotSupported,
    RunExists,
    RunNotFailed,
    TooManyAttempts,
    UnknownRun,
)
from longterm.run import Run, RunState
from longterm.store.base import Erasure, RunStore, worn_out_run
from longterm.store.inbox import Inbox

if TYPE_CHECKING:
    from longterm._flows.context import LiveTurn
    from longterm._flows.wait_result import WaitResult
    from longterm._observer import ObservedTurn, Observer
    from longterm._turns.recording import TurnRecord
    from longterm.message import Message
    from longterm.unread import UnreadEvent

P = ParamSpec("P")
R = TypeVar("R")


class Claim:
    """One run in hand, at most: taken from the store, then saved, or given back.

    It is there before the store is asked, so that whatever ends the turn (a refusal, Ctrl-C, a task
    that is cancelled) finds it and closes it. An exception of a signal can come between any two
    steps below, even between the store's claim and its answer.

    It can come at the begin of `__exit__` too, before its first line. So a turn enters its claim
    twice, `with Claim(claims) as claim, claim:`, and the outer exit does what the inner did not.
    """

    _sought: tuple[str, datetime | None] | None = None
    """The run that the store was asked for, or to save on, and until when; None once it has
    answered."""
    _state_before = RunState.SUSPENDED
    _is_in_step = False
    _is_closed = False
    is_saving = False
    """Whether the turn is over, and the store has been asked to save the run."""
    read: tuple[UnreadEvent, ...] = ()
    """The events of its inbox that the turn has read and no save has taken out yet."""
    brought: Callable[[datetime], UnreadEvent | None] | None = None
    """What returns the event that the turn is brought from outside of the inbox; None of it if it
    cannot be stored."""
    has_caller = True
    """Whether somebody waits for what comes of the turn; else its exception is stored or logged."""
    saved: Run | None = None
    """The run as it was saved at the end of its turn, with what that has sent to others."""
    sent: tuple[Message, ...] = ()
    """What was sent to others before the turn's last checkpoint, and by turns of the same call."""
    record: TurnRecord | None = None
    """What notes the turn in the history of the run; None: nothing does."""
    turn: LiveTurn | None = None
    """What its flow has said and set so far, and what it is at, once the turn has begun."""
    observed: ObservedTurn | None = None
    """As what an observer knows the turn; None: nobody observes it, or it is not under way."""

    def __init__(self, claims: Claims, run: Run | None = None) -> None:
        """Hold a run that was claimed, or none yet."""
        self._claims = claims
        self.run = run
        """The claimed run, as it was before its turn; None if there is none in hand."""

    @property
    def store(self) -> RunStore:
        """Where the run is."""
        return self._claims.store

    def note_begin(self, result: WaitResult | None) -> None:
        """Note what the turn begins with, if a history is kept of the run.

        Raises:
            CannotStore: it cannot be stored.
        """
        recording, run = self._claims.recording, self.run
        if recording is None or run is None:
            return
        if self.read:
            self.record = recording.of_event(run, self.read[0])
        elif self.brought is not None:
            name = "" if result is None else result.name
            self.record = recording.of_arrival(run, self.brought, name)
        else:
            error = None if result is None else result.error
            was_failed = self._state_before is RunState.FAILED
            self.record = recording.of_end(
                run, error, has_caller=self.has_caller, was_failed=was_failed
            )

    def begin(self, run: Run) -> Run:
        """Create a run that is claimed for its first turn, and return it."""
        self._sought = run.id, run.claimed_until
        try:
            run = self._claims.store.create(run)
        except RunExists:  # the store has answered: what it has is another's
            self._sought = None
            raise
        self._note_answer(run)
        return run

    def take(self, run_id: str, event_id: str, key: str | None = None) -> Run | None:
        """Claim a suspended run for an event; None if it is not to be had for it.

        Nor is one that keeps the `key` of the delivery, on a store that keeps keys.

        Raises:
            TooManyAttempts: its turns have died too often; it is failed now.
        """
        claims = self._claims
        if claims.leases is None:
            self.run = claims.store.unsuspend(run_id, event_id)
            return self.run
        now = claims.now()
        until = now + claims.lease
        self._sought = run_id, until
        if key is None or claims.keys is None:
            run = claims.leases.claim(run_id, event_id, now=now, until=until)
        else:
            run = claims.keys.claim_for_key(run_id, event_id, key, now=now, until=until)
        self._note_answer(run)
        if run is not None and run.attempts >= claims.max_attempts:
            self.save(worn_out_run(run, now))
            raise TooManyAttempts(run_id, run.attempts)
        return run

    def take_waiting(self, run_id: str) -> None:
        """Claim a suspended run, whatever it waits for.

        Raises:
            RunNotSuspended: it waits for nothing now.
        """
        run = self._claims.store.get(run_id)
        if run.state is not RunState.SUSPENDED or run.waiting_for is None:
            raise refusal(run, "")
        if self.take(run_id, run.waiting_for) is None:
            raise refusal(self._claims.store.get(run_id), run.waiting_for)

    def take_unread(self, run: Run) -> bool:
        """Claim a run, as it was found, if it can go on by an unread event."""
        name = run.next_unread if run.state is RunState.SUSPENDED else None
        if name is not None and is_control(name):
            name = run.waiting_for
        if name is None or self.take(run.id, name) is None:
            return False
        self._state_before = RunState.SUSPENDED
        assert self.run is not None
        if self.run.next_unread is None:  # somebody else was faster, and it waits for more of them
            self.release()
            return False
        return True

    def take_failed(self, run_id: str) -> Run:
        """Claim a failed run.

        Raises:
            RunNotFailed: it has not failed.
            NotSupported: the store cannot take up a failed run.
        """
        claims = self._claims
        if claims.leases is None:
            raise NotSupported(claims.store, "retrying failed runs")
        now = claims.now()
        until = now + claims.lease
        self._sought, self._state_before = (run_id, until), RunState.FAILED
        run = claims.leases.revive(run_id, now=now, until=until)
        self._note_answer(run)
        if run is None:
            raise RunNotFailed(run_id, claims.store.get(run_id).state)
        return run

    def _note_answer(self, run: Run | None) -> None:
        """Take the run that the store gave, if any, and keep the claim on it alive."""
        self.run, self._sought = run, None
        if run is not None and self._claims.leases is not None:
            self._claims.keeper.hold(self)

    def read_next(self) -> UnreadEvent | None:
        """Return the unread event that the run takes next, and have `save_turn` take it out."""
        assert self.run is not None
        return self._read(self.run.awaits) if self.run.unread else None

    def read_now(self, names: Collection[str]) -> UnreadEvent | None:
        """Return the unread event that a wait for these names takes, in the middle of a turn.

        It may have been sent since the claim. `save_turn` takes it out too. None: there is none.
        """
        if self._claims.inbox is None:
            return None
        assert self.run is not None
        self.run = self.run.changed(unread=self._claims.store.get(self.run.id).unread)
        return self._read(names)

    def read_control(self) -> UnreadEvent | None:
        """Return the unread event that ends any wait, if the store's last answer named one."""
        assert self.run is not None
        return self._read(()) if self.run.unread else None

    def _read(self, names: Collection[str]) -> UnreadEvent | None:
        """Return the next event for some names; cancels that are unread together are one.

        Raises:
            CorruptData: the run names one that is not there.
        """
        run, inbox = self.run, self._claims.inbox
        assert run is not None
        left = list(run.unread)
        for event in self.read:
            left.remove(event.event_id)
        name = next_of(left, names)
        if inbox is None or name is None:
            return None
        events = [name] if is_control(name) else names
        wanted = left.count(CANCEL) if name == CANCEL else 1
        known = {event.number for event in self.read}
        found = inbox.unread(run.id, events=events, limit=len(known) + wanted)
        read = [event for event in found if event.number not in known][:wanted]
        if not read:
            raise CorruptData(f"the run names an unread event {name!r} that is not in its inbox")
        self.read = (*self.read, *read)
        if self.observed is not None:
            for event in read:
                self.observed.read(event)
        return read[0]

    def refuse(self, error: InvalidValue) -> None:
        """Have the event that was read last stay in the inbox as refused, once the run is saved."""
        from longterm._turns.checks import log_refused  # seldom needed

        *before, event = self.read
        log_refused(event, error)
        if self.observed is not None:
            self.observed.refuse(event.event_id, error)
        self.read = (*before, refused_event(event, error))

    def save_turn(self, run: Run) -> Run:
        """Save what a turn made of the run.

        One that failed has not read its events: `retry` brings them, also the one that was brought
        to it. What was thrown it has read, since no try could ever succeed with that.
        """
        if run.state is not RunState.FAILED:
            if self.record is not None:
                run = self.recorded(run, self.read)
            return self.save(run, self.read)
        read = tuple(event for event in self.read if is_control(event.event_id))
        run = self.recorded(run, read)
        kept = None
        if self.brought is not None and self._claims.inbox is not None:
            assert run.updated_at is not None  # each turn that ends sets it
            kept = self.brought(run.updated_at)
        return self.save(run, read, kept)

    def recorded(self, run: Run, read: Sequence[UnreadEvent] = ()) -> Run:
        """Return the run with what its turn adds to its history, if that is kept."""
        if self.record is None:
            return run
        return run.changed(entries=self.record.entries(run, read))

    def save(
        self, run: Run, read: Sequence[UnreadEvent] = (), kept: UnreadEvent | None = None
    ) -> Run:
        """Save the run, and take events out of its inbox, or put one in; the claim is over.

        Those that were refused stay there as such.
        """
        self.is_saving = True
        self._claims.keeper.drop(self)
        try:
            saved = self._update(run, read, kept)
        except LongtermError as error:  # the store says so itself: it is no use to ask it again
            self.run = None
            self._end_observed(None, error)
            raise
        self.run = None
        self._end_observed(saved)
        if self.sent:
            saved = saved.changed(outgoing=(*self.sent, *saved.outgoing))
        self.saved = saved
        return saved

    def save_on(self, run: Run) -> Run:
        """Save the run in the middle of its turn; it stays claimed."""
        until = None if self._claims.leases is None else self._claims.now() + self._claims.lease
        self._sought = run.id, until
        self._claims.keeper.drop(self)  # its number may change
        try:
            run = self.recorded(run.changed(claimed_until=until), self.read)
            saved = self._update(run, self.read)
        except LongtermError:  # as in `save`; and if it was saved, nothing may undo that
            self.run = self._sought = None
            raise
        return self.note_saved(saved)

    def save_in(self, view: RunStore, run: Run) -> Run:
        """Save the run in the middle of its turn, as a part of a transaction of somebody else's.

        Once that is committed, `note_saved` is to be called.

        Args:
            view: what `Within.within` returned for the transaction.
            run: the run.
        """
        until = None if self._claims.leases is None else self._claims.now() + self._claims.lease
        inbox = view if isinstance(view, Inbox) else None
        run = self.recorded(run.changed(claimed_until=until), self.read)
        return self._update(run, self.read, store=view, inbox=inbox)

    def note_saved(self, saved: Run) -> Run:
        """Note that the run was saved in the middle of its turn, and return it."""
        self._note_answer(saved.changed(outgoing=()))
        self.read, self.brought = (), None
        self.sent = (*self.sent, *saved.outgoing)
        assert self.run is not None
        return self.run

    def begin_observed(self, observer: Observer, event_id: str | None) -> None:
        """Tell an observer that the turn of the claimed run begins."""
        assert self.run is not None
        now, has_caller = self._claims.clock.now(), self.has_caller
        self.observed = observer.begin(self.run, event_id, self.read, now, has_caller=has_caller)

    def _end_observed(self, run: Run | None, error: BaseException | None = None) -> None:
        """Tell whoever observes the turn that it is over; None: it is undone."""
        observed, self.observed = self.observed, None
        if observed is not None:
            observed.error = observed.error or error
            observed.end(run)

    def lose(self) -> None:
        """Leave the run as it is, whatever that may be: nothing that was saved may be undone."""
        self._claims.keeper.drop(self)
        self.run = self._sought = None

    def _update(
        self,
        run: Run,
        read: Sequence[UnreadEvent],
        kept: UnreadEvent | None = None,
        *,
        store: RunStore | None = None,
        inbox: Inbox | None = None,
    ) -> Run:
        if store is None:
            store, inbox = self._claims.store, self._claims.inbox
        if self.observed is not None:
            run = run.changed(traceparent=self.observed.traceparent)
        if inbox is None or not (read or kept):
            saved = store.update(run)
        else:
            assert self.run is not None
            run = run.changed(unread=self.run.unread)
            if kept is None:
                saved = inbox.update_read(run, read)
            else:
                saved = inbox.update_read(run, read, kept=kept)
        # For whoever delivers it; no store returns it.
        return saved.changed(outgoing=run.outgoing) if run.outgoing else saved

    def check_queue(self, name: str) -> None:
        """Make sure that the store of the run has a queue; see `Claims.check_queue`."""
        self._claims.check_queue(name)

    def release(self) -> Run:
        """Give the run back as it was before its turn."""
        assert self.run is not None
        return self.save(released_run(self.run, self._state_before))

    def _take_back(self, run: Run, error: BaseException | None) -> None:
        """Undo the creation of a run whose start was refused or interrupted."""
        store = self._claims.store
        self.save(refused_start(run, error, self._claims.now()))
        if isinstance(store, Erasure):
            store.delete(run.id)

    def close(self, error: BaseException | None = None) -> None:
        """Give back a run that is still in hand; if a step has it, that step does at its end.

        Args:
            error: what ended the turn. If it came before the store's answer, the store may have
                claimed the run, and is asked.
        """
        self._is_closed = True
        if self._is_in_step:
            return
        self._end_observed(None, error)
        self._claims.keeper.drop(self)
        if self._sought is not None and not isinstance(error, LongtermError):
            self.run = self._found(*self._sought)
        if self.run is not None:
            self._give_back(self.run, error)

    def _found(self, run_id: str, until: datetime | None) -> Run | None:
        """Return a run if it was claimed by the very claim that was interrupted."""
        try:
            run = self._claims.store.get(run_id)
        except UnknownRun:  # it was not created
            return None
        except LongtermError as error:
            warn("run %s may be claimed until %s (%s)", run_id, until, type(error).__name__)
            return None
        return run if run.state is RunState.RUNNING and run.claimed_until == until else None

    def _give_back(self, run: Run, error: BaseException | None) -> None:
        try:
            if run.turn == 1 and run.waiting_for in (START, None):
                self._take_back(run, error)
            else:
                self.release()
        except ClaimLost:  # it was saved, or another process has taken it up
            return
        except LongtermError as failure:
            warn(
                "run %s could not be given back, and is claimed until %s (%s)",
                run.id,
                run.claimed_until or "somebody does",
                type(failure).__name__,
            )

    async def in_thread(
        self, step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Let a thread have the claim for a step; None if it was closed before."""
        return await in_thread(self._take_step, partial(step, *args, **kwargs))

    def in_store(
        self, step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[R | None]:
        """The same for a step that blocks in the store alone, and runs no flow."""
        return in_store(self._claims.store, self._take_step, partial(step, *args, **kwargs))

    def _take_step(self, step: Callable[[], R]) -> R | None:
        self._is_in_step = True
        try:
            return None if self._is_closed else step()
        finally:
            self._is_in_step = False
            if self._is_closed:  # the coroutine was closed meanwhile, and waits for nothing
                self.close()

    def __enter__(self) -> Self:
        """Return the claim itself."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Give back a run that is still in hand."""
        if error is not None:
            self.close(error)

    async def __aenter__(self) -> Self:
        """Return the claim itself."""
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Give back a run that is still in hand."""
        if isinstance(error, GeneratorExit):  # a coroutine that is closed can wait for nothing
            self.close(error)
        elif error is not None:
            await in_store(self.store, self.close, error)
