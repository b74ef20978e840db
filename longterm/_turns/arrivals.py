"""How an event that comes now reaches its run: behind those that the run was sent before.

What the run was sent and waits for has its turns first, each as a turn of its own. Then comes the
event, if the run still waits for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from longterm._actor import acting
from longterm._codec import encode_bare, enveloped
from longterm._flows.context import listen_from_here
from longterm._flows.wait_result import WaitResult
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.event_size import check_event_size
from longterm._turns.transitions import check_revision, refusal
from longterm._turns.turns import Turns
from longterm.errors import NotStorable, RunBusy
from longterm.run import Run, RunState

if TYPE_CHECKING:
    from longterm._turns.deliveries import Delivery
    from longterm.unread import UnreadEvent


class Arrival:
    """An event that comes now."""

    __slots__ = ("_bare", "_value", "delivery", "event_id", "revision", "run_id")

    def __init__(
        self, run_id: str, event_id: str, value: Any, key: str | None, revision: int | None
    ) -> None:
        """Take an event for a run, or for a revision of it; with a key, it has effect once."""
        self.run_id = run_id
        self.event_id = event_id
        self.revision = revision
        self.delivery = None if key is None else _delivery(event_id, value, key)
        self._value = value
        self._bare: bytes | None = None

    def measure(self, max_bytes: int) -> None:
        """Make sure that the value is not too large, and keep what a flow could change of it."""
        self._bare = check_event_size(self.event_id, self._value, max_bytes)

    def as_unread(self, now: datetime) -> UnreadEvent | None:
        """Return it as an inbox keeps it, as it was when it came; None if it cannot be stored."""
        # Only if its turn fails.
        from longterm._turns.deliveries import kept_event
        from longterm.unread import inbox_context

        bare = self._bare
        try:
            if bare is None:
                bare = encode_bare(self._value)
            value = enveloped(bare, inbox_context(self.run_id, self.event_id))
        except NotStorable:
            return None
        return kept_event(self.run_id, self.event_id, value, self.delivery, now, acting())


class Arrivals:
    """Brings events to the runs of one engine."""

    def __init__(self, turns: Turns, claims: Claims, *, max_event_bytes: int) -> None:
        """Take events whose values take no more than some bytes."""
        self._turns = turns
        self._claims = claims
        self._max_event_bytes = max_event_bytes

    def deliver(
        self,
        run_id: str,
        event_id: str,
        value: Any,
        key: str | None = None,
        revision: int | None = None,
    ) -> Run:
        """Bring a run the event that it waits for; a delivery that is repeated changes nothing.

        A delivery's key is saved with what came of it, and only then: a refused one may come again.
        """
        arrival = Arrival(run_id, event_id, value, key, revision)
        arrival.measure(self._max_event_bytes)
        before: int | None = None
        older: Run | None = None
        while True:
            claim = Claim(self._claims)
            if older is not None:
                claim.sent = older.outgoing
            try:
                done = self._take(claim, arrival, before != 0)
                if done is not None:
                    return done
                assert claim.run is not None
                before = _older(claim.run, before) if claim.run.unread else 0
                if not before:
                    listen_from_here(run_id)
                    claim.brought = arrival.as_unread
                    result = WaitResult(value, name=event_id)
                    return self._turns.advance(claim, result, arrival.delivery)
                before -= 1
                older = self._turns.advance(claim, *self._turns.unread(claim))
            except BaseException as error:
                try:
                    claim.close(error)
                except BaseException:  # a signal came at its begin, or in the middle of it
                    claim.close(error)
                    raise
                if older is not None and _is_left(older, claim, error):
                    self._turns.running.on_failure(older)
                raise

    async def adeliver(
        self,
        run_id: str,
        event_id: str,
        value: Any,
        key: str | None = None,
        revision: int | None = None,
    ) -> Run:
        """Bring a run its event from asynchronous code."""
        arrival = Arrival(run_id, event_id, value, key, revision)
        before: int | None = None
        is_own = True
        older: Run | None = None

        def take(claim: Claim) -> Run | None:
            if older is None:
                arrival.measure(self._max_event_bytes)  # in the thread: it may be large
            return self._take(claim, arrival, before != 0)

        def choose() -> tuple[WaitResult | None, Delivery | None]:
            nonlocal before, is_own
            assert claim.run is not None
            before = _older(claim.run, before)
            is_own = before == 0
            if is_own:
                listen_from_here(run_id)
                claim.brought = arrival.as_unread
                return WaitResult(value, name=event_id), arrival.delivery
            before -= 1
            return self._turns.unread(claim)

        while True:
            is_own = True  # as what is settled without a turn
            claim = Claim(self._claims)
            if older is not None:
                claim.sent = older.outgoing
            try:
                async with claim, claim:
                    done = await self._turns.take_turn(claim, choose, take, claim)
            except Exception as error:
                on_failure = self._turns.running.aon_failure
                if older is not None and on_failure and _is_left(older, claim, error):
                    await on_failure(older)
                raise
            if is_own:
                return done
            older = done

    def _take(self, claim: Claim, arrival: Arrival, may_be_older: bool) -> Run | None:
        """Claim a run for an event, or for one that it was sent before and reads first.

        Return what came of the event's delivery before, if this repeats it.
        """
        store = self._claims.store
        run_id, event_id, delivery = arrival.run_id, arrival.event_id, arrival.delivery
        key = None if delivery is None else delivery.key
        run = claim.take(run_id, event_id, key)
        if run is None:
            stored = store.get(run_id)
            if event_id != stored.waiting_for and event_id in stored.awaits:
                # One of several, and perhaps the store compares the whole text only.
                run = claim.take(run_id, stored.waiting_for or "", key)
                stored = store.get(run_id)
            if run is None:
                if delivery is None or not delivery.is_taken(stored, self._claims.keys):
                    if stored.state is RunState.SUSPENDED:
                        check_revision(stored, arrival.revision, store)
                    if may_be_older and claim.take_unread(stored):
                        return None
                    raise refusal(stored, event_id)
                if stored.state is RunState.RUNNING:
                    raise RunBusy(run_id)
                kept = self._claims.confirmed(stored)
                if delivery.is_taken(kept, self._claims.keys):
                    return kept.changed(is_duplicate=True)
                # It was not safe yet when it was read, and a failover has undone it.
                return self._take(claim, arrival, may_be_older)
        if key is not None and run.delivery == key:
            # If its turn failed, and the retry that was to forget the key died, it was never taken.
            is_failed = self._claims.keys is not None and run.encoded_error is not None
            if not is_failed:
                return claim.release().changed(is_duplicate=True)
        check_revision(run, arrival.revision, store)
        return None


def _is_left(older: Run, claim: Claim, error: BaseException) -> bool:
    """Tell whether what these turns have caused is still to be done when the event is refused."""
    return bool(older.outgoing) and claim.saved is None and isinstance(error, Exception)


def _older(run: Run, before: int | None) -> int:
    """Return how many events of its inbox a claimed run may read before the one that comes now.

    Those are what was there at the first claim, since more may come all the time. `before` is how
    many of them are left; None: it is the first claim.
    """
    if run.next_unread is None:
        return 0
    return len(run.unread) if before is None else before


def _delivery(event_id: str, value: Any, key: str) -> Delivery:
    from longterm._turns.deliveries import delivery_of  # only for those who name their deliveries

    return delivery_of(event_id, value, key)
