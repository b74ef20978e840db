"""How an engine declares schedules, and lists them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from longterm._engine.starting import Starting
from longterm._event_names import SCHEDULE, START
from longterm._flows.flow import Flow
from longterm._flows.registry import other_names_of
from longterm._later import later
from longterm._turns.claim import Claim
from longterm._turns.rest import Looks
from longterm._turns.starts import Start, scheduled_run
from longterm._turns.transitions import ended_run
from longterm.errors import InvalidSchedule, NotSupported, RunExists, UnknownRun
from longterm.run import ENDED, Fact, Run, RunState
from longterm.store.base import Deadlines, Erasure, Query, Search
from longterm.store.outbox import Outbox

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from longterm._turns.scheduled import Plan
    from longterm.schedules import Schedule
else:
    ZoneInfo = later("zoneinfo", "ZoneInfo")
    Schedule = later("longterm.schedules", "Schedule")

_log = logging.getLogger("longterm")

_PREFIX: Final = "schedule:"
"""How the id of a schedule begins; then comes its name."""
_LONGEST_NAME: Final = 450
"""Characters: the ids of the runs that it begins have some more."""
_TURN_SECONDS: Final = 60.0
"""How long to wait for the end of a schedule's turn, which takes milliseconds."""
_CATCH_UP: Final = ("latest", "none", "all")
_OVERLAP: Final = ("skip", "allow")
_PAGE: Final = 100
_ENDED: Final = (
    "schedule %r is %s, and stays so (delete its run first, if it is to be declared anew)"
)


class Scheduling(Starting):
    """The part of an engine that knows schedules."""

    def schedule(
        self,
        flow: Callable[..., Any],
        cron: str,
        *,
        tz: str | ZoneInfo | None = None,
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        catch_up: str = "latest",
        overlap: str = "skip",
    ) -> Run:
        """Declare that runs of a flow begin at the times of a cron expression.

        A worker begins them. The schedule is a run itself, which waits for its next time: whoever
        cancels it ends the schedule. Declared again under its name it is replaced if anything has
        changed, and else goes on as it is; one that was cancelled stays so, until its run is
        deleted. More about it: docs/schedules.md.

        Args:
            flow: the flow.
            cron: minute, hour, day of month, month and day of week, as in crontab(5).
            tz: the time zone of these; UTC unless told otherwise.
            args, kwargs: what the flow is called with. They must be storable.
            name: the schedule's name; the flow's unless told otherwise.
            catch_up: which of the times that no worker was there for are made good: the `latest`,
                `none`, or `all` (the newest 1,000).
            overlap: `skip`: none is begun while the one before is open; `allow`: it is.

        Returns:
            The schedule's run, whose `deadline` is its next time.

        Raises:
            InvalidSchedule: an argument is not what it should be.
            NotAFlow, NotImportable: as by `start_flow`.
            CannotStore: what is called cannot be stored.
            NotSupported: the store has no deadlines or no outbox, or cannot delete a run.
        """
        store = self.store
        if not (isinstance(store, Deadlines) and isinstance(store, Outbox)):
            raise NotSupported(store, "schedules (deadlines and an outbox)")
        if not isinstance(store, Erasure):
            raise NotSupported(store, "schedules (to delete one that is replaced)")
        start = self._start_of(flow, args, kwargs, None, None, None, None)
        name = self._name_before(start.flow) if name is None else name
        plan = plan_of(start, cron, tz, name, catch_up, overlap)
        start.run_id, last, due = _PREFIX + plan.name, None, None
        looks = Looks(start.run_id, _TURN_SECONDS)
        while True:  # until no other process comes in between
            try:
                found = store.get(start.run_id)
                if found.state in (RunState.FAILED, RunState.CANCELLED):
                    _log.warning(_ENDED, plan.name, found.state)
                    return found
                if found.state is RunState.COMPLETE:  # it was replaced
                    last, due = found.index.get("last"), _same_due(found, plan)
                    store.delete(found.id)
                elif plan.is_of(found.index) and found.flow == start.flow.name:
                    return found
                elif not self._end_replaced(found):
                    time.sleep(looks.next(found))
            except UnknownRun:
                with suppress(RunExists):
                    return self._create_scheduled(start, plan, last, due)

    def _name_before(self, flow: Flow) -> str | None:
        """Return the name of the schedule that a flow has, if it is one that the flow had before.

        Another one beside it would begin each run twice.
        """
        for name in other_names_of(flow):
            with suppress(UnknownRun):
                if self.store.get(_PREFIX + name).state is not RunState.COMPLETE:
                    return name
        return None

    def schedules(self) -> list[Schedule]:
        """Return the schedules that are not over, in the order of their names.

        Raises:
            NotSupported: the store cannot search.
        """
        from longterm.schedules import Schedule

        return [
            Schedule(
                name=str(run.index.get("schedule")),
                run_id=run.id,
                flow=run.flow,
                next=run.deadline,
                last=last if isinstance(last := run.index.get("last"), str) else None,
                **{
                    what: str(run.index.get(what)) for what in ("cron", "tz", "catch_up", "overlap")
                },
            )
            for run in self._schedule_runs()
        ]

    def _schedule_runs(self) -> Iterator[Run]:
        store, last = self.store, None
        if not isinstance(store, Search):
            raise NotSupported(store, "finding runs")
        while True:
            page = store.find(Query(waiting_for=SCHEDULE, limit=_PAGE, after=last))
            yield from (run for run in page if run.state not in ENDED)
            if len(page) < _PAGE:
                return
            last = page[-1].id

    def _create_scheduled(self, start: Start, plan: Plan, last: Fact, due: datetime | None) -> Run:
        now = self.clock.now()
        start.index = plan.facts(last)
        due = due or plan.cron.next(now)
        run = scheduled_run(start, now=now, due=due, max_bytes=self._max_bytes)
        if self._claims.recording is not None:
            run = self._claims.recording.noted(run, START)
        return self.store.create(run)

    def _end_replaced(self, found: Run) -> bool:
        """End a schedule that another is to replace; False if it is in the middle of a turn.

        It keeps when it is due, for what replaces it.
        """
        with Claim(self._claims) as claim, claim:
            run = claim.take(found.id, SCHEDULE)
            if run is None:
                return False
            due = run.deadline if run.encoded_error is None else None
            ended = ended_run(run, RunState.COMPLETE, self.clock.now())
            claim.save(ended.changed(deadline=due))
        return True


def plan_of(
    start: Start, cron: object, tz: object, name: object, catch_up: object, overlap: object
) -> Plan:
    """Return what a schedule is declared with.

    Raises:
        InvalidSchedule: an argument is not what it should be.
    """
    from longterm._cron import Cron
    from longterm._turns.scheduled import Plan

    name = start.flow.name if name is None else name
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        hint = f"give it a printable name of 1 to {_LONGEST_NAME} characters"
        raise InvalidSchedule("name", name, hint)
    if catch_up not in _CATCH_UP:
        raise InvalidSchedule("catch_up", catch_up, f"choose from {', '.join(_CATCH_UP)}")
    if overlap not in _OVERLAP:
        raise InvalidSchedule("overlap", overlap, f"choose from {', '.join(_OVERLAP)}")
    if catch_up == "all" and overlap == "skip":
        hint = "give overlap='allow' too, since several begin at once"
        raise InvalidSchedule("catch_up", catch_up, hint)
    call = next(iter(start.digests()), "")
    return Plan(name, Cron(cron, tz), str(catch_up), str(overlap), call)


def _same_due(found: Run, plan: Plan) -> datetime | None:
    """Return when a schedule is due that is replaced by one of the same times."""
    is_same = (found.index.get("cron"), found.index.get("tz")) == (
        plan.cron.expression,
        plan.cron.tz,
    )
    return found.deadline if is_same else None
