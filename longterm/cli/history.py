"""Commands about what runs were: `history`, `fork` and `rewind`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from longterm._escapes import escaped, quoted
from longterm.cli.arguments import revision
from longterm.cli.change import print_run
from longterm.cli.look import moment_text, shortened
from longterm.engine import Engine
from longterm.history import HistoryEntry


def add_commands(commands: Any) -> None:
    """Add the commands to a parser."""
    history = commands.add_parser("history", help="show what came to a run, turn by turn")
    history.add_argument("run")
    history.add_argument("--full", action="store_true", help="shorten no line")
    history.add_argument("--json", action="store_true", help="one JSON object a line")
    history.set_defaults(command=show_history)
    fork = commands.add_parser("fork", help="create a run that goes on from what another is or was")
    fork.add_argument("run")
    fork.add_argument(
        "--at", metavar="N", type=revision, help="the revision, as `longterm history` shows it"
    )
    fork.add_argument("--id", help="the id of the new run")
    fork.add_argument("--json", action="store_true")
    fork.set_defaults(command=fork_run)
    rewind = commands.add_parser("rewind", help="put a run back to what it was")
    rewind.add_argument("run")
    rewind.add_argument(
        "--to",
        metavar="N",
        type=revision,
        required=True,
        help="the revision, as `longterm history` shows it",
    )
    rewind.add_argument("--json", action="store_true")
    rewind.set_defaults(command=rewind_run)


def show_history(engine: Engine, options: argparse.Namespace) -> int:
    """Print the history of a run."""
    for entry in _entries(engine, options.run):
        if options.json:
            print(json.dumps(entry.to_dict()))
            continue
        for line in _lines(entry):
            print(line if options.full else shortened(line, "--full shows it"))
    return 0


def _entries(engine: Engine, run_id: str) -> Iterator[HistoryEntry]:
    last = None
    while page := engine.history(run_id, after=last):
        yield from page
        last = page[-1]


def _lines(entry: HistoryEntry) -> Iterator[str]:
    """Return an entry for people."""
    shown = entry.to_dict()
    actor = "" if entry.actor is None else f", by {escaped(entry.actor)}"
    yield f"turn {entry.turn}: {escaped(entry.event)}{actor}, {moment_text(entry.sent_at)}"
    if entry.encoded_value is not None:
        yield f"    value: {json.dumps(shown['value'])}"
    if shown["response"]:
        yield f"    response: {json.dumps(shown['response'])}"
    if entry.outcome is None:
        return
    kept = f" (revision {entry.revision} is kept)" if entry.has_frames else ""
    names = " or ".join((entry.waiting_for or "").split("\n"))
    waiting_for = f", waiting for {escaped(names)}" if names and entry.outcome != "failed" else ""
    yield f"    then {entry.outcome}{waiting_for}, {moment_text(entry.saved_at)}{kept}"
    if shown["error"] is not None:
        yield from quoted(shown["error"]).splitlines()


def fork_run(engine: Engine, options: argparse.Namespace) -> int:
    """Fork a run."""
    return print_run(engine.fork(options.run, at=options.at, id=options.id), options)


def rewind_run(engine: Engine, options: argparse.Namespace) -> int:
    """Put a run back."""
    return print_run(engine.rewind(options.run, to=options.to), options)
