"""What can be done with the runs of a store without running their code: look, seal, delete.

Most processes do none of it, so what it takes is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from longterm._later import later
from longterm._names import id_of_run
from longterm._turns.threads import in_store, in_thread
from longterm.clock import Clock
from longterm.errors import InvalidQuery, NotSupported
from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore
from longterm.store.inbox import BEFORE_ALL, Inbox

if TYPE_CHECKING:
    from uuid import UUID

    from longterm._records.resealing import SealReport
    from longterm._records.search import Conditions
    from longterm.history import HistoryEntry
    from longterm.unread import UnreadEvent
else:
    UUID = later("uuid", "UUID")
    SealReport = later("longterm._records.resealing", "SealReport")
    Conditions = later("longterm._records.search", "Conditions")
    HistoryEntry = later("longterm.history", "HistoryEntry")
    UnreadEvent = later("longterm.unread", "UnreadEvent")


class Records:
    """The part of an engine that takes runs as records."""

    def __init__(self, store: RunStore, clock: Clock) -> None:
        """Keep a store, and the clock that its moments come from."""
        self.store = store
        self.clock = clock

    def get_run(self, run_id: str | UUID) -> Run:
        """Return a run as it is now.

        Raises:
            UnknownRun: the store has no such run.
        """
        return self.store.get(id_of_run(run_id))

    def find_runs(
        self,
        *,
        state: RunState | str | None = None,
        flow: str | Callable[..., Any] | None = None,
        waiting_for: str | None = None,
        to: str | None = None,
        position: str | None = None,
        index: Mapping[str, Fact] | None = None,
        blind: Mapping[str, Fact] | None = None,
        older_than: timedelta | None = None,
        limit: int = 100,
        after: str | None = None,
        newest_first: bool = False,
    ) -> list[Run]:
        """Find runs by what is known of them; every argument that is given must fit.

        Args:
            state: the state that they are in.
            flow: the flow, or its name `module:qualname`.
            waiting_for: the event that they wait for.
            to: one whom their wait is for, as `suspend(..., to=)` says.
            position: where they wait: the whole of their `position`.
            index: facts that their flows have set by `set_index`.
            blind: facts that their flows have set as `blind` made them, with any key in use.
            older_than: for how long, at least, no turn of theirs was saved.
            limit: how many to return at most, in the order of their ids.
            after: the id of the last run of the page before.
            newest_first: whether the order is the falling one. Ids that were drawn begin with their
                time; of ids of your own it is the order of their texts.

        Raises:
            InvalidQuery, InvalidFact, InvalidRunId: an argument is what no run can have.
            NotSupported: the store cannot search, or not so: it does not know where or for whom
                runs wait, or finds the oldest first.
            InvalidKey: blind facts are to be found, and there is no key.
        """
        from longterm._records.search import find, moment_before, query_of

        query = query_of(
            state=state,
            flow=flow,
            waiting_for=waiting_for,
            to=to,
            position=position,
            index=index,
            saved_before=None if older_than is None else moment_before(self.clock, older_than),
            limit=limit,
            after=after,
            newest_first=newest_first,
        )
        return find(self.store, query, blind or {})

    def stuck_runs(
        self, *, flow: str | None = None, limit: int = 100, after: str | None = None
    ) -> list[tuple[Run, str]]:
        """Find runs that cannot go on in the code of this process, each with the reason.

        No flow is run, and no value is made: what counts is where they wait. A run that has failed
        counts too, by where it would be tried again.

        Args:
            flow: the name of the flow that they are of, `module:qualname`; None: of any.
            limit: how many to return at most, in the order of their ids.
            after: the id of the last run of the page before.

        Raises:
            InvalidQuery, InvalidRunId: an argument is what no run can have.
            NotSupported: the store cannot search, or does not count runs by their positions.
        """
        from longterm._records.search import query_of
        from longterm._records.stuck import stuck_runs

        return stuck_runs(self.store, query_of(flow=flow, limit=limit, after=after))

    def unread_events(
        self, run_id: str | UUID, *, after: int | None = None, limit: int = 100
    ) -> list[UnreadEvent]:
        """Return the events that a run was sent and has not read, oldest first.

        Those of a run that has ended are kept as long as the run.

        Args:
            run_id: the run's id.
            after: the number of the last event of the page before; None: from the first on.
            limit: how many to return at most.

        Raises:
            UnknownRun: the store has no such run.
            NotSupported: the store keeps no events.
        """
        run = self.get_run(run_id)
        begin = BEFORE_ALL if after is None else after
        return self._inbox().unread(run.id, after=begin, limit=limit)

    def refused_events(
        self, run_id: str | UUID, *, after: int | None = None, limit: int = 100
    ) -> list[UnreadEvent]:
        """Return the events that a run has read and refused, oldest first; `refusal` says why.

        Their values did not fit what the run waits for, and their senders could not be told. They
        are kept as long as their keys, or until `discard_event`.

        Args:
            run_id: the run's id.
            after: the number of the last event of the page before; None: from the first on.
            limit: how many to return at most.

        Raises:
            UnknownRun: the store has no such run.
            NotSupported: the store keeps no events.
        """
        run = self.get_run(run_id)
        begin = BEFORE_ALL if after is None else after
        return self._inbox().refused(run.id, after=begin, limit=limit)

    def history(
        self, run_id: str | UUID, *, after: HistoryEntry | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """Return what came to a run, who sent it and what became of it, oldest first.

        Of the turns that an engine with a `history` has saved; those before are not known.

        Args:
            run_id: the run's id.
            after: the last entry of the page before; None: from the first on.
            limit: how many to return at most.

        Raises:
            UnknownRun: the store has no such run.
            NotSupported: the store keeps no histories.
        """
        from longterm.store.history import FIRST, History  # for few

        run = self.get_run(run_id)
        if not isinstance(self.store, History):
            raise NotSupported(self.store, "histories of runs")
        return self.store.entries(
            run.id, after=FIRST if after is None else after.place, limit=limit
        )

    def _inbox(self) -> Inbox:
        if not isinstance(self.store, Inbox):
            raise NotSupported(self.store, "an inbox")
        return self.store

    def delete(
        self,
        run_id: str | UUID | None = None,
        *,
        index: Mapping[str, Fact] | None = None,
        blind: Mapping[str, Fact] | None = None,
    ) -> int:
        """Delete a run that has ended or failed, or all runs that have some facts.

        If one of them waits, or is in the middle of a turn, none is deleted: cancel it first.

        Args:
            run_id: the run's id.
            index: instead of an id, facts that the runs' flows have set by `set_index`.
            blind: facts that their flows have set as `blind` made them.

        Returns:
            How many runs were deleted.

        Raises:
            UnknownRun: the store has no such run.
            RunNotEnded: a run waits, or is in the middle of a turn.
            InvalidQuery: neither an id is given nor a fact, or both are.
            NotSupported: the store cannot delete one run, or cannot search.
        """
        from longterm._records.deletion import delete_found, delete_run

        if run_id is None:
            return delete_found(self.store, index or {}, blind or {})
        if index or blind:
            raise InvalidQuery("index", index or blind, "give a run's id or facts, not both")
        delete_run(self.store, id_of_run(run_id))
        return 1

    def seal_runs(self) -> SealReport:
        """Seal all runs with the first key in use, and pass them through the payload codec.

        For after a change of keys, or of the payload codec, in all processes. What waits goes on
        waiting, and may be sent events meanwhile. Without what this does, a run that waits needs
        its old key until its next turn.

        Returns:
            How many runs were written anew, and which still need another key.

        Raises:
            InvalidKey: there is neither a key nor a payload codec.
            NotSupported: the store cannot do it.
        """
        from longterm._records.resealing import seal_runs

        return seal_runs(self.store)

    def prune(self, older_than: timedelta, *, whole_months: bool = False) -> int:
        """Delete the runs that ended longer ago than this; return how many they were.

        The keys of deliveries that are older than 30 days are forgotten, too, and the events that
        runs have refused.

        Args:
            older_than: how long ago.
            whole_months: leave those of the month, in UTC, that is not older as a whole. A store
                that keeps ended runs by month then drops months, and deletes none one by one.

        Raises:
            NotSupported: the store cannot delete.
        """
        from longterm._records import deletion
        from longterm._records.search import moment_before

        saved_before = moment_before(self.clock, older_than)
        if whole_months:
            saved_before = deletion.whole_months(saved_before)
        deleted = deletion.delete_ended(self.store, saved_before)
        deletion.forget_keys(self.store, self.clock.now())
        return deleted

    def prune_history(self, older_than: timedelta) -> int:
        """Forget what histories hold that is older than this; return how many entries that was.

        The runs stay as they are. What is forgotten of one cannot be forked from any more.

        Raises:
            NotSupported: the store keeps no histories.
        """
        from longterm._records.deletion import forget_entries
        from longterm._records.search import moment_before

        return forget_entries(self.store, moment_before(self.clock, older_than))

    async def aget_run(self, run_id: str | UUID) -> Run:
        """Return a run as it is now, from asynchronous code; see `get_run`."""
        return await in_store(self.store, self.get_run, run_id)

    async def aunread_events(
        self, run_id: str | UUID, *, after: int | None = None, limit: int = 100
    ) -> list[UnreadEvent]:
        """Return the events that a run was sent and has not read; see `unread_events`."""
        return await in_store(self.store, self.unread_events, run_id, after=after, limit=limit)

    async def arefused_events(
        self, run_id: str | UUID, *, after: int | None = None, limit: int = 100
    ) -> list[UnreadEvent]:
        """Return the events that a run has read and refused; see `refused_events`."""
        return await in_store(self.store, self.refused_events, run_id, after=after, limit=limit)

    async def ahistory(
        self, run_id: str | UUID, *, after: HistoryEntry | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """Return what came to a run, from asynchronous code; see `history`."""
        return await in_store(self.store, self.history, run_id, after=after, limit=limit)

    async def afind_runs(self, **conditions: Unpack[Conditions]) -> list[Run]:
        """Find runs by what is known of them, from asynchronous code; see `find_runs`."""
        return await in_store(self.store, self.find_runs, **conditions)

    async def astuck_runs(
        self, *, flow: str | None = None, limit: int = 100, after: str | None = None
    ) -> list[tuple[Run, str]]:
        """Find runs that cannot go on in the code of this process; see `stuck_runs`."""
        return await in_thread(self.stuck_runs, flow=flow, limit=limit, after=after)

    async def adelete(
        self,
        run_id: str | UUID | None = None,
        *,
        index: Mapping[str, Fact] | None = None,
        blind: Mapping[str, Fact] | None = None,
    ) -> int:
        """Delete a run, or all that have some facts, from asynchronous code; see `delete`."""
        return await in_store(self.store, self.delete, run_id, index=index, blind=blind)
