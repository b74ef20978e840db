"""News for a page that is open: that it would look otherwise now. The page then loads itself anew.

What a page shows is made in one place only. So no values are sent here: a page that may show
something asks for itself, and is asked who it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from longterm.errors import LongtermError
from longterm.run import Run, RunState
from longterm.web.pages.look import runs_asked_for
from longterm.web.pages.rendering import page
from longterm.web.permission import About, Action
from longterm.web.site import Site, site_of
from longterm.web.streams import Following

_LOOK: Final = 1.0
"""Seconds between two looks."""
_ALIVE: Final = 15
"""After so many looks without news a comment tells proxies that the connection is in use."""
_LONGEST: Final = 600.0
"""Seconds after which a page is let go of; browsers come back by themselves."""


@page
async def changes(request: Request) -> Response:
    """Send an event `changed` whenever what `?run=`, `?to=` or a list shows has changed."""
    site = site_of(request)
    await _look(site, request)  # refuses what the request may not see, before the stream begins
    return Following(_news(site, request), site.followers)


async def _news(site: Site, request: Request) -> AsyncIterator[str]:
    try:
        end, looks = time.monotonic() + _LONGEST, 0
        seen = await _look(site, request)
        yield f"event: seen\ndata: {seen}\n\n"
        while time.monotonic() < end:
            await asyncio.sleep(_LOOK)
            now, looks = await _look(site, request), looks + 1
            if now != seen:
                seen, looks = now, 0
                yield f"event: changed\ndata: {seen}\n\n"
            elif looks % _ALIVE == 0:
                yield ": nothing new\n\n"
    except LongtermError:  # such as that the run was deleted: the page asks itself what to say
        yield "event: changed\ndata: gone\n\n"


async def _look(site: Site, request: Request) -> str:
    """Return what tells what a page would show from what it has shown."""
    query = request.query_params
    if run_id := query.get("run"):
        runs = [await site.run_for(request, Action.SEE, run_id)]
    else:
        await site.require(request, Action.LIST, About())
        asked = runs_asked_for(query)
        if "state" not in query:  # it is the page of tasks
            asked |= {"state": RunState.SUSPENDED, "newest_first": False}
        runs = await site.engine.afind_runs(**asked)
    return hashlib.sha256(repr([_mark(run) for run in runs]).encode()).hexdigest()[:16]


def _mark(run: Run) -> tuple[str, int, str, int]:
    return run.id, run.revision, run.state.value, len(run.unread)
