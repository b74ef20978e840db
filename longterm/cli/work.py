"""The command `longterm worker`: look after runs until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any

from longterm._flows.flow import known_names
from longterm.cli.arguments import count, duration, seconds
from longterm.engine import Engine
from longterm.worker import Worker

_log = logging.getLogger("longterm")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    worker = commands.add_parser("worker", help="end waits that are due, take up dead turns")
    worker.add_argument(
        "--poll",
        metavar="SECONDS",
        type=seconds,
        default="1",
        help="how long to rest when nothing is due: at most 300, 1 by default",
    )
    worker.add_argument(
        "--threads",
        metavar="N",
        type=count,
        default=8,
        help="how many turns run at once: 8 by default",
    )
    worker.add_argument(
        "--batch",
        metavar="N",
        type=count,
        default=100,
        help="how many runs to claim at once, at most, and never more than begin: 100 by default",
    )
    worker.add_argument(
        "--lease",
        metavar="SECONDS",
        type=duration,
        default="60",
        help="how long a process that died holds its runs: 60 by default",
    )
    worker.add_argument(
        "--max-attempts",
        metavar="N",
        type=count,
        default=5,
        help="after how many dead turns in a row a run is failed: 5 by default",
    )
    worker.add_argument(
        "--turn-seconds",
        metavar="SECONDS",
        type=duration,
        help="how long a turn may take before its run is failed: for ever by default",
    )
    worker.add_argument(
        "--grace-seconds",
        metavar="SECONDS",
        type=duration,
        default="30",
        help="how long turns under way may take to end after SIGTERM or SIGINT: 30 by default",
    )
    worker.set_defaults(command=run_worker, makes_store=True)


def run_worker(engine: Engine, options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; a second one ends the process at once."""
    worker = Worker(
        engine,
        poll=options.poll,
        threads=options.threads,
        batch=options.batch,
        max_attempts=options.max_attempts,
        turn_seconds=options.turn_seconds,
        grace_seconds=options.grace_seconds,
    )

    def stop(*_: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        worker.stop()

    for each in _SIGNALS:
        signal.signal(each, stop)
    if not known_names():
        _log.warning("no flows are known here, so no wait is ended (name their modules by --app)")
    _log.info("worker started")
    is_done = worker.run()
    if is_done:
        _log.info("worker stopped")
    else:
        _log.warning("worker stopped before all turns had ended")
    status = 0 if is_done else 1
    if worker.given_up or not is_done:
        _leave(status)
    return status


def _leave(status: int) -> None:
    """End the process now: Python would wait for the threads of turns that hang."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
