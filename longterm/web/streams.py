"""Server-sent events: what a turn says while it says it, and each save of a run.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from longterm._run_json import plain
from longterm._turns.threads import in_thread
from longterm.errors import LongtermError
from longterm.run import ENDED, Run, RunState
from longterm.streams import AsyncResponseStream
from longterm.web.outcomes import shown_to, turn_of
from longterm.web.permission import Action
from longterm.web.problems import problem_of
from longterm.web.site import Followers, Site, site_of

_FIRST_LOOK: Final = 0.2
_LONGEST_LOOK: Final = 2.0
"""Seconds between two looks at a run that is followed; each look without news doubles them."""
_ALIVE: Final = 15.0
"""After so many seconds without news a comment tells proxies that the connection is in use."""
_LONGEST: Final = 600.0
"""Seconds after which a follower is let go of; browsers come back by themselves."""


class EventStream(StreamingResponse):
    """An answer that is a stream of events."""

    media_type = "text/event-stream"


class Following(EventStream):
    """A stream that has a place among the followers until it ends, even before its first event."""

    def __init__(self, content: AsyncIterator[str], followers: Followers) -> None:
        """Take the events, and a place.

        Raises:
            TooManyFollowers: there is none.
        """
        followers.take_place()
        super().__init__(content)
        self._followers = followers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._followers.count -= 1


def _event(name: str, value: Any, event_id: str = "") -> str:
    """Return an event as it is sent; JSON has no line breaks."""
    identity = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{identity}data: {json.dumps(value)}\n\n"


def said_in_turn(
    site: Site, request: Request, before: Run, stream: AsyncResponseStream
) -> EventStream:
    """Return what a turn says: events `response`, then one `run`, or one `problem`.

    Nobody need read to the end: the turn goes on, and is saved.
    """
    return EventStream(_said(site, request, before, stream))


async def _said(
    site: Site, request: Request, before: Run, stream: AsyncResponseStream
) -> AsyncIterator[str]:
    can_see = await site.may(request, Action.SEE, before)
    with suppress(Exception):  # what the turn raises comes once more, from `wait`
        async for value in stream:
            if can_see:
                yield _event("response", await in_thread(plain, value))
    try:
        run = await turn_of(site, before, stream.wait())
    except Exception as error:
        yield _event("problem", problem_of(error).to_dict())
        return
    yield _event("run", await shown_to(site, request, run))


async def follow_run(request: Request) -> Response:
    """Send a run as it is now, and again at each save, as events `run`; `end` is the last one."""
    site = site_of(request)
    run = await site.run_for(request, Action.SEE, request.path_params["run"])
    seen = request.headers.get("last-event-id", "")
    if seen == _mark(run) and run.state in ENDED:
        return Response(status_code=204)  # a browser does not come back then
    return Following(_saves(site, request, run, seen), site.followers)


async def _saves(site: Site, request: Request, run: Run, seen: str) -> AsyncIterator[str]:
    try:
        async for event in _news(site, request, run, seen):
            yield event
    except LongtermError as error:  # such as that the run was deleted
        yield _event("problem", problem_of(error).to_dict())


async def _news(site: Site, request: Request, run: Run, seen: str) -> AsyncIterator[str]:
    end, told, pause = time.monotonic() + _LONGEST, time.monotonic(), _FIRST_LOOK
    while time.monotonic() < end:
        if run.state is not RunState.RUNNING and _mark(run) != seen:
            seen, told, pause = _mark(run), time.monotonic(), _FIRST_LOOK
            yield _event("run", await shown_to(site, request, run), seen)
        if run.state in ENDED:
            yield _event("end", None, seen)
            return
        if time.monotonic() - told > _ALIVE:
            told = time.monotonic()
            yield ": the run waits\n\n"
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_LOOK)
        run = await site.run_for(request, Action.SEE, run.id)


def _mark(run: Run) -> str:
    """Return what tells one rest of a run from another."""
    return f"{run.revision}-{run.state}"
