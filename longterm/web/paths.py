"""Paths whose segments may hold anything, a slash too, as the ids of runs and names of events may.

Servers decode a path before it is routed, so that `/` and `%2F` are one. Here it is routed as it
was sent, and each segment is decoded by itself.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class Segment(Convertor[str]):
    """What stands between two slashes of a path: `/runs/{run:segment}`."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Return what was meant."""
        return unquote(value)

    def to_string(self, value: str) -> str:
        """Return it as it stands in a URL."""
        return quote(value, safe="")


register_url_convertor("segment", Segment())


class EncodedPaths:
    """Lets an application be routed by the path as it was sent, below where it is mounted."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope.get("root_path", "") + encoded_path(scope)}
        await self._app(scope, receive, send)


def encoded_path(scope: Scope) -> str:
    """Return the path below where the application is mounted, as it was sent."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    below = path.removeprefix(root)
    sent = (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
    if unquote(sent) == path:
        # A slash of the root is one in what was sent, too.
        return "/" + "/".join(sent.split("/")[1 + root.count("/") :])
    if unquote(sent) == below:  # some servers leave the root out
        return sent
    return quote(below)
