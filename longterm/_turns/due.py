"""The turns of runs that are due, or can read an event that they were sent, as workers run them.

So does whoever has saved the turn before. Nobody is there to take their exceptions.

Such a turn is saved; or its flow fails, and the run with it; or it is refused, and the run is
parked; or its worker gives it up.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final

from longterm._flows.registry import known_names
from longterm._signals import is_of_signal
from longterm._turns.claim import Claim
from longterm._turns.claims import Claims
from longterm._turns.due_claims import DueClaims
from longterm._turns.position import flow_of_run
from longterm._turns.threads import in_store
from longterm._turns.transitions import failed_run, parked_run, with_facts
from longterm._turns.turns import Turns
from longterm.clock import Clock
from longterm.errors import ClaimLost, FlowChanged, TurnTimeout, UnknownFlow
from longterm.run import Run

_log = logging.getLogger("longterm")

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_DOUBLINGS: Final = 6
"""After so many the longest pause is reached."""
_JITTER: Final = 0.1
"""By what part a pause is shorter or longer, so that runs parked at once do not return at once."""
_REMEMBERED: Final = 10_000
_LEFT_OUT: Final = 1_000
"""How many positions a question to the store may name."""


class Pauses:
    """How long parked runs rest, or all runs of a position: longer each time, as far as this
    process remembers."""

    def __init__(self) -> None:
        """Begin with no run parked."""
        self._counts: dict[str, int] = {}

    def next(self, run_id: str, *, is_new: bool) -> timedelta:
        """Return how long a run is to rest now; for a new reason, as short as at first."""
        count = self._counts.pop(run_id, 0)  # and to the end: the oldest are forgotten
        count = 0 if is_new else count
        self._counts[run_id] = min(count + 1, _DOUBLINGS)
        if len(self._counts) > _REMEMBERED:
            self._counts.pop(next(iter(self._counts)), None)
        pause = min(_FIRST_PAUSE * (1 << count), _LONGEST_PAUSE)
        return pause + pause * random.uniform(-_JITTER, _JITTER)

    def knows(self, run_id: str) -> bool:
        """Tell whether a run has rested since it went on last."""
        return run_id in self._counts

    def forget(self, run_id: str) -> None:
        """Begin anew with a run that has gone on."""
        self._counts.pop(run_id, None)


class LeftOut:
    """The positions at which this process cannot go on, each until it tries the next time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._until: dict[str, datetime] = {}

    def add(self, position: str, until: datetime) -> None:
        """Leave the runs of a position alone until a moment."""
        self._until[position] = until
        if len(self._until) > _LEFT_OUT:
            self._until.pop(next(iter(self._until)))  # it is tried before its time

    def until(self, position: str, moment: datetime) -> datetime | None:
        """Return until when a position is left out; None if it is not, at a moment."""
        until = self._until.get(position)
        return until if until is not None and until > moment else None

    def now(self, moment: datetime) -> list[str]:
        """Return the positions that are left out at a moment."""
        if self._until:
            self._until = {place: until for place, until in self._until.items() if until > moment}
        return [*self._until]


class DueTurns:
    """Finds the runs of one engine that are due."""

    def __init__(self, turns: Turns, claims: Claims, clock: Clock) -> None:
        """Run turns under claims."""
        self.turns = turns
        self.claims = claims
        self._due = DueClaims(claims)
        self.clock = clock
        self.pauses = Pauses()
        self.left_out = LeftOut()
        self.on_end: Callable[[Run], None] | None = None
        """Called with each run that a worker's turn has saved with something for others."""
        self.has_left = False
        """Whether a run can go on at once by what a turn here has left."""

    def claim(self, limit: int, queues: Collection[str] | None = None) -> list[DueTurn]:
        """Claim due runs of the flows that this process knows now, the longest overdue first.

        Only those that wait for a slot of some queues, if any are given.
        """
        without = self.left_out.now(self.clock.now())
        claims = self._due.take(limit, known_names(), queues, without)
        return [DueTurn(self, claim, on_end=self.on_end) for claim in claims]

    def leave_out(self, position: str) -> datetime:
        """Leave the runs of a position alone for a while; return until when."""
        now = self.clock.now()
        until = self.left_out.until(position, now)
        if until is None:  # else another run of it was claimed in the same step, and has come first
            is_new = not self.pauses.knows(position)
            until = now + self.pauses.next(position, is_new=is_new)
            self.left_out.add(position, until)
        return until

    def release(self, turns: list[DueTurn]) -> None:
        """Give back runs whose turns did not begin."""
        self._due.close([turn.claim for turn in turns])


class DueTurn:
    """The turn of a claimed run that reads an unread event, or whose wait ends by itself."""

    def __init__(
        self,
        due: DueTurns,
        claim: Claim,
        said: Sequence[Any] = (),
        on_end: Callable[[Run], None] | None = None,
    ) -> None:
        """Take over the claim on a run.

        Args:
            due: where it was found.
            claim: the claim.
            said: what the run's caller was told by the turns before.
            on_end: called with the run, if its turn has left something for others.
        """
        assert claim.run is not None
        self.claim = claim
        claim.has_caller = False
        self.said = said
        self.run = claim.run
        self.is_given_up = False
        self._due = due
        self._on_end = on_end

    @property
    def is_saving(self) -> bool:
        """Whether the turn is over, and the store has been asked to save the run."""
        return self.claim.is_saving

    @property
    def is_async(self) -> bool:
        """Whether the flow is an `async def`; not so if it is not to be had here at all."""
        try:
            return flow_of_run(self.run).is_async
        except Exception as error:  # the turn itself says why, and parks the run
            if is_of_signal(error):
                raise
            return False

    def advance(self) -> Run | None:
        """Run the turn in this thread; return the run as it was saved, None if an exception came.

        Raises:
            BaseException: a signal's, in the main thread; the run was given back.
        """
        begin = self._begin()
        try:
            done = self._due.turns.advance_due(self.claim, self.said)
        except BaseException as error:
            is_interruption = _is_signal(error)
            self._settle(error, is_interruption)
            if is_interruption:
                raise
            self._note_end()
            return None
        self._end(done, begin)
        self._note_end()
        return done

    def advance_alone(self) -> None:
        """Run the turn in this thread; an `async def` flow gets an event loop of its own."""
        if self.is_async:
            import asyncio

            asyncio.run(self.aadvance())
        else:
            self.advance()

    async def aadvance(self) -> Run | None:
        """Run the turn of an `async def` flow in this event loop; see `advance`.

        Raises:
            CancelledError: the task was cancelled from outside; the run was given back.
        """
        import asyncio

        begin = self._begin()
        try:
            done = await self._due.turns.aadvance_due(self.claim, self.said)
        except BaseException as error:
            task = asyncio.current_task()
            is_cancelled = isinstance(error, asyncio.CancelledError) and task and task.cancelling()
            is_interruption = bool(is_cancelled) or _is_signal(error)
            await in_store(self.claim.store, self._settle, error, is_interruption)
            if is_interruption:
                raise
            await in_store(self.claim.store, self._note_end)
            return None
        self._end(done, begin)
        await in_store(self.claim.store, self._note_end)
        return done

    def _note_end(self) -> None:
        """See to what the turn has left for others, if it is a worker's."""
        saved = self.claim.saved
        if self.run.queue is not None or (saved is not None and saved.queue is not None):
            self._due.has_left = True  # its slot is free, or it waits for one
        if self._on_end is not None and saved is not None and saved.outgoing:
            self._on_end(saved)

    def give_up(self, error: TurnTimeout) -> None:
        """Fail the run while its turn still goes on; what that saves later is refused."""
        self.is_given_up = True
        try:
            self._save_failed(error)
        except ClaimLost:  # it has ended in this very moment, and keeps what it has saved
            return
        except Exception as another:  # the store is out of reach: the claim runs out
            self._tell(another, logging.WARNING)
        _log.warning("run %s: its turn was given up: %s", self.run.id, error, extra=self._facts())

    def _begin(self) -> float:
        run = self.run
        _log.debug("run %s: turn %d of %s begins", run.id, run.turn, run.flow, extra=self._facts())
        return perf_counter()

    def _end(self, done: Run, begin: float) -> None:
        self._due.pauses.forget(done.id)
        if self.run.position is not None:
            self._due.pauses.forget(self.run.position)
        if done.next_unread is not None:
            self._due.has_left = True
        _log.info(
            "run %s: turn %d took %.3f s; the run is %s",
            *(done.id, done.turn, perf_counter() - begin, done.state),
            extra=self._facts(),
        )

    def _settle(self, error: BaseException, is_interruption: bool) -> None:
        """See to it that nobody holds the run after an exception has ended its turn."""
        if self.claim.observed is not None:
            self.claim.observed.error = error
        try:
            if self.claim.run is None:  # it was saved as failed, or could not be saved
                self.claim.close(error)
                self._tell(error)
            elif is_interruption:
                self.claim.close(error)
            elif isinstance(error, Exception):
                self._park(error)
            else:  # sys.exit() and its like are the flow's own way to fail
                self._save_failed(error)
                self._tell(error)
        except Exception as another:  # the store is out of reach: the claim runs out
            if is_of_signal(another):
                raise
            self._tell(another)

    def _park(self, error: Exception) -> None:
        run, due = self._run_now(), self._due
        parked = parked_run(run, error)
        others = ""
        if run.position is not None and isinstance(error, FlowChanged | UnknownFlow):
            # So it is with all runs of that position, whichever of them comes first.
            is_new = not due.pauses.knows(run.position)
            retry = due.leave_out(run.position)
            others = f", and left alone are all runs at {run.position}"
        else:
            is_new = parked.error != run.error
            retry = due.clock.now() + due.pauses.next(run.id, is_new=is_new)
        self.claim.save(parked.changed(deadline=retry))
        _log.log(
            logging.WARNING if is_new else logging.DEBUG,
            "run %s: its turn cannot go on here: %s (parked%s; `longterm show %s` says why)",
            *(run.id, type(error).__name__, others, run.id),
            extra=self._facts(),
        )

    def _save_failed(self, error: BaseException) -> None:
        turn, run = self.claim.turn, self._run_now()
        run = run if turn is None else with_facts(run, turn)
        failed = failed_run(run, error, [], self._due.clock.now())
        self._due.turns.running.tell(self.claim.save(self.claim.recorded(failed)))

    def _run_now(self) -> Run:
        """Return the claimed run as it was saved last: before its turn, or at a checkpoint."""
        return self.claim.run or self.run

    def _tell(self, error: BaseException, level: int | None = None) -> None:
        """Log what ended the turn; the words of an exception can hold what users said."""
        if level is None:  # of a turn that was given up enough has been said
            level = logging.DEBUG if self.is_given_up else logging.WARNING
        name = type(error).__name__
        _log.log(level, "run %s: its turn failed by %s", self.run.id, name, extra=self._facts())
        _log.debug("run %s: %s", self.run.id, error, extra=self._facts())

    def _facts(self) -> dict[str, object]:
        """Return what `RunFilter` shows of a run, for a record from outside of its turn."""
        return {"run_id": self.run.id, "flow": self.run.flow, "turn": self.run.turn}


def _is_signal(error: BaseException) -> bool:
    """Whether a signal handler may have raised it; Python runs them in the main thread only."""
    is_main = threading.current_thread() is threading.main_thread()
    is_usual = isinstance(error, (KeyboardInterrupt, SystemExit))
    return is_main and (is_usual or is_of_signal(error))
