"""Commands that change runs: `longterm send`, `cancel`, `retry` and `prune`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any

from longterm._escapes import escaped
from longterm.cli.arguments import WrongUsage, days
from longterm.cli.look import error_of
from longterm.engine import Engine
from longterm.errors import LongtermError
from longterm.run import Run, RunState


def add_commands(commands: Any) -> None:
    """Add the commands to a parser."""
    send = commands.add_parser("send", help="send an event to a run")
    send.add_argument("run")
    send.add_argument("event")
    send.add_argument("value", nargs="?", default="null", help="the event's value as JSON")
    send.add_argument("--key", help="a name for this delivery: the same key again changes nothing")
    send.add_argument("--json", action="store_true")
    send.set_defaults(command=send_event)
    for name, command, text in (
        ("cancel", cancel_run, "cancel a suspended run"),
        ("retry", retry_run, "give a failed run another try"),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("run")
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(command=command)
    prune = commands.add_parser("prune", help="delete runs that ended long ago")
    prune.add_argument("--older-than", metavar="DAYS", type=days, required=True)
    prune.add_argument("--json", action="store_true")
    prune.set_defaults(command=prune_runs)


def send_event(engine: Engine, options: argparse.Namespace) -> int:
    """Send an event whose value is JSON."""
    try:
        value = json.loads(options.value)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(
            f"the value {options.value!r} is not JSON: {error} (quote a string twice: '\"yes\"')"
        ) from None
    return _outcome(
        engine,
        options,
        engine.aprocess_event(options.run, options.event, value, key=options.key),
    )


def cancel_run(engine: Engine, options: argparse.Namespace) -> int:
    """Cancel a run."""
    return _outcome(engine, options, engine.acancel(options.run))


def retry_run(engine: Engine, options: argparse.Namespace) -> int:
    """Retry a run."""
    return _outcome(engine, options, engine.aretry(options.run))


def prune_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Delete old runs."""
    deleted = engine.prune(options.older_than)
    if options.json:
        print(json.dumps({"deleted": deleted}))
    else:
        print(f"deleted {deleted} run{'s' * (deleted != 1)}")
    return 0


def _outcome(
    engine: Engine, options: argparse.Namespace, step: Coroutine[object, object, Run]
) -> int:
    """Take a step of a run and print how it stands then; 1 if its flow has failed.

    Asynchronous, since that runs both kinds of flows.
    """
    try:
        return _print(asyncio.run(step), options)
    except LongtermError:
        raise
    except Exception as error:
        run = engine.get_run(options.run)
        if run.state is not RunState.FAILED:
            raise
        _print(run, options)
        print(f"longterm: the flow raised {type(error).__name__}", file=sys.stderr)
        print(error_of(run), end="", file=sys.stderr)
        return 1


def _print(run: Run, options: argparse.Namespace) -> int:
    shown = run.to_dict()
    if options.json:
        print(json.dumps(shown))
        return 0
    print(
        f"run {escaped(run.id)} is {run.state}"
        + (f", waiting for {escaped(run.waiting_for)}" if run.waiting_for else "")
    )
    for name in ("response", "result"):
        if shown[name] not in (None, []):
            print(f"{name}: {json.dumps(shown[name])}")
    return 0
