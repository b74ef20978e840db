"""Commands that change runs: `send`, `discard`, `cancel`, `retry`, `delete` and `prune`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, Final

from longterm._escapes import escaped
from longterm.cli.arguments import WrongUsage, count, days, fact, facts
from longterm.cli.look import error_of, shortened, what_is_awaited
from longterm.cli.schema import add_database, prune_database
from longterm.engine import Engine
from longterm.errors import CorruptData, FlowChanged, LongtermError, UnknownFlow
from longterm.run import Run, RunState
from longterm.unread import Receipt

_MOST_COUNTED: Final = 1000
"""So many runs are counted before somebody is asked whether to delete them."""


def add_commands(commands: Any) -> None:
    """Add the commands to a parser."""
    send = commands.add_parser("send", help="send an event to a run")
    send.add_argument("run")
    send.add_argument("event")
    send.add_argument("value", nargs="?", default="null", help="the event's value as JSON")
    send.add_argument("--key", help="a name for this delivery: the same key again changes nothing")
    send.add_argument(
        "--revision",
        metavar="N",
        type=count,
        help="only while the run rests at this save, as `show --json` has it",
    )
    send.add_argument(
        "--later", action="store_true", help="only store it: the run reads it when it waits for it"
    )
    send.add_argument("--json", action="store_true")
    send.set_defaults(command=send_event)
    cancel = commands.add_parser("cancel", help="cancel a suspended run")
    cancel.add_argument("run")
    cancel.add_argument("--force", action="store_true", help="end it without running its code")
    cancel.add_argument("--json", action="store_true")
    cancel.set_defaults(command=cancel_run)
    discard = commands.add_parser("discard", help="take an event out of a run's inbox")
    discard.add_argument("run")
    discard.add_argument("number", type=int, help="the event's number, as `longterm show` has it")
    discard.add_argument("--json", action="store_true")
    discard.set_defaults(command=discard_event)
    retry = commands.add_parser("retry", help="give a failed run another try")
    retry.add_argument("run")
    retry.add_argument("--json", action="store_true")
    retry.set_defaults(command=retry_run)
    _add_deletions(commands)


def _add_deletions(commands: Any) -> None:
    delete = commands.add_parser("delete", help="delete a run that has ended, or all of a customer")
    delete.add_argument("run", nargs="?")
    delete.add_argument("--index", metavar="NAME=VALUE", action="append", default=[], type=fact)
    delete.add_argument("--blind", metavar="NAME=VALUE", action="append", default=[], type=fact)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument("--json", action="store_true")
    delete.set_defaults(command=delete_runs)
    prune = commands.add_parser("prune", help="delete runs that ended long ago")
    prune.add_argument("--older-than", metavar="DAYS", type=days, required=True)
    prune.add_argument(
        "--whole-months", action="store_true", help="leave the month that is not as old as a whole"
    )
    prune.add_argument(
        "--histories", action="store_true", help="forget old entries of all histories instead"
    )
    prune.add_argument("--json", action="store_true")
    add_database(prune, "delete the rows of what was done once in a database of yours instead")
    prune.set_defaults(command=prune_runs, on_database=prune_database)


def send_event(engine: Engine, options: argparse.Namespace) -> int:
    """Send an event whose value is JSON."""
    try:
        value = json.loads(options.value)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(
            f"the value {options.value!r} is not JSON: {error} (quote a string twice: '\"yes\"')"
        ) from None
    if options.later:
        receipt = engine.send(
            options.run, options.event, value, key=options.key, revision=options.revision
        )
        return _stored(receipt, options)
    return _outcome(
        engine,
        options,
        engine.aprocess_event(
            options.run, options.event, value, key=options.key, revision=options.revision
        ),
    )


def _stored(receipt: Receipt, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps(asdict(receipt)))
    elif receipt.is_duplicate:
        print(f"run {escaped(receipt.run_id)} had it before, by its key")
    else:
        print(f"stored as event {receipt.number} of run {escaped(receipt.run_id)}")
    return 0


def discard_event(engine: Engine, options: argparse.Namespace) -> int:
    """Take an event out of an inbox."""
    event = engine.discard_event(options.run, options.number)
    facts = {"run_id": event.run_id, "number": event.number, "event": event.event_id}
    if options.json:
        print(json.dumps(facts))
    else:
        name, run = escaped(repr(event.event_id)), escaped(event.run_id)
        print(f"event {event.number} of run {run}, {name}, is discarded")
    return 0


def cancel_run(engine: Engine, options: argparse.Namespace) -> int:
    """Cancel a run."""
    try:
        return _outcome(engine, options, engine.acancel(options.run, force=options.force))
    except (UnknownFlow, FlowChanged, CorruptData):
        print("longterm: --force ends the run without its code", file=sys.stderr)
        raise


def retry_run(engine: Engine, options: argparse.Namespace) -> int:
    """Retry a run."""
    return _outcome(engine, options, engine.aretry(options.run))


def delete_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Delete a run, or all that have some facts, once somebody has said yes."""
    index, blind = facts(options.index, "--index"), facts(options.blind, "--blind")
    if (options.run is None) is not bool(index or blind):
        raise WrongUsage("give a run, or facts of runs (such as --index customer=4711)")
    if not options.yes and not _agrees(engine, options.run, index, blind):
        print("longterm: nothing was deleted", file=sys.stderr)
        return 1
    return _deleted(engine.delete(options.run, index=index, blind=blind), options)


def _agrees(
    engine: Engine, run_id: str | None, index: dict[str, Any], blind: dict[str, Any]
) -> bool:
    if not sys.stdin.isatty():
        raise WrongUsage("nobody can be asked here whether to delete (give --yes)")
    if run_id is not None:
        run = engine.get_run(run_id)
        what = f"run {escaped(run.id)} of {escaped(run.flow)}, which is {run.state}"
    else:
        count = len(engine.find_runs(index=index, blind=blind, limit=_MOST_COUNTED + 1))
        more = "more than " * (count > _MOST_COUNTED)
        what = f"{more}{_runs(min(count, _MOST_COUNTED))}"
    print(f"Delete {what}? There is no way back. [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def prune_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Delete old runs, or old entries of histories."""
    if options.histories:
        count = engine.prune_history(options.older_than)
        shown = f"forgot {count:,} entr{'y' if count == 1 else 'ies'}"
        print(json.dumps({"forgotten": count}) if options.json else shown)
        return 0
    return _deleted(engine.prune(options.older_than, whole_months=options.whole_months), options)


def _deleted(count: int, options: argparse.Namespace) -> int:
    print(json.dumps({"deleted": count}) if options.json else f"deleted {_runs(count)}")
    return 0


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"


def _outcome(
    engine: Engine, options: argparse.Namespace, step: Coroutine[object, object, Run]
) -> int:
    """Take a step of a run and print how it stands then; 1 if its flow has failed.

    Asynchronous, since that runs both kinds of flows.
    """
    try:
        return print_run(asyncio.run(step), options)
    except LongtermError:
        raise
    except Exception as error:
        run = engine.get_run(options.run)
        if run.state is not RunState.FAILED:
            raise
        print_run(run, options)
        print(f"longterm: the flow raised {type(error).__name__}", file=sys.stderr)
        print(error_of(run), end="", file=sys.stderr)
        return 1


def print_run(run: Run, options: argparse.Namespace) -> int:
    """Print how a run stands; return the exit status."""
    shown = run.to_dict()
    if options.json:
        print(json.dumps(shown))
        return 0
    print(
        f"run {escaped(run.id)} is {run.state}"
        + (f", waiting for {escaped(what_is_awaited(run))}" if run.waiting_for else "")
    )
    for name in ("response", "result"):
        if shown[name] not in (None, []):
            line = f"{name}: {json.dumps(shown[name])}"
            print(shortened(line, "--json prints it"))
    return 0
