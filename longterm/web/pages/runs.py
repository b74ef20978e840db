"""The dashboard: runs by what is known of them, and one run with all that is stored of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from longterm._turns.threads import in_thread
from longterm.engine import Engine
from longterm.run import ENDED, Run, RunState
from longterm.web.outcomes import turn_of
from longterm.web.pages.look import (
    PAGE,
    Counts,
    awaited_by_people,
    children_of,
    filters_in,
    insight_of,
    is_overdue,
    runs_asked_for,
    said_by,
)
from longterm.web.pages.rendering import go_to, number_in, page, segment, show, submitted
from longterm.web.permission import About, Action
from longterm.web.refusals import BadRequest
from longterm.web.revisions import forkable
from longterm.web.site import Site, site_of

_COMMON: Final = 1_000
"""Runs of a position are listed if it is that of one run in so many at least: no store has an index
of positions, and for a rare one it would look through all runs."""

_FOR_EVER: Final = (RunState.COMPLETE, RunState.CANCELLED)
_ANEW: Final = "open the run again"


@page
async def list_runs(request: Request) -> Response:
    """List the runs that fit, a page of them, and how many wait where."""
    site, query = site_of(request), request.query_params
    await site.require(request, Action.LIST, About())
    if sought := query.get("run", "").strip():
        return go_to(request, f"/runs/{segment(sought)}")
    found = await site.engine.afind_runs(**runs_asked_for(query))
    now = site.engine.clock.now()
    counts: Counts = request.app.state.counts
    await in_thread(counts.look, site.engine)
    return show(
        request,
        "runs",
        runs=[
            {"run": run, "state": state_of(run, now), "awaits": awaited_by_people(run)}
            for run in await site.allowed(request, Action.SEE, found)
        ],
        asked=filters_in(query),
        flows=sorted(site.flows),
        states=[state.value for state in RunState],
        **await _counts_for(site, request, counts),
        counted_at=counts.counted_at,
        next=found[-1].id if len(found) == PAGE else None,
        after=query.get("after", ""),
    )


async def _counts_for(site: Site, request: Request, counts: Counts) -> dict[str, Any]:
    """Return the counts of the flows whose runs a request may list; None: there are none yet."""
    found, states = counts.found or [], counts.states or []
    flows = sorted({count.flow for count in found} | {count.flow for count in states})
    answers = await site.permission.of(request, Action.LIST, *map(About, flows))
    allowed = {flow for flow, is_allowed in zip(flows, answers, strict=True) if is_allowed}
    most = sum(count.runs for count in found)
    by_position = [
        {"count": count, "is_common": count.runs * _COMMON >= most}
        for count in found
        if count.flow in allowed
    ]
    by_state = Counter(dict.fromkeys(RunState, 0))
    for count in states:
        by_state[count.state] += count.runs * (count.flow in allowed)
    return {
        "counts": None if counts.found is None else by_position,
        "by_state": None if counts.states is None else by_state,
    }


def state_of(run: Run, now: datetime) -> str:
    """Return a run's state in a word or two."""
    if run.state is RunState.SUSPENDED and run.encoded_error is not None:
        return "parked"
    if is_overdue(run, now):
        return "overdue" if run.queue is None else "queued"
    return run.state.value


@page
async def show_run(request: Request) -> Response:
    """Show one run, as much of it as the request may see."""
    site = site_of(request)
    run = await site.run_for(request, Action.SEE, request.path_params["run"])
    may = {action.value: await site.may(request, action, run) for action in Action}
    now = site.engine.clock.now()
    children, more = await in_thread(children_of, site.engine, run)
    return show(
        request,
        "run",
        run=run,
        state=state_of(run, now),
        awaits=awaited_by_people(run),
        ask=(run.wants or {}).get("ask"),
        is_offered=may["list"] and run.flow in site.flows,
        children=children,
        more_children=more,
        insight=await in_thread(insight_of, site.engine, run) if may["inspect"] else None,
        may=may,
        can_fork=may["start"] and run.state not in ENDED,
        can_rewind=may["rewind"] and run.state not in _FOR_EVER,
        has_ended=run.state in ENDED,
        **await in_thread(said_by, run),
    )


def _button(
    action: Action, note: str, do: Callable[[Engine, str], Awaitable[Run]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of a button that gives a run a turn."""

    @page
    async def handle(request: Request) -> Response:
        site = site_of(request)
        run = await site.run_for(request, action, request.path_params["run"])
        await turn_of(site, run, do(site.engine, run.id))
        return _back_to(request, run, note)

    return handle


cancel_run = _button(Action.CANCEL, "cancelled", lambda engine, run_id: engine.acancel(run_id))
retry_run = _button(Action.RETRY, "retried", lambda engine, run_id: engine.aretry(run_id))


@page
async def fork_run(request: Request) -> Response:
    """Make a run that goes on from what another is, or was: that is to start one."""
    site = site_of(request)
    run = await forkable(site, request)
    at = number_in(await submitted(request), "at", _ANEW)
    fork = await site.engine.afork(run.id, at=at)
    return _back_to(request, fork, "forked")


@page
async def discard_event(request: Request) -> Response:
    """Take an event out of a run's inbox."""
    site = site_of(request)
    run = await site.run_for(request, Action.DISCARD, request.path_params["run"])
    await site.engine.adiscard_event(run.id, await _number_of_button(request, "number"))
    return _back_to(request, run, "discarded")


@page
async def rewind_run(request: Request) -> Response:
    """Put a run back to what it was."""
    site = site_of(request)
    run = await site.run_for(request, Action.REWIND, request.path_params["run"])
    to = await _number_of_button(request, "to")
    await turn_of(site, run, site.engine.arewind(run.id, to=to))
    return _back_to(request, run, "rewound")


async def _number_of_button(request: Request, name: str) -> int:
    number = number_in(await submitted(request), name, _ANEW)
    if number is None:
        raise BadRequest(f"the form lacks {name} ({_ANEW})")
    return number


def _back_to(request: Request, run: Run, note: str) -> Response:
    return go_to(request, f"/runs/{segment(run.id)}", note=note)
