"""How an engine lets another run, or the run itself, go on from what a run was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longterm._engine.parts import Parts
from longterm._later import later
from longterm._names import id_of_run, new_id_of_run, revision_of
from longterm._turns.claim import Claim
from longterm._turns.threads import in_thread
from longterm.run import Run

if TYPE_CHECKING:
    from uuid import UUID
else:
    UUID = later("uuid", "UUID")


class Forking(Parts):
    """The part of an engine that forks runs, and puts them back."""

    def fork(
        self, run_id: str | UUID, *, at: int | None = None, id: str | UUID | None = None
    ) -> Run:
        """Create a run that goes on from what another is, or was at a revision.

        It has the frames, the facts, the deadline and the last responses of that, and is nobody's
        child. Its inbox is empty, and it knows no keys. Nothing is run. What the other has done is
        done, and the results of its steps are in the frames; each does what comes after.

        Args:
            run_id: the id of the run to fork.
            at: the revision, as `history` shows it; 0: before its first turn. None: as it is.
            id: the new run's id, as for `start`; drawn unless given.

        Raises:
            UnknownRun: the store has no such run.
            RunBusy: it is in the middle of a turn (or give a revision).
            CannotFork: it has ended, has open children, or is a schedule.
            UnknownRevision: the frames of that revision are not kept.
            RunExists: the id is taken.
            NotSupported: a revision is given, and the store keeps no histories.
        """
        from longterm._turns.forking import fork  # for few
        from longterm._turns.starts import new_id

        run_id, now = id_of_run(run_id), self.clock.now()
        if at is not None:
            revision_of(at)
        own_id = new_id(now) if id is None else new_id_of_run(id)
        return fork(self._claims, run_id, at, own_id, now)

    def rewind(self, run_id: str | UUID, *, to: int) -> Run:
        """Put a run back to what it was at a revision, and let it go on from there.

        It has the frames, the facts and the deadline of then, at a new revision; its history says
        that it was put back. What it has done since is done, and stays so; events that it has read
        since are not brought again, and their keys stay taken. Nothing of its code is run, but if
        an event is unread that it waits for now.

        Args:
            run_id: the run's id.
            to: the revision, as `history` shows it; 0: before its first turn.

        Raises:
            UnknownRun: the store has no such run.
            RunBusy: it is in the middle of a turn.
            CannotRewind: it is complete or cancelled, or its children are others by now.
            UnknownRevision: the frames of that revision are not kept.
            NotSupported: the store keeps no histories.
        """
        from longterm._turns.forking import rewind  # for few

        run_id = id_of_run(run_id)
        with Claim(self._claims) as claim, claim:
            run = rewind(self._claims, claim, run_id, revision_of(to), self.clock.now)
        return self._gone_on(run)

    async def afork(
        self, run_id: str | UUID, *, at: int | None = None, id: str | UUID | None = None
    ) -> Run:
        """Create a run from what another is, from asynchronous code; see `fork`."""
        return await in_thread(self.fork, run_id, at=at, id=id)

    async def arewind(self, run_id: str | UUID, *, to: int) -> Run:
        """Put a run back to a revision, from asynchronous code; see `rewind`."""
        return await in_thread(self.rewind, run_id, to=to)
