"""A run after something was done with it: as much of it as the request may see."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from starlette.requests import Request

from longterm.errors import CannotRestart, TooManyAttempts
from longterm.run import Run, RunState
from longterm.web import shown
from longterm.web.answers import Json
from longterm.web.permission import Action
from longterm.web.site import Site


async def turn_of(site: Site, before: Run, turn: Awaitable[Run]) -> Run:
    """Return a run after a turn, also if its flow has raised an exception: it has failed then.

    What the engine refuses is raised.
    """
    try:
        return await turn
    except (CannotRestart, TooManyAttempts):  # the run is failed then, and no code of it was run
        raise
    except Exception as error:
        run = await site.engine.aget_run(before.id)
        if run.state is not RunState.FAILED or run.turn == before.turn:
            raise error
        return run


async def shown_to(site: Site, request: Request, run: Run) -> dict[str, Any]:
    """Return as much of a run as a request may see; of any that it has acted on, the state."""
    if not await site.may(request, Action.SEE, run):
        return shown.bare(run)
    with_error = run.encoded_error is None or await site.may(request, Action.INSPECT, run)
    return await shown.whole(run, with_error=with_error)


async def answer(
    site: Site,
    request: Request,
    run: Run,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Json:
    """Return the answer that shows a run, with its revision as its `ETag`."""
    content = await shown_to(site, request, run)
    return Json(content, status, headers={**shown.headers_of(run), **(headers or {})})
