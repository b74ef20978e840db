"""What workers do with an engine, and how to wait for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from longterm._engine.parts import Parts
from longterm._later import later
from longterm._names import id_of_run
from longterm._turns.rest import Looks, rests
from longterm.run import Run

if TYPE_CHECKING:
    from uuid import UUID

    from longterm._turns.due import DueTurn
else:
    UUID = later("uuid", "UUID")


class Work(Parts):
    """The part of an engine that looks for runs which nobody carries on."""

    def run_pending(
        self, limit: int | None = None, *, is_stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """Do by hand what a worker does: run the turns that are due; return how many those were.

        First, the runs whose processes have died in a turn are let go of, as by `release_stale`.
        Then a turn is run of each run that is to begin, whose deadline has passed, or that was sent
        an event which it waits for, one after the other, in this thread, until none is due. Only
        runs of flows that this process knows are taken. A flow that fails then is stored as failed,
        and no exception comes here. A run that cannot go on in this process (its flow has changed)
        is parked: it waits on, `error` says why, and it is looked at again after a minute, then
        after two, and so on up to an hour. An `async def` flow runs in an event loop of its own, so
        where one is running, await `arun_pending`.

        Args:
            limit: how many turns to run at most; None: all that are due, also those that become due
                meanwhile.
            is_stopped: asked before each turn; once it says yes, no more are run.

        Raises:
            NotSupported: the store has no deadlines.
        """
        self._let_go()
        self._going_on.deliver_due()
        done = 0
        while (limit is None or done < limit) and not is_stopped():
            turns = self._due.claim(1)
            if not turns:
                break
            for turn in turns:
                with turn.claim, turn.claim:  # twice, as `Claim` says
                    turn.advance_alone()
            done += 1
        return done

    def _let_go(self) -> None:
        """Let go of dead turns, if the store has leases."""
        if self._claims.leases is not None:
            self._claims.release_stale(None, None)

    def _claim_into(self, turns: list[DueTurn]) -> None:
        turns += self._due.claim(1)

    def join(self, run_id: str | UUID, timeout: float | None = None) -> Run:
        """Wait until a run rests, or has ended, and return it as it is then.

        It rests when it waits for something that is not there: no turn of it is under way, its
        deadline has not come, and it has no unread event that it waits for. A run that is parked
        rests too. Nothing is run here: whoever runs its turns, such as a worker, is waited for.

        Args:
            run_id: the run's id.
            timeout: how many seconds to wait at most; None: for ever.

        Raises:
            UnknownRun: the store has no such run.
            JoinTimeout: it did not come to rest in time.
        """
        run_id = id_of_run(run_id)
        looks = Looks(run_id, timeout)
        while not rests(run := self.store.get(run_id), self.clock.now()):
            time.sleep(looks.next(run))
        return run

    def release_stale(
        self, *, max_attempts: int | None = None, limit: int | None = None
    ) -> list[Run]:
        """Let go of the runs whose processes have died in a turn, and return them.

        Each waits again as it did before that turn; one that has died `max_attempts` times in a
        row, those of the engine unless told otherwise, is failed instead, until somebody retries
        it. At most `limit` are let go of at once; None: all.

        Raises:
            NotSupported: the store has no leases.
        """
        return self._claims.release_stale(max_attempts, limit)
