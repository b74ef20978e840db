"""The command `longterm`: look at runs, send them events, and look after them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from longterm.cli import change, look, work
from longterm.engine import Engine
from longterm.errors import LongtermError

_EPILOG = """\
The store is given by --store, else by LONGTERM_URL. Commands that run flows (send, cancel, retry,
worker) import the modules that --app names first (or LONGTERM_APP, separated by commas)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status: 0, 1 for a refusal, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    url = options.store or os.environ.get("LONGTERM_URL")
    if not url:
        print("longterm: no store (give --store sqlite:///runs.db, or set LONGTERM_URL)", file=sys.stderr)
        return 2
    try:
        _import_application(options.app)
        command: Callable[[Engine, argparse.Namespace], int] = options.command
        return command(Engine(url), options)
    except LongtermError as error:
        print(f"longterm: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _import_application(names: str | None) -> None:
    sys.path.insert(0, os.getcwd())
    for name in (names or os.environ.get("LONGTERM_APP", "")).split(","):
        if name.strip():
            import_module(name.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="longterm", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--store", metavar="URL", help="where the runs are")
    parser.add_argument("--app", metavar="MODULES", help="modules with the flows, by commas")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (look.add_commands, change.add_commands, work.add_commands):
        add(commands)
    return parser
