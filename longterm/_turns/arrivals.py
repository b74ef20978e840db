"""How an event that comes now reaches its run: behind those that the run was sent before.

What the run was sent and waits for has its turns first, each as a turn of its own. Then comes the
event, if the run still waits for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from longterm._flows.wait_result import WaitResult
from longterm._turns.claims import Claim, Claims
from longterm._turns.event_size import check_event_size
from longterm._turns.transitions import refusal
from longterm._turns.turns import Turns
from longterm.errors import RunNotSuspended
from longterm.run import Run, RunState

if TYPE_CHECKING:
    from longterm._turns.deliveries import Delivery


class Arrival:
    """An event that comes now, behind those that its run was sent before and has not read."""

    before: int | None = None
    """How many of those may be read first; None: that is not known yet."""
    is_over = False
    """Whether nothing comes after this turn: it is the event's own, or there is none."""

    def __init__(self, run_id: str, event_id: str, value: Any, key: str | None) -> None:
        """Bring an event to a run; None: without a key."""
        self.run_id = run_id
        self.event_id = event_id
        self.value = value
        self.delivery = None if key is None else _delivery(event_id, value, key)


class Arrivals:
    """Brings events to the runs of one engine."""

    def __init__(self, turns: Turns, claims: Claims, *, max_event_bytes: int) -> None:
        """Take events whose values take no more than some bytes."""
        self._turns = turns
        self._claims = claims
        self._max_event_bytes = max_event_bytes

    def deliver(self, run_id: str, event_id: str, value: Any, key: str | None = None) -> Run:
        """Bring a run the event that it waits for; a delivery that is repeated changes nothing.

        A delivery's key is saved with what came of it, and only then: a refused one may come again.
        """
        arrival = Arrival(run_id, event_id, value, key)
        while True:
            claim = Claim(self._claims)
            try:
                done = self._take(claim, arrival)
                if done is not None:
                    return done
                first, delivery = self._first(claim, arrival)
                saved = self._turns.advance(claim, first, delivery)
            except BaseException as error:
                try:
                    claim.close(error)
                except BaseException:  # a signal came at its begin, or in the middle of it
                    claim.close(error)
                    raise
                raise
            if arrival.is_over:
                return saved

    async def adeliver(self, run_id: str, event_id: str, value: Any, key: str | None = None) -> Run:
        """Bring a run its event from asynchronous code."""
        arrival = Arrival(run_id, event_id, value, key)
        while True:
            async with self._claims.open() as claim, claim:
                choose = partial(self._first, claim, arrival)
                done = await self._turns.take_turn(claim, choose, self._take, claim, arrival)
            if arrival.is_over:
                return done

    def _take(self, claim: Claim, arrival: Arrival) -> Run | None:
        """Claim a run for an event, or for one that it was sent before and reads first.

        Return what came of the event's delivery before, if this repeats it.
        """
        run_id, event_id, delivery = arrival.run_id, arrival.event_id, arrival.delivery
        check_event_size(event_id, arrival.value, self._max_event_bytes)
        key = None if delivery is None else delivery.key
        run = claim.take(run_id, event_id, key)
        if run is None:
            stored = self._claims.store.get(run_id)
            if event_id != stored.waiting_for and event_id in stored.awaits:
                # One of several, and perhaps the store compares the whole text only.
                run = claim.take(run_id, stored.waiting_for or "", key)
                stored = self._claims.store.get(run_id)
            if run is None:
                if delivery is None or not delivery.is_taken(stored, self._claims.keys):
                    if arrival.before != 0 and claim.take_unread(stored):
                        return None
                    raise refusal(stored, event_id)
                if stored.state is RunState.RUNNING:
                    raise RunNotSuspended(run_id, stored.state)
                kept = self._claims.confirmed(stored)
                if delivery.is_taken(kept, self._claims.keys):
                    arrival.is_over = True
                    return kept.changed(is_duplicate=True)
                # It was not safe yet when it was read, and a failover has undone it.
                return self._take(claim, arrival)
        if key is None or run.delivery != key:
            return None
        arrival.is_over = True
        return claim.release().changed(is_duplicate=True)

    def _first(self, claim: Claim, arrival: Arrival) -> tuple[WaitResult | None, Delivery | None]:
        """Return what the turn of a claimed run begins with: an event that was sent before, or now.

        Only what was sent before the first claim counts as that: more may come all the time.
        """
        assert claim.run is not None
        if claim.run.unread:
            if arrival.before is None:
                arrival.before = len(claim.run.unread)
            if arrival.before and claim.run.next_unread is not None:
                arrival.before -= 1
                return self._turns.unread(claim)
        arrival.is_over = True
        return WaitResult(arrival.value, name=arrival.event_id), arrival.delivery


def _delivery(event_id: str, value: Any, key: str) -> Delivery:
    from longterm._turns.deliveries import delivery_of  # only for those who name their deliveries

    return delivery_of(event_id, value, key)
