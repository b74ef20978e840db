"""The demo in a browser: `longterm demo --web` serves an approval on this machine."""

from __future__ import annotations

import threading

from longterm.demo.expenses import pay_expense
from longterm.demo.terminal import say, say_aside
from longterm.engine import Engine
from longterm.web import MAX_BODY_BYTES
from longterm.web.serving import serve
from longterm.worker import Worker


def serve_pages(engine: Engine, port: int) -> None:
    """Serve the pages until Ctrl-C, with a worker that reminds whoever lets others wait.

    Args:
        engine: the engine, whose store is that of the demo.
        port: where to listen on this machine.
    """
    say("An expense is approved here, by an ordinary Python function (longterm/demo/expenses.py).")
    say("Start one of 250 euros, give a receipt, and answer as the manager. Or let a minute pass:")
    say("the manager is reminded. Whatever waits is a row of the store, and no process.")
    say_aside("Press Ctrl-C to end, whenever you like. All goes on where it was, another day.")
    say()
    worker = Worker(engine)
    thread = threading.Thread(target=worker.run, name="longterm-demo-worker")
    thread.start()
    try:
        serve(engine, [pay_expense], None, "127.0.0.1", port, MAX_BODY_BYTES)
    except KeyboardInterrupt:
        pass
    finally:
        worker.stop()
        thread.join()
