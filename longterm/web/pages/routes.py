"""Which page stands where; and the files that pages need, which are the package's own."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longterm.pictures import STYLE
from longterm.web.pages import flows, links, runs, tasks, watch
from longterm.web.pages.look import Counts

_FILES: Final = {
    "pages.css": "text/css",
    "pages.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

_KEPT: Final = {"Cache-Control": "max-age=300"}
"""They change with the package only, and hold nothing of anybody's."""


def add_pages(application: Starlette) -> None:
    """Give an application, which has a `Site`, the pages for people."""
    application.state.counts = Counts()
    application.router.routes += [
        Route("/", runs.list_runs),
        Route("/runs/{run:segment}", runs.show_run),
        Route("/runs/{run:segment}/cancel", runs.cancel_run, methods=["POST"]),
        Route("/runs/{run:segment}/retry", runs.retry_run, methods=["POST"]),
        Route("/runs/{run:segment}/fork", runs.fork_run, methods=["POST"]),
        Route("/runs/{run:segment}/rewind", runs.rewind_run, methods=["POST"]),
        Route("/runs/{run:segment}/discard", runs.discard_event, methods=["POST"]),
        Route("/tasks", tasks.list_tasks),
        Route("/tasks/{run:segment}", tasks.show_task),
        Route("/tasks/{run:segment}/{event:segment}", tasks.answer_task, methods=["POST"]),
        Route("/links/{token:segment}", links.show_link),
        Route("/links/{token:segment}", links.answer_link, methods=["POST"]),
        Route("/flows", flows.list_flows),
        Route("/flows/{flow:segment}", flows.show_flow),
        Route("/flows/{flow:segment}", flows.start_run, methods=["POST"]),
        Route("/flows/{flow:segment}/picture", flows.show_picture),
        Route("/changes", watch.changes),
        Route("/static/{name}", _file),
    ]


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "pictures.css":
        return Response(STYLE, media_type="text/css", headers=_KEPT)
    if name not in _FILES:
        return Response(status_code=404)
    content = files("longterm.web.pages").joinpath("static", name).read_bytes()
    return Response(content, media_type=_FILES[name], headers=_KEPT)
