"""What a turn causes is done by whoever has run it, before the call returns: `inline`.

Its messages are delivered. Then the runs that they have reached have their turns, and what these
cause in their turn; and the run itself reads what it was sent. So a script needs no worker for
anything but time.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Final

from longterm._event_names import START
from longterm._flows.context import running_task
from longterm._flows.registry import known_names
from longterm._turns.claim import Claim
from longterm._turns.delivering import Delivering
from longterm._turns.due import DueTurn, DueTurns
from longterm._turns.sending import Sending
from longterm._turns.threads import in_store
from longterm.errors import LongtermError
from longterm.message import Message
from longterm.run import Run, RunState
from longterm.store.outbox import Outbox

_log = logging.getLogger("longterm")

MOST_TURNS: Final = 10_000
"""How many turns one call runs at most; the rest is due, and left to workers. Two runs that send
each other events for ever would hold their caller for ever."""


class GoingOn:
    """Does what turns have caused, on one engine."""

    def __init__(self, due: DueTurns, sending: Sending, *, is_inline: bool) -> None:
        """Run the turns of others too, if that is `inline`."""
        self._due = due
        self._claims = due.claims
        self._sending = sending
        self._is_inline = is_inline

    def go_on(self, run: Run) -> Run:
        """Do what a saved turn of a run has caused; return the run as it is then.

        Each run reads what is in its inbox, also what another process has sent while it had a turn
        here, and could not claim it for: nobody else comes. The responses of all turns of the
        call's own are those of the last. Nothing is raised: the turn is saved, and what cannot be
        done here is left to workers.
        """
        work = _Work(self, run)
        while (run_id := work.next()) is not None:
            with Claim(self._claims) as claim, claim:
                turn = self._take(claim, work, run_id)
                if turn is None:
                    continue
                if turn.is_async and running_task() is not None:
                    claim.release()  # an event loop runs in this thread already
                    continue
                turn.advance_alone()
            work.note(run_id, turn.claim.saved)
        return work.run

    async def ago_on(self, run: Run) -> Run:
        """Do what a saved turn has caused, from asynchronous code; see `go_on`."""
        work = await in_store(self._claims.store, _Work, self, run)
        while (run_id := work.next()) is not None:
            async with Claim(self._claims) as claim, claim:
                turn = await claim.in_store(self._take, claim, work, run_id)
                if turn is None:
                    continue
                if turn.is_async:
                    await turn.aadvance()
                else:
                    await claim.in_thread(turn.advance)
            await in_store(self._claims.store, work.note, run_id, turn.claim.saved)
        return work.run

    def deliver(self, run: Run) -> None:
        """Deliver what a worker's turn has sent; workers run the turns that it causes."""
        if run.outgoing and self._deliver(run.outgoing):
            self._due.has_left = True

    def deliver_due(self) -> int:
        """Deliver what is due: what processes that died have left, and what could not be delivered.

        Returns:
            How many runs it has reached.
        """
        if self._delivering is None:
            return 0
        reached = self._delivering.deliver_due()
        if reached:
            self._due.has_left = True
        return len(reached)

    @property
    def next_try(self) -> datetime | None:
        """When this process is to call `deliver_due` for what it could not deliver; None: never."""
        return None if self._delivering is None else self._delivering.next_try

    def _deliver(self, messages: Iterable[Message]) -> list[str]:
        assert self._delivering is not None
        return self._delivering.deliver(messages)

    @cached_property
    def _delivering(self) -> Delivering | None:
        store = self._claims.store
        if not isinstance(store, Outbox):
            return None
        return Delivering(store, self._claims, self._due.clock, self._sending)

    def _take(self, claim: Claim, work: _Work, run_id: str) -> DueTurn | None:
        """Claim a run that can go on now; the turn before is saved, so nothing is raised."""
        try:
            run = work.run
            if run_id != run.id or run.next_unread is None:  # what it knows may be old
                run = self._claims.store.get(run_id)
            work.note_unread(run)
            said = work.run.response if run_id == work.run.id else ()  # not once it is claimed
            if run.flow not in known_names() or not self._claim(claim, run):
                return None
            return DueTurn(self._due, claim, said)
        except LongtermError as error:
            _log.warning("run %s could not go on at once (%s)", run_id, type(error).__name__)
            return None

    def _claim(self, claim: Claim, run: Run) -> bool:
        if run.state is not RunState.SUSPENDED:
            return False
        if run.waiting_for == START:
            now = self._due.clock.now()
            is_due = run.deadline is not None and run.deadline <= now
            is_free = is_due and run.queue is None  # else it waits for a slot
            return is_free and claim.take(run.id, START) is not None
        return claim.take_unread(run)


class _Work:
    """The runs that are to have turns for one call."""

    def __init__(self, going_on: GoingOn, run: Run) -> None:
        self._going_on = going_on
        self.run = run
        """The run of the call, as it was saved last."""
        self._queue: deque[str] = deque()
        self._turns: Counter[str] = Counter()
        """How many turns each may have: one for each thing that has come."""
        self._seen: set[str] = set()
        self._left = MOST_TURNS
        self.note_unread(run, of_turn=0)
        self.note(run.id, run)

    def next(self) -> str | None:
        """Return the id of the run that is next; None: all is done."""
        while self._queue and self._left > 0:
            run_id = self._queue.popleft()
            if self._turns[run_id] > 0:
                self._turns[run_id] -= 1
                self._left -= 1
                return run_id
        return None

    def note(self, run_id: str, done: Run | None) -> None:
        """Take what a turn has left, as its run was saved; None: it could not be."""
        going_on = self._going_on
        if run_id == self.run.id:
            self.run = (done or self._stored()).changed(outgoing=())
        if done is not None and done.outgoing:
            for receiver in going_on._deliver(done.outgoing):
                if going_on._is_inline or receiver == self.run.id:
                    self._allow(receiver, 1)
        is_free = done is not None and done.state is RunState.SUSPENDED and not done.encoded_error
        if done is not None and is_free and done.next_unread and not self._turns[run_id]:
            self._allow(run_id, 1)

    def _stored(self) -> Run:
        """Return the run of the call as it is stored; as it was known, if that is not to be had."""
        try:
            return self._going_on._claims.store.get(self.run.id)
        except LongtermError as error:
            _log.warning("run %s could not be read (%s)", self.run.id, type(error).__name__)
            return self.run

    def note_unread(self, run: Run, of_turn: int = 1) -> None:
        """Have a run read what it was sent before it was first seen here.

        Args:
            run: the run.
            of_turn: how many of these events it has a turn for already.
        """
        if run.id not in self._seen:
            self._seen.add(run.id)
            self._allow(run.id, max(0, len(run.unread) - of_turn))

    def _allow(self, run_id: str, turns: int) -> None:
        self._turns[run_id] += turns
        self._queue.extend([run_id] * turns)
