"""The handlers of what goes on from another revision: forks, and runs that are put back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from longterm.run import Run
from longterm.web import asked, shown
from longterm.web.outcomes import answer, turn_of
from longterm.web.permission import About, Action
from longterm.web.refusals import BadRequest
from longterm.web.site import Site, site_of


async def fork_run(request: Request) -> Response:
    """Create a run that goes on from what this one is; with `?at=2` from what it was then.

    That takes the permission to see the run, and to start one of its flow.
    """
    site = site_of(request)
    run = await forkable(site, request)
    fork = await site.engine.afork(run.id, at=asked.revision(request, "at"))
    return await answer(site, request, fork, 201, {"Location": shown.path_of(request, fork)})


async def forkable(site: Site, request: Request) -> Run:
    """Return the run of a request, which may see it and start another of its flow.

    Raises:
        UnknownRun, Forbidden: it may not.
    """
    run = await site.run_for(request, Action.SEE, request.path_params["run"])
    await site.require(request, Action.START, About(run.flow, run))
    return run


async def rewind_run(request: Request) -> Response:
    """Put a run back to what it was at a revision, and let it go on from there.

    What it has done since stays done.
    """
    site = site_of(request)
    run = await site.run_for(request, Action.REWIND, request.path_params["run"])
    to = asked.revision(request, "to")
    if to is None:
        raise BadRequest("it is not said to which revision (add ?to=2)")
    return await answer(site, request, await turn_of(site, run, site.engine.arewind(run.id, to=to)))
