"""The server that `longterm serve` starts, by uvicorn."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp

from longterm.engine import Engine
from longterm.web.application import build
from longterm.web.permission import Authorize
from longterm.web.token import PARAMETER, Token, TokenInUrl


def serve(
    engine: Engine,
    flows: Iterable[Callable[..., Any]],
    authorize: Authorize | None,
    host: str,
    port: int,
    max_body_bytes: int,
) -> None:
    """Serve an application until told to stop; without `authorize` to who has the token.

    The token is printed once, and stands in no log.
    """
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    served: ASGIApp
    if authorize is None:
        text = secrets.token_urlsafe(32)
        token = Token(text, f"longterm-{port}")
        served = TokenInUrl(build(engine, flows, token.authorize, (), max_body_bytes), token)
        url += f"?{urlencode({PARAMETER: text})}"
    else:
        served = build(engine, flows, authorize, (), max_body_bytes)
    print(f"longterm is at {url}", flush=True)
    # No log of requests: the first one has the token in its path. Pages that are open follow their
    # runs by streams, which would hold up the end.
    uvicorn.run(
        served,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
