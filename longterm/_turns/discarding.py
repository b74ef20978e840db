"""How an event is taken out of an inbox that nobody is to read or has refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longterm._event_names import DISCARD
from longterm._turns.attempts import unparked
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.transitions import refusal, released_run
from longterm.errors import NotSupported, UnknownEvent
from longterm.run import RunState

if TYPE_CHECKING:
    from longterm.unread import UnreadEvent


def discard(claims: Claims, run_id: str, number: int) -> UnreadEvent:
    """Take an event out of the inbox of a run that waits, or has failed; return it.

    One that was refused is taken out whatever the run does.

    Raises:
        UnknownEvent: no such event is unread or refused.
        RunBusy: the run is in the middle of a turn.
        RunComplete, RunNotSuspended: it has ended, and its events are kept with it.
        NotSupported: the store keeps no events.
    """
    inbox = claims.inbox
    if inbox is None:
        raise NotSupported(claims.store, "an inbox")
    refused = inbox.refused(run_id, after=number - 1, limit=1)
    if refused and refused[0].number == number and inbox.forget_refused(run_id, number):
        return refused[0]
    with Claim(claims) as claim, claim:
        state = claims.store.get(run_id).state
        if state is RunState.FAILED:
            claim.take_failed(run_id)
        elif state in (RunState.SUSPENDED, RunState.RUNNING):
            claim.take_waiting(run_id)
        else:
            raise refusal(claims.store.get(run_id), "")
        # Only now: a turn in between may have read it.
        found = inbox.unread(run_id, after=number - 1, limit=1)
        if not found or found[0].number != number:
            raise UnknownEvent(run_id, number)
        assert claim.run is not None
        run = released_run(claim.run, state)
        if state is RunState.SUSPENDED and run.encoded_error is not None:
            run = unparked(run, claims.store)
        if claims.recording is not None:
            value = found[0].encoded_value
            run = claims.recording.noted(run, DISCARD, claim.run, value=value)
        claim.save(run, found)
        return found[0]
