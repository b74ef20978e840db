"""The page that a link opens, and what its button sends.

Opening a link changes nothing, since programs open links in e-mails too. The link is all that one
needs: `authorize` is not asked.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from longterm._actor import acting_as
from longterm.errors import KeyReused, LongtermError
from longterm.links import InvalidLink, Link, LinkUsed
from longterm.run import Run, RunState
from longterm.web import asked
from longterm.web.outcomes import turn_of
from longterm.web.problems import problem_of
from longterm.web.refusals import BadRequest
from longterm.web.site import Site, site_of

_FORM = "application/x-www-form-urlencoded"


async def show_link(request: Request) -> Response:
    """Show what is asked, and a button that answers."""
    site = site_of(request)
    try:
        link = _link(site, request)
        run = await site.engine.aget_run(link.run_id)
        if link.event_id not in run.awaits or link.revision not in (None, run.revision):
            raise LinkUsed
    except LongtermError as error:
        return _refusal(error)
    return _page("Your answer", _form(link, run))


async def answer_link(request: Request) -> Response:
    """Bring the run the event of a link, once."""
    site = site_of(request)
    try:
        link = _link(site, request)
        value = link.value if link.has_value else await _value(request)
        run = await _brought(site, link, value)
    except LongtermError as error:
        return _refusal(error)
    if run.state is RunState.FAILED:
        return _page("Thank you", "<p>Your answer has come, and could not be worked on yet.</p>")
    return _page("Thank you", "<p>Your answer has come.</p>")


def _link(site: Site, request: Request) -> Link:
    if site.engine.links is None:
        raise InvalidLink
    return site.engine.links.read(request.path_params["token"], site.engine.clock.now())


async def _brought(site: Site, link: Link, value: Any) -> Run:
    before = await site.engine.aget_run(link.run_id)
    with acting_as(link.key):
        turn = site.engine.aprocess_event(
            *(link.run_id, link.event_id, value), key=link.key, revision=link.revision
        )
        try:
            run = await turn_of(site, before, turn)
        except KeyReused:  # the link was used for another answer
            raise LinkUsed from None
    if run.is_duplicate:
        raise LinkUsed
    return run


async def _value(request: Request) -> Any:
    """Return the answer that a form holds, in its field `value`, as JSON; nothing is null.

    Raises:
        BadRequest: it is no JSON.
    """
    if not request.headers.get("content-type", "").startswith(_FORM):
        return await asked.json_body(request)
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    text = fields.get("value", [""])[-1]
    try:
        return asked.value_in(text) if text.strip() else None
    except ValueError as error:
        raise BadRequest(f"the answer is no JSON: {error} (write a text in quotes)") from None


def _form(link: Link, run: Run) -> str:
    wants = run.wants or {}
    question = wants.get("ask")
    if question is not None and not isinstance(question, str):
        question = json.dumps(question, indent=1, ensure_ascii=False)
    field = "" if link.has_value else _field(wants.get("events", {}).get(link.event_id))
    answer = f": {json.dumps(link.value, ensure_ascii=False)}" if link.has_value else ""
    return (
        f"<p>{escape(question or '')}</p><form method='post'>{field}"
        f"<button>{escape(link.event_id + answer)}</button></form>"
    )


def _field(wanted: dict[str, Any] | None) -> str:
    hint = "" if wanted is None else f" ({escape(str(wanted['title']))})"
    return f"<p><label>Your answer, as JSON{hint}<br><textarea name='value'></textarea></label></p>"


def _refusal(error: LongtermError) -> Response:
    problem = problem_of(error)
    headers = dict(problem.headers)
    return _page("No answer", f"<p>{escape(problem.detail)}</p>", problem.status, headers)


def _page(
    title: str, body: str, status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    return HTMLResponse(
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{title}</title><main><h1>{title}</h1>{body}</main></html>",
        status,
        headers,
    )
