"""How runs are looked for: what the caller knows of them in, checked, and the runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, TypedDict

from longterm._flows.registry import flow_of
from longterm._names import check_fact, id_of_run, is_text
from longterm._records.blind import blinded
from longterm.clock import Clock
from longterm.errors import InvalidQuery, NotSupported, UnknownRun
from longterm.run import Fact, Run, RunState
from longterm.store.base import Query, RunStore, Search
from longterm.store.positions import Positions


class Conditions(TypedDict, total=False):
    """What `Engine.find_runs` takes, for the functions that hand it on (PEP 692)."""

    state: RunState | str | None
    flow: str | Callable[..., Any] | None
    waiting_for: str | None
    to: str | None
    position: str | None
    index: Mapping[str, Fact] | None
    blind: Mapping[str, Fact] | None
    older_than: timedelta | None
    limit: int
    after: str | None
    newest_first: bool


def query_of(
    *,
    state: RunState | str | None = None,
    flow: str | Callable[..., Any] | None = None,
    waiting_for: str | None = None,
    to: str | None = None,
    position: str | None = None,
    index: Mapping[str, Fact] | None = None,
    saved_before: datetime | None = None,
    limit: int = 100,
    after: str | None = None,
    newest_first: bool = False,
) -> Query:
    """Return what a store is asked.

    Raises:
        InvalidQuery, InvalidFact, InvalidRunId: an argument is what no run can have.
    """
    named = flow if flow is None or isinstance(flow, str) else flow_of(flow).name
    return Query(
        state=None if state is None else _state(state),
        flow=_text("flow", named),
        waiting_for=_text("waiting_for", waiting_for),
        index=_facts(index or {}),
        to=_text("to", to),
        position=_text("position", position),
        saved_before=saved_before,
        limit=_limit(limit),
        after=None if after is None else _run_before(after),
        newest_first=newest_first,
    )


def find(store: RunStore, query: Query, blind: Mapping[str, Fact]) -> list[Run]:
    """Find the runs that fit a query, and have these blind facts.

    Raises:
        NotSupported: the store cannot search, or not so: it does not know where or for whom runs
            wait, or finds the oldest first.
        InvalidKey: blind facts are to be found, and there is no key.
    """
    if not isinstance(store, Search):
        raise NotSupported(store, "finding runs")
    if query.position is not None and not isinstance(store, Positions):
        raise NotSupported(store, "finding runs by their positions")
    # Each key hides a fact in its own way, and a run was saved with one of them.
    found = [
        run
        for hidden in blinded(blind)
        for run in _asked(store, replace(query, index={**query.index, **hidden}))
    ]
    if query.to is not None and any(query.to not in run.audience for run in found):
        raise NotSupported(store, "finding runs by whom their waits are for")
    found.sort(key=attrgetter("id"), reverse=query.newest_first)
    return found[: query.limit]


def _asked(store: Search, query: Query) -> list[Run]:
    """Return what a store finds, in the order that was asked for.

    Raises:
        NotSupported: the store knows one order only.
    """
    found = store.find(query)
    if query.newest_first:
        ids = [run.id for run in found]
        is_page = query.after is None or all(each < query.after for each in ids)
        if not is_page or ids != sorted(ids, reverse=True):
            raise NotSupported(store, "finding the newest runs first")
    return found


def moment_before(clock: Clock, duration: timedelta) -> datetime:
    """Return the moment that is so long ago.

    Raises:
        InvalidQuery: that would be before the year 1.
    """
    try:
        return clock.now() - duration
    except OverflowError:
        raise InvalidQuery("older_than", duration, "give a shorter time") from None


def _state(state: str) -> RunState:
    try:
        return RunState(state)
    except ValueError:
        raise InvalidQuery("state", state, f"choose from {', '.join(RunState)}") from None


def _run_before(run_id: object) -> str:
    try:
        return id_of_run(run_id)
    except UnknownRun:
        raise InvalidQuery("after", run_id, "give the id of a run") from None


def _text(name: str, value: str | None) -> str | None:
    if value is not None and not is_text(value):
        raise InvalidQuery(name, value, "give a string without NUL")
    return value


def _facts(index: Mapping[str, Fact]) -> Mapping[str, Fact]:
    for name, value in index.items():
        check_fact(name, value)
    return index


def _limit(limit: int) -> int:
    if type(limit) is not int or not 0 <= limit < 1 << 31:
        raise InvalidQuery("limit", limit, "give a number of runs, such as 100")
    return limit
