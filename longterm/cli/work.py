"""The command `longterm worker`: look after runs until told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
from typing import Any

from longterm.cli.arguments import count, seconds
from longterm.engine import Engine
from longterm.worker import Worker

_log = logging.getLogger("longterm")


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
        "--max-attempts",
        metavar="N",
        type=count,
        default=5,
        help="after how many dead turns in a row a run is failed: 5 by default",
    )
    worker.set_defaults(command=run_worker, makes_store=True)


def run_worker(engine: Engine, options: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; the run in progress is finished first."""
    worker = Worker(engine, poll=options.poll, max_attempts=options.max_attempts)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: worker.stop())
    _log.info("worker started")
    worker.run()
    _log.info("worker stopped")
    return 0
