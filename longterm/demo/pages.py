"""The demo in a browser: `longterm demo --web` serves an approval on this machine.

Only who has the link that is printed gets in: it holds a secret, and leaves a cookie behind.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import threading
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from longterm.demo.expenses import pay_expense
from longterm.demo.terminal import say, say_aside
from longterm.engine import Engine
from longterm.web import Unauthenticated, app
from longterm.worker import Worker

_COOKIE: Final = "longterm_demo"


def serve(engine: Engine, port: int) -> None:
    """Serve the pages until Ctrl-C, with a worker that reminds whoever lets others wait.

    Args:
        engine: the engine, whose store is that of the demo.
        port: where to listen on this machine; 0: wherever there is room.
    """
    secret = secrets.token_urlsafe(24)
    listening = socket.create_server(("127.0.0.1", port))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    say("An expense is approved here, by an ordinary Python function (longterm/demo/expenses.py).")
    say("Start one of 250 euros, give a receipt, and answer as the manager. Or let a minute pass:")
    say("the manager is reminded. Whatever waits is a row of the store, and no process.")
    say()
    say(f"    {address}/enter/{secret}")
    say()
    say_aside("Press Ctrl-C to end, whenever you like. All goes on where it was, another day.")
    worker = Worker(engine)
    thread = threading.Thread(target=worker.run, name="longterm-demo-worker")
    thread.start()
    try:
        config = uvicorn.Config(
            doorway(engine, secret), log_level="warning", timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        worker.stop()
        thread.join()
        listening.close()


def doorway(engine: Engine, secret: str) -> Starlette:
    """Return the application of the demo, for those who have its secret."""

    def may(request: Request, action: object, about: object) -> bool:
        if not _is_same(request.cookies.get(_COOKIE, ""), secret):
            raise Unauthenticated
        request.state.audience = ["you", "Ada"]
        return True

    async def enter(request: Request) -> Response:
        if not _is_same(request.path_params["secret"], secret):
            raise Unauthenticated
        answer = RedirectResponse("/flows", 303)
        answer.set_cookie(_COOKIE, secret, httponly=True, samesite="strict")
        return answer

    async def refuse(request: Request, error: Exception) -> Response:
        return Response("Open the link that the demo has printed.\n", 401, media_type="text/plain")

    pages: Any = app(engine, [pay_expense], authorize=may)
    return Starlette(
        routes=[Route("/enter/{secret}", enter), Mount("/", pages)],
        exception_handlers={Unauthenticated: refuse},
    )


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())
