"""The turns of schedules: a schedule is a run that sleeps from one of its times to the next.

Its stack is the call that it begins at each of them, and what it was declared with is its facts, so
that it is found and shown without any code. It runs no code of a flow: each turn sends what begins
the runs, with ids that say their time, so that each is begun once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from longterm._cron import Cron
from longterm._event_names import SCHEDULE
from longterm._flows.run_turn import Suspended
from longterm._turns.outgoing import Outgoing
from longterm._turns.waits import deadline_of
from longterm.errors import UnknownRun
from longterm.frame import Frame
from longterm.run import Fact, Run, RunState
from longterm.store.base import RunStore
from longterm.wait import Wait

_log = logging.getLogger("longterm")

MOST_AT_ONCE: Final = 1000
"""How many missed times are made good, at most: the newest."""
_ON_TIME: Final = timedelta(minutes=1)
"""A run that begins so late is not called missed: no worker looks at the very second."""


class Turn(Protocol):
    """What is needed of the turn of a schedule."""

    run: Run
    index: dict[str, Fact]
    frames: list[Frame]

    @property
    def outbox(self) -> Outgoing: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a schedule was declared with, as its run has it in its facts."""

    name: str
    cron: Cron
    catch_up: str
    overlap: str
    call: str
    """What tells the call from others; empty if that cannot be told."""

    def facts(self, last: Fact) -> dict[str, Fact]:
        """Return the facts of the run; `last` is the id of the run that it began last."""
        return {
            "schedule": self.name,
            "cron": self.cron.expression,
            "tz": self.cron.tz,
            "catch_up": self.catch_up,
            "overlap": self.overlap,
            "call": self.call,
            "last": last,
        }

    def is_of(self, facts: Mapping[str, Fact]) -> bool:
        """Tell whether a run has this very plan; of what cannot be told it has not."""
        return bool(self.call) and self.facts(facts.get("last")) == facts


def begin_due(turn: Turn, call: partial[Any], store: RunStore) -> Suspended:
    """Begin the runs of a schedule whose times have come; return how it waits for the next one.

    One that is taken on before its time begins the run of that time now.
    """
    facts, now = turn.run.index, turn.now()
    cron, name = Cron(facts.get("cron"), facts.get("tz")), facts.get("schedule")
    first = deadline_of(turn.frames) or now
    times = cron.newest(first, now, MOST_AT_ONCE) or [first]
    last = facts.get("last")
    for moment in _wanted(times, facts.get("catch_up"), now):
        if facts.get("overlap") == "skip" and is_open(last, store):
            _log.info("schedule %r: run %s is open still, so none is begun", name, last)
            continue
        last = f"{name}@{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        turn.outbox.start_once(last, call.func, call.args, call.keywords)
    turn.index["last"] = last
    return Suspended(Wait(SCHEDULE, expires=cron.next(max(now, times[-1]))), turn.frames)


def _wanted(times: list[datetime], catch_up: Fact, now: datetime) -> list[datetime]:
    if catch_up == "all":
        return times
    newest = times[-1]
    return [] if catch_up == "none" and now - newest > _ON_TIME else [newest]


def is_open(run_id: Fact, store: RunStore) -> bool:
    """Tell whether there is a run that has not ended."""
    if not isinstance(run_id, str):
        return False
    try:
        return store.get(run_id).state in (RunState.SUSPENDED, RunState.RUNNING)
    except UnknownRun:  # it was deleted
        return False
