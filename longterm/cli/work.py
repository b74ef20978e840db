"""The command `longterm worker`: look after runs until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from longterm._api import declare_on
from longterm._flows.registry import known_names
from longterm.cli.arguments import WrongUsage, count, duration, seconds
from longterm.engine import Engine
from longterm.errors import StoreError
from longterm.store.shards import HasParts
from longterm.worker import Worker

_log = logging.getLogger("longterm")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    worker = commands.add_parser("worker", help="end waits that are due, take up dead turns")
    for name, kind, unit, usual, text in _OPTIONS:
        shown = f"{text} (default: {usual or 'for ever'})"
        worker.add_argument(f"--{name}", type=kind, metavar=unit, default=usual, help=shown)
    worker.add_argument(
        "--queue",
        metavar="NAME",
        action="append",
        help="carry on only what waits in this queue; may be given again (default: all there is)",
    )
    worker.add_argument(
        "--part",
        metavar="SERVER",
        action="append",
        help="of a store over several servers, work for this one only; may be given again "
        "(default: all, each with as many threads)",
    )
    worker.set_defaults(command=run_worker, makes_store=True)


_OPTIONS: Final[tuple[tuple[str, Callable[[str], object], str, str | None, str], ...]] = (
    ("poll", seconds, "SECONDS", "1", "how long to rest when nothing is due (at most 300)"),
    ("threads", count, "N", "8", "how many turns run at once"),
    ("batch", count, "N", "100", "how many runs one look claims at most"),
    ("lease", duration, "SECONDS", "60", "how long a process that died holds its runs"),
    ("max-attempts", count, "N", "5", "after how many dead turns in a row a run is failed"),
    ("turn-seconds", duration, "SECONDS", None, "how long a turn may take"),
    ("grace-seconds", duration, "SECONDS", "30", "how long turns may take to end when stopped"),
)
"""Each option's name, type, unit, default (which argparse reads as if it were written) and help."""


def run_worker(engine: Engine, options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; a second one ends the process at once."""
    workers = [_worker_on(each, options) for each in _engines(engine, options)]
    _declare(engine, options)

    def stop(*_: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for worker in workers:
            worker.stop()

    for number in _SIGNALS:
        signal.signal(number, stop)
    if not known_names():
        _log.warning("no flows are known here, so no wait is ended (name their modules by --app)")
    _log.info("worker started")
    is_done = run_all(workers)
    if is_done:
        _log.info("worker stopped")
    else:
        _log.warning("worker stopped before all turns had ended")
    status = 0 if is_done else 1
    if not is_done or any(worker.given_up for worker in workers):
        _leave(status)
    return status


def _engines(engine: Engine, options: argparse.Namespace) -> list[Engine]:
    """Return an engine for each server that is to be worked for, so that none waits for another."""
    store = engine.store
    if isinstance(store, HasParts):
        return [options.engine_on(store.part(name)) for name in options.part or store.part_names]
    if options.part:
        raise WrongUsage("--part names one of several servers, and the store is one (leave it out)")
    return [engine]


def _declare(engine: Engine, options: argparse.Namespace) -> None:
    """Store what modules have declared; if one of several servers is away, this is done later."""
    try:
        declare_on(engine)
        known = {status.queue.name for status in engine.queues()} if options.queue else set()
    except StoreError as error:
        if not isinstance(engine.store, HasParts):
            raise
        _log.warning("queues and schedules are as they were declared before: %s", error)
        return
    for name in options.queue or ():
        if name not in known:
            _log.warning("queue %r is not declared in this store, so nothing waits in it yet", name)


def _worker_on(engine: Engine, options: argparse.Namespace) -> Worker:
    return Worker(
        engine,
        poll=options.poll,
        threads=options.threads,
        batch=options.batch,
        queues=options.queue,
        max_attempts=options.max_attempts,
        turn_seconds=options.turn_seconds,
        grace_seconds=options.grace_seconds,
    )


def run_all(workers: list[Worker]) -> bool:
    """Run workers side by side until all are stopped; tell whether all their turns have ended."""
    if len(workers) == 1:
        return workers[0].run()
    from concurrent.futures import ThreadPoolExecutor  # for few

    with ThreadPoolExecutor(len(workers)) as threads:
        return all(done.result() for done in [threads.submit(each.run) for each in workers])


def _leave(status: int) -> None:
    """End the process now: Python would wait for the threads of turns that hang."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
