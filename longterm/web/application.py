"""How an application is put together: the routes of its operations, behind the guards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longterm.engine import Engine
from longterm.web.answers import Json, problem_answer
from longterm.web.arguments import offered
from longterm.web.guards import Acting, BoundedBodies, Failures, SameOrigin, SecureHeaders
from longterm.web.openapi import document
from longterm.web.operations import API, OPERATIONS, Handler
from longterm.web.pages.routes import add_pages
from longterm.web.paths import EncodedPaths
from longterm.web.permission import Authorize, Permission
from longterm.web.problems import Problem
from longterm.web.site import Followers, Site, site_of


def build(
    engine: Engine,
    flows: Iterable[Callable[..., Any]],
    authorize: Authorize,
    trusted_origins: tuple[str, ...],
    max_body_bytes: int,
) -> Starlette:
    """Return an application; see `longterm.web.app`."""
    found = {flow.name: flow for flow in map(offered, flows)}
    guards = [
        Middleware(SecureHeaders),
        Middleware(Failures),
        Middleware(EncodedPaths),
        Middleware(SameOrigin, trusted_origins=trusted_origins),
        Middleware(BoundedBodies, max_bytes=max_body_bytes),
        Middleware(Acting),
    ]
    application = Starlette(
        routes=_routes(), middleware=guards, exception_handlers={HTTPException: _refused}
    )
    application.router.redirect_slashes = False  # a POST that is redirected loses its body
    application.state.site = Site(engine, found, Permission(authorize), Followers())
    add_pages(application)
    return application


def _routes() -> list[Route]:
    """Return a route a path, so that what is refused says which methods there are."""
    handlers: dict[str, dict[str, Handler]] = {
        API + "/openapi.json": {"GET": _document},
    }
    for operation in OPERATIONS:
        handlers.setdefault(operation.path, {})[operation.method] = operation.handler
    return [
        Route(path, _by_method(methods), methods=[*methods], name=path.rpartition("/")[2])
        for path, methods in handlers.items()
    ]


def _by_method(methods: dict[str, Handler]) -> Handler:
    async def handle(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return handle


async def _document(request: Request) -> Response:
    """Return the OpenAPI document, which says what there is, and of no run."""
    flows = site_of(request).flows.values()
    return Json(document(flows, request.scope.get("root_path", "")))


async def _refused(_: Request, error: Exception) -> Response:
    """Answer what the router refuses: there is no such path, or no such method."""
    assert isinstance(error, HTTPException)
    problem = Problem(
        error.status_code, "HTTPException", error.detail, headers=dict(error.headers or {})
    )
    return problem_answer(problem)
