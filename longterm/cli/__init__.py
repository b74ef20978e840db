"""The command `longterm`: look at runs, send them events, and look after them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

from longterm._actor import acting_as
from longterm._engine.parts import HISTORIES, MAX_BYTES, history_wanted, versions_wanted
from longterm._escapes import escaped, escaped_lines, quoted
from longterm._terminal import add_version, run_command
from longterm.cli import (
    accept,
    change,
    check,
    freeze,
    history,
    look,
    observing,
    picture,
    positions,
    schema,
    seal,
    serve,
    talk,
    waiting,
    work,
)
from longterm.cli.arguments import WrongUsage, count
from longterm.engine import Engine
from longterm.errors import CompileError, LongtermError
from longterm.logs import RunFilter
from longterm.store import open_store
from longterm.store.base import RunStore

_EPILOG = """\
The store is given by --store, else by LONGTERM_URL. Commands that run flows (send, cancel, retry,
worker) import the modules that --app names first (or LONGTERM_APP, separated by commas)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 if all is well, 1 for a refusal, 2 for wrong usage; 130 and 141 as `run_command` says.
    """
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        if options.db is not None:
            return schema.run_on_database(options)
        if options.positions is not None:
            _import_application(*options.app)
            on_positions: Callable[[argparse.Namespace], int] = options.on_positions
            return on_positions(options)
        if options.draws:
            _import_application(*options.app)
            _import_application(picture.module_of(options))
            if not options.counts:
                return picture.draw(options)
        options.observer = observing.telemetry() if options.telemetry else None
        options.engine_on = partial(_engine_on, options=options)
        engine = _engine_on(_open(options), options)
        _import_application(*options.app)
        if options.telemetry:
            observing.check_sdk()
        command: Callable[[Engine, argparse.Namespace], int] = options.command
        with nullcontext() if options.actor is None else acting_as(options.actor):
            return command(engine, options)
    except WrongUsage as error:
        print(f"longterm: {escaped(str(error))}", file=sys.stderr)
        return 2
    except CompileError as error:
        print(f"longterm: {escaped_lines(str(error))}", file=sys.stderr)
        return 1
    except LongtermError as error:
        print(f"longterm: {escaped(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except Exception:  # of the author's code, for example while it was imported
        print(
            f"longterm: an unexpected error\n{quoted(traceback.format_exc())}",
            end="",
            file=sys.stderr,
        )
        return 1


def _engine_on(store: RunStore, options: argparse.Namespace) -> Engine:
    return Engine(
        store,
        lease=timedelta(seconds=options.lease),
        max_bytes=options.max_bytes,
        history=options.history or history_wanted(),
        versions=options.versions or versions_wanted(),
        observer=options.observer,
    )


def _open(options: argparse.Namespace) -> RunStore:
    options.store = options.store or options.own_store or os.environ.get("LONGTERM_URL")
    if not options.store:
        raise WrongUsage("no store (give --store sqlite:///runs.db, or set LONGTERM_URL)")
    store = open_store(options.store)
    # What a typing error names is not to be made by a look at it.
    must_exist = getattr(store, "must_exist", None)
    if must_exist is not None and not options.makes_store:
        must_exist()
    return store


def _import_application(*given: str) -> None:
    sys.path.insert(0, os.getcwd())
    for name in (",".join(given) or os.environ.get("LONGTERM_APP", "")).split(","):
        if name.strip():
            try:
                if name.strip().startswith("."):
                    raise ImportError("it is a path, or relative")
                import_module(name.strip())
            except ImportError as error:
                raise WrongUsage(
                    f"cannot import {name.strip()}: {error} "
                    "(--app names modules as an `import` statement would, found from this folder)"
                ) from error


def _log_to_stderr() -> None:
    """Log with the run that a record belongs to, the author's own records too."""
    handler = logging.StreamHandler()
    handler.addFilter(RunFilter())
    handler.setFormatter(_Escaping("%(asctime)s %(levelname)s %(name)s run=%(run_id)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Escaping(logging.Formatter):
    """Writes each record on a line of its own, whatever stands in it; tracebacks keep theirs."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """Return a traceback."""
        return quoted(super().formatException(ei)).rstrip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="longterm", description=__doc__, epilog=_EPILOG)
    add_version(parser)
    parser.add_argument("--store", metavar="URL", help="where the runs are")
    parser.add_argument(
        "--app",
        metavar="MODULES",
        action="append",
        default=[],
        help="modules with the flows, by commas; may be given again",
    )
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=count,
        default=MAX_BYTES,
        help=f"how large a run's stack, responses or result may be: {MAX_BYTES} by default",
    )
    parser.add_argument(
        "--history",
        choices=HISTORIES,
        help="what is kept of each turn; else LONGTERM_HISTORY says it",
    )
    parser.add_argument("--actor", metavar="NAME", help="who sends, cancels and so on")
    parser.add_argument(
        "--versions",
        choices=["on", "off"],
        help="whether the source of versions is kept; else LONGTERM_VERSIONS says it, else on",
    )
    parser.add_argument(
        "--telemetry",
        action="store_true",
        help="tell OpenTelemetry of turns (as opentelemetry-instrument or --app sets it up)",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parser.set_defaults(makes_store=False, own_store=None, db=None, lease=60.0)
    parser.set_defaults(positions=None, draws=False)
    runs = (look, waiting, change, history, work, serve)
    for module in (*runs, check, positions, accept, freeze, picture, seal, schema, talk):
        module.add_commands(commands)
    return parser
