"""The flows that can be started, each with a form for its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from longterm._turns.starts import new_id
from longterm._turns.threads import in_thread
from longterm.errors import LongtermError, NoSource
from longterm.pictures import Picture, counts_of, picture_of, to_svg
from longterm.store.positions import PositionCount
from longterm.web.arguments import Offered
from longterm.web.pages.answer import BadForm, read
from longterm.web.pages.drawing import draw
from longterm.web.pages.form import Field, blame
from longterm.web.pages.look import Counts
from longterm.web.pages.rendering import go_to, page, segment, show, submitted
from longterm.web.permission import About, Action
from longterm.web.refusals import InvalidArguments, UnlistedFlow
from longterm.web.site import site_of

_PLAIN: Final = (str, int, float, bool)
"""Types of defaults that a form can hold as they are."""


@page
async def list_flows(request: Request) -> Response:
    """List the flows that a request may start."""
    site = site_of(request)
    answers = await site.permission.of(request, Action.START, *map(About, site.flows))
    pairs = zip(site.flows.values(), answers, strict=True)
    return show(request, "flows", flows=[flow for flow, is_allowed in pairs if is_allowed])


@page
async def show_flow(request: Request) -> Response:
    """Show the form in which a flow is started."""
    site = site_of(request)
    flow = await site.flow_for(request, request.path_params["flow"])
    return _flow_page(request, flow, form_of(flow), new_id(site.engine.clock.now()))


def form_of(flow: Offered, written: Mapping[str, str] | None = None) -> Field:
    """Return the form for the arguments of a flow, with the defaults that a form can hold."""
    properties = dict(flow.schema["properties"])
    for name, parameter in flow.signature.parameters.items():
        if name in properties and type(parameter.default) in _PLAIN:
            properties[name] = {"default": parameter.default, **properties[name]}
    return draw({**flow.schema, "properties": properties}, written, label="Arguments")


def _flow_page(
    request: Request, flow: Offered, form: Field, run_id: str, status: int = 200
) -> Response:
    return show(request, "flow", status, flow=flow, form=form, run_id=run_id, wrong=status == 422)


@page
async def show_picture(request: Request) -> Response:
    """Show the ways that a flow can take, and how many runs wait where."""
    site, name = site_of(request), request.path_params["flow"]
    await site.require(request, Action.LIST, About(name))
    if name not in site.flows:
        raise UnlistedFlow(name)
    counts: Counts = request.app.state.counts
    await in_thread(counts.look, site.engine)
    drawn = await in_thread(_drawn, site.flows[name].function, counts.found)
    (can_start,) = await site.permission.of(request, Action.START, About(name))
    return show(
        request,
        "picture",
        flow=site.flows[name],
        drawn=drawn,
        counted_at=counts.counted_at,
        can_start=can_start,
    )


def _drawn(function: Callable[..., Any], found: list[PositionCount] | None) -> Markup | None:
    """Return a flow's picture, in which all text is escaped; None if its source is not here."""
    try:
        picture = _picture_of(function)
    except NoSource:
        return None
    return Markup(to_svg(picture, counts_of(picture, found or []), style=False))


@lru_cache(100)
def _picture_of(function: Callable[..., Any]) -> Picture:
    return picture_of(function)


@page
async def start_run(request: Request) -> Response:
    """Start a run with what was written into the form; the form's own id starts it once."""
    site = site_of(request)
    flow = await site.flow_for(request, request.path_params["flow"])
    written = await submitted(request)
    form = form_of(flow, written)
    run_id = written.get("#run") or new_id(site.engine.clock.now())
    if "#add" in written or "#remove" in written:
        return _flow_page(request, flow, form, run_id)
    try:
        args, kwargs = await in_thread(flow.read, read(form))
    except BadForm:
        return _flow_page(request, flow, form, run_id, 422)
    except InvalidArguments as error:
        blame(form, error.errors)
        return _flow_page(request, flow, form, run_id, 422)
    try:
        run = await site.engine.astart(flow.function, args, kwargs, id=run_id)
    except LongtermError:
        raise
    except Exception:  # of the flow's own: the run has failed, and its page says how
        run = await site.engine.aget_run(run_id)
    return go_to(request, f"/runs/{segment(run.id)}", note="started")
