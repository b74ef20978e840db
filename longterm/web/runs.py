"""The handlers of runs: start, list, see, cancel, retry, delete."""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from longterm._event_names import START
from longterm._turns.starts import new_id
from longterm._turns.threads import in_thread
from longterm._unread_json import unread_as_json
from longterm.errors import KeyReused, LongtermError
from longterm.run import Run, RunState
from longterm.web import asked, shown
from longterm.web.answers import Json
from longterm.web.outcomes import answer, turn_of
from longterm.web.permission import About, Action
from longterm.web.site import Site, site_of


async def list_flows(request: Request) -> Response:
    """Return the flows that the request may start, and what each takes."""
    site = site_of(request)
    answers = await site.permission.of(request, Action.START, *map(About, site.flows))
    return Json(
        {
            "flows": [
                {"flow": flow.name, "summary": flow.summary, "arguments": flow.schema}
                for flow, is_allowed in zip(site.flows.values(), answers, strict=True)
                if is_allowed
            ]
        }
    )


async def start_run(request: Request) -> Response:
    """Start a run of a flow; the body holds the arguments by their names.

    With `Idempotency-Key`, which becomes the id of the run, the same request again starts nothing.
    With `Prefer: respond-async` a worker begins it.
    """
    site = site_of(request)
    flow = await site.flow_for(request, request.path_params["flow"])
    given = asked.object_in(await asked.json_body(request, {}))
    args, kwargs = await in_thread(flow.read, given)
    begun = site.engine.clock.now()
    key = asked.idempotency_key(request)
    run_id = new_id(begun) if key is None else key
    is_later = asked.is_for_later(request)
    call = site.engine.astart(
        *(flow.function, args, kwargs), id=run_id, at=timedelta(0) if is_later else None
    )
    try:
        run = await call
    except Exception as error:
        run = await _begun_since(begun, site, run_id, error)
    if run.is_duplicate and not await site.may(request, Action.SEE, run):
        raise KeyReused(run.id, START)  # somebody else's, who had the same idea of an id
    status = 200 if run.is_duplicate else 202 if is_later else 201
    headers = {"Location": shown.path_of(request, run)}
    return await answer(site, request, run, status, headers)


async def _begun_since(begun: datetime, site: Site, run_id: str, error: Exception) -> Run:
    """Return the run that was begun since a moment and that failed; else raise the error."""
    try:
        run = await site.engine.aget_run(run_id)
    except LongtermError:
        raise error from None
    if run.state is not RunState.FAILED or run.created_at is None or run.created_at < begun:
        raise error
    return run


async def list_runs(request: Request) -> Response:
    """Return the runs that fit and that the request may see, a page of them, the newest first.

    That is the falling order of their ids, which begin with the time unless they were given; with
    `?order=oldest` it is the rising one. `next` is the `after` of the next page in the same order.
    """
    site = site_of(request)
    await site.require(request, Action.LIST, About())
    limit, query = asked.page_size(request), request.query_params
    page = await site.engine.afind_runs(
        state=query.get("state"),
        flow=query.get("flow"),
        waiting_for=query.get("waiting_for"),
        to=query.get("to"),
        index=asked.facts(request),
        limit=limit,
        after=query.get("after"),
        newest_first=asked.is_newest_first(request),
    )
    seen = await site.allowed(request, Action.SEE, page)
    return Json({"runs": [shown.summary(run) for run in seen], "next": next_page(page, limit)})


def next_page(page: list[Run], limit: int) -> str | None:
    """Return what to give as `after` for the page after this one; None: this is the last."""
    return page[-1].id if len(page) == limit else None


async def get_run(request: Request) -> Response:
    """Return a run as it is now."""
    site = site_of(request)
    run = await site.run_for(request, Action.SEE, request.path_params["run"])
    return await answer(site, request, run)


async def get_stack(request: Request) -> Response:
    """Return where a run waits, with its locals, as text; and its error."""
    site = site_of(request)
    run = await site.run_for(request, Action.INSPECT, request.path_params["run"])
    stack = await in_thread(shown.stack_text, run, site.engine.store)
    return Json({"stack": stack, "error": run.error}, headers=shown.headers_of(run))


async def get_inbox(request: Request) -> Response:
    """Return the events that a run was sent and has not read, or those that it has refused."""
    site = site_of(request)
    run = await site.run_for(request, Action.INSPECT, request.path_params["run"])
    limit, after = asked.page_size(request), asked.number(request, "after")
    look = (
        site.engine.arefused_events
        if asked.flag(request, "refused")
        else site.engine.aunread_events
    )
    page = await look(run.id, after=after, limit=limit)
    events = [await in_thread(unread_as_json, event) for event in page]
    return Json({"events": events, "next": page[-1].number if len(page) == limit else None})


async def discard_event(request: Request) -> Response:
    """Take an event that a run has not read, or has refused, out of its inbox."""
    site = site_of(request)
    run = await site.run_for(request, Action.DISCARD, request.path_params["run"])
    number = asked.whole("number", request.path_params["number"])
    await site.engine.adiscard_event(run.id, number)
    return Response(status_code=204)


async def cancel_run(request: Request) -> Response:
    """Cancel a run; with `?force=true` without its code."""
    site = site_of(request)
    run = await site.run_for(request, Action.CANCEL, request.path_params["run"])
    force = asked.flag(request, "force")
    run = await turn_of(site, run, site.engine.acancel(run.id, force=force))
    return await answer(site, request, run, 202 if run.state is RunState.RUNNING else 200)


async def retry_run(request: Request) -> Response:
    """Give a failed run another try."""
    site = site_of(request)
    run = await site.run_for(request, Action.RETRY, request.path_params["run"])
    return await answer(site, request, await turn_of(site, run, site.engine.aretry(run.id)))


async def delete_run(request: Request) -> Response:
    """Delete a run that has ended."""
    site = site_of(request)
    run = await site.run_for(request, Action.DELETE, request.path_params["run"])
    await site.engine.adelete(run.id)
    return Response(status_code=204)
