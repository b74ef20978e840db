"""A token for who has started the server, and nobody else: in a header, or in a cookie.

The URL that is printed at the start holds it. Opened once in a browser, it becomes a cookie, and
is not part of any URL from then on.
"""

from __future__ import annotations

import hmac
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from longterm.web.permission import About, Action
from longterm.web.refusals import Unauthenticated

PARAMETER = "token"


class Token:
    """Knows the token, and who has shown it."""

    def __init__(self, token: str, cookie: str) -> None:
        """Take it, and the name of its cookie: one host has cookies for all its ports together."""
        self._token, self._cookie = token, cookie

    def authorize(self, request: Request, action: Action, about: About) -> bool:
        """Allow all to who shows the token.

        Raises:
            Unauthenticated: it is not shown, or another one.
        """
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.is_it(sent) and not self.is_it(request.cookies.get(self._cookie, "")):
            raise Unauthenticated
        return True

    def is_it(self, text: str) -> bool:
        """Tell whether a text is the token."""
        return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), self._token.encode())

    def cookie(self) -> str:
        """Return the cookie as a header has it: for this host's own pages, not for scripts."""
        cookie = SimpleCookie({self._cookie: self._token})
        morsel = cookie[self._cookie]
        morsel["httponly"], morsel["samesite"], morsel["path"] = True, "Strict", "/"
        return cookie.output(header="").strip()


class TokenInUrl:
    """Makes of the token in a URL a cookie, and leads to the same URL without it."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        """Take the application."""
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] == "GET":
            pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            if any(name == PARAMETER and self._token.is_it(value) for name, value in pairs):
                rest = urlencode([pair for pair in pairs if pair[0] != PARAMETER])
                # One slash: `//host` would lead to another host.
                path = "/" + scope["path"].lstrip("/\\")
                headers = {"Set-Cookie": self._token.cookie(), "Cache-Control": "no-store"}
                answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303, headers)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
