"""What stands before all handlers: whose pages may send requests, how large, and what of answers.

Plain ASGI, so that nothing is buffered and a stream is one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longterm.web.answers import problem_answer
from longterm.web.permission import ACTING
from longterm.web.problems import is_of_the_server, problem_of
from longterm.web.refusals import BodyTooLarge, Forbidden

_log = logging.getLogger("longterm")

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""They change nothing (RFC 9110, 9.2.1)."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; "
        "img-src 'self' data:; script-src 'self'; style-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: with that, browsers send `Origin: null` with the forms of our own pages.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What each answer has, unless its handler says otherwise."""


class SecureHeaders:
    """Gives each answer the headers that keep it from other sites, and from caches."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Failures:
    """Answers what handlers raise, as `problem_of` says; what is the server's own fault is logged.

    Also an exception of a flow's own: it is the run that has failed, and no reason to let go of the
    connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if is_of_the_server(error):
                _log.exception("%s %s failed", scope["method"], scope["path"])
            if has_begun:
                raise
            await problem_answer(problem_of(error))(scope, receive, send)


class SameOrigin:
    """Refuses what pages of other sites send with the user's cookies.

    Browsers say where a request comes from: https://www.w3.org/TR/fetch-metadata/, and before that
    by `Origin`. What says neither is no browser, and has no cookies by mistake.
    """

    def __init__(self, app: ASGIApp, trusted_origins: Collection[str]) -> None:
        """Take the application, and the origins whose pages are as good as its own."""
        self._app = app
        self._trusted = frozenset(origin.rstrip("/") for origin in trusted_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            self._check(Headers(scope=scope))
        await self._app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self._trusted or site in ("same-origin", "none"):
            return
        if site is None and (origin is None or _host_of(origin) == headers.get("host")):
            return
        raise Forbidden(
            "a page of another site has sent this request (if that site is yours, name its origin: "
            "app(..., trusted_origins=['https://shop.example']))"
        )


def _host_of(origin: str) -> str:
    return origin.partition("://")[2]


class BoundedBodies:
    """Refuses the body of a request as soon as it is known to be too large."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Take the application, and how many bytes a body may have."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and len(length) < 20 and int(length) > self._max_bytes:
            raise BodyTooLarge(self._max_bytes)
        taken = 0

        async def bounded() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_bytes:
                raise BodyTooLarge(self._max_bytes)
            return message

        await self._app(scope, bounded, send)


class Acting:
    """Ends with each request what `authorize` has said of who acts."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        with ExitStack() as stack:
            await self._app({**scope, ACTING: stack}, receive, send)
