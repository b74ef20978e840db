"""Runs over HTTP: an ASGI application that can be mounted anywhere, with an OpenAPI document.

    app.mount("/flows", longterm.web.app(engine, [sell, approve], authorize=may))

It needs the extra `web`. `problem_of` needs nothing, so that views of any framework can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from longterm._later import later
from longterm.engine import Engine
from longterm.web.permission import About, Action, Authorize
from longterm.web.problems import Problem, problem_of
from longterm.web.refusals import Refusal, Unauthenticated

if TYPE_CHECKING:
    from starlette.applications import Starlette
else:
    Starlette = later("starlette.applications", "Starlette")

__all__ = ["About", "Action", "Problem", "Refusal", "Unauthenticated", "app", "problem_of"]

MAX_BODY_BYTES = 2**20
"""How large the body of a request may be, unless an application is told otherwise."""


def app(
    engine: Engine,
    flows: Iterable[Callable[..., Any]] = (),
    *,
    authorize: Authorize,
    trusted_origins: Iterable[str] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Starlette:
    """Return an ASGI application for the runs of an engine.

    Args:
        engine: whose runs.
        flows: those that can be started, each decorated with `@deflow`.
        authorize: asked before anything is done or shown: `authorize(request, action, about)`
            returns True or False, and may be an `async def`. It raises `Unauthenticated` if it does
            not know who asks. There is no default: nothing is open by mistake.
        trusted_origins: other sites whose pages may send requests with the user's cookies, such as
            `https://shop.example`.
        max_body_bytes: how large the body of a request may be.

    Raises:
        ImportError: the extra `web` is not installed.
        NotAFlow: a function is not decorated with `@deflow`.
        CannotCheck: what a flow takes cannot be told from its annotations.
        TypeError: `authorize` cannot be called.
    """
    if not callable(authorize):
        raise TypeError(
            f"authorize={authorize!r} is no function (write one that returns True for what a "
            "request may do: def may(request, action, about))"
        )
    try:
        from longterm.web.application import build
    except ImportError as error:
        raise ImportError(
            f"longterm.web needs {error.name}, which is not installed "
            "(pip install 'longterm[web]')",
            name=error.name,
        ) from error
    return build(engine, flows, authorize, tuple(trusted_origins), max_body_bytes)
