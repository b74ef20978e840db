"""What workers do with an engine."""

from __future__ import annotations

from collections.abc import Callable

from longterm._engine.parts import Parts
from longterm.run import Run


class Work(Parts):
    """The part of an engine that looks for runs which nobody carries on."""

    def expire_due(
        self, *, limit: int = 100, is_stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """End the waits that are over, one after the other; return how many.

        Those are the waits whose deadlines have passed, and those for an event that was sent. What
        a worker does, in this thread. Only runs of flows that this process knows are taken. A
        flow that fails then is stored as failed, and no exception comes here. A run that cannot go
        on in this process (its flow has changed) is parked: it waits on, `error` says why, and it
        is looked at again after a minute, then after two, and so on up to an hour. An `async def`
        flow runs in an event loop of its own, so call this where none is running.

        Args:
            limit: how many to end at most.
            is_stopped: asked before each run; once it says yes, no more are taken.

        Raises:
            NotSupported: the store has no deadlines.
        """
        ended = 0
        while ended < limit and not is_stopped():
            turns = self._due.claim(1)
            if not turns:
                break
            for turn in turns:
                with turn.claim, turn.claim:  # twice, as `Claim` says
                    turn.advance_alone()
            ended += 1
        return ended

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
