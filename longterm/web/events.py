"""The handlers of events, and of the tasks that waits for people are."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from longterm.run import RunState
from longterm.web import asked, shown
from longterm.web.answers import Json
from longterm.web.outcomes import answer, turn_of
from longterm.web.permission import About, Action
from longterm.web.refusals import BadRequest
from longterm.web.runs import next_page
from longterm.web.site import site_of
from longterm.web.streams import said_in_turn


async def send_event(request: Request) -> Response:
    """Bring a run an event; the body is its value.

    With `Idempotency-Key` the same event again changes nothing; with `If-Match` it is for the wait
    of that revision only. `Prefer: respond-async` only stores it, and a worker takes the turn.
    `Accept: text/event-stream` sends what the flow says while it says it.
    """
    site = site_of(request)
    event = request.path_params["event"]
    run = await site.run_for(request, Action.SEND, request.path_params["run"], event)
    value = await asked.json_body(request)
    key, revision = asked.idempotency_key(request), asked.expected_revision(request)
    sent = (run.id, event, value)
    if asked.is_for_later(request):
        receipt = await site.engine.asend(*sent, key=key, revision=revision)
        applied = {"Preference-Applied": "respond-async"}
        return Json(asdict(receipt), 202, headers=applied)
    if asked.wants_stream(request):
        stream = await site.engine.astream_event(*sent, key=key, revision=revision)
        return said_in_turn(site, request, run, stream)
    turn = site.engine.aprocess_event(*sent, key=key, revision=revision)
    return await answer(site, request, await turn_of(site, run, turn))


async def list_tasks(request: Request) -> Response:
    """Return the waits that are for somebody and that the request may answer, a page of them.

    They come in the order of the ids of their runs, the oldest first.
    """
    site = site_of(request)
    await site.require(request, Action.LIST, About())
    limit, query = asked.page_size(request), request.query_params
    if not query.get("to"):
        raise BadRequest("a task is somebody's (say whose: ?to=accounting)")
    page = await site.engine.afind_runs(
        state=RunState.SUSPENDED,
        flow=query.get("flow"),
        to=query["to"],
        index=asked.facts(request),
        limit=limit,
        after=query.get("after"),
    )
    mine = await site.allowed(request, Action.SEND, page)
    return Json({"tasks": [shown.task(run) for run in mine], "next": next_page(page, limit)})
