"""`longterm accept`: write upgrades for runs that wait in a statement which stands today, too."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from longterm._escapes import escaped
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named, known_names
from longterm._flows.verdicts import Acceptable
from longterm._records.shapes import Shape, shapes_in
from longterm.cli.arguments import WrongUsage
from longterm.cli.positions import positions_of_file
from longterm.cli.upgrade_lines import CannotWrite, with_upgrade
from longterm.engine import Engine

_DIGITS: Final = 8
"""Of a version, as positions have it."""
_RELIES: Final = """\
Such a run goes on in the statement where it waits, and what follows is that of today. Accept it
only if that is meant: what came before the wait is not done again, and what was stored is as the
old code made it."""


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "accept",
        help="let runs go on in changed code, where the statement that waits is the same",
        description="Print, or write into the modules, an upgrade for each version of a flow whose "
        "runs could go on where the same statement is under way.",
    )
    parser.add_argument(
        "--positions",
        metavar="FILE",
        help="what `longterm positions` has written, instead of a store",
    )
    parser.add_argument(
        "--write", action="store_true", help="write each line below its flow, in the module's file"
    )
    parser.set_defaults(command=accept_store, on_positions=accept_file)


def accept_store(engine: Engine, options: argparse.Namespace) -> int:
    """Accept what the runs of a store need; return 1 if some stay all the same."""
    return _accept(shapes_in(engine.store), options)


def accept_file(options: argparse.Namespace) -> int:
    """Accept what the runs that a file counts need; return 1 if some stay all the same."""
    return _accept(positions_of_file(options.positions).shapes, options)


def _accept(shapes: Iterable[Shape], options: argparse.Namespace) -> int:
    if not known_names():
        raise WrongUsage("no flows are known here (name their modules by --app)")
    runs: Counter[Acceptable] = Counter()
    stay = 0
    for shape in shapes:
        verdict = shape.verdict()
        runs.update(dict.fromkeys(verdict.accepts, shape.runs))
        if not verdict.goes_on and not verdict.accepts:
            stay += shape.runs
    done = [_accept_version(*key, runs, options) for key in _versions(runs)]
    if done:
        print(_RELIES)
    else:
        print("no version of a flow can be accepted")
    if stay:
        print(f"runs that stay as they are: {stay:,} (`longterm check` says why)")
    return 0 if all(done) and not stay else 1


def _versions(runs: Iterable[Acceptable]) -> list[tuple[str, str]]:
    return sorted({(accept.flow, accept.version) for accept in runs})


def _accept_version(
    name: str, version: str, runs: Counter[Acceptable], options: argparse.Namespace
) -> bool:
    """Print or write the upgrade of one version; return whether there is one."""
    flow, since = flow_named(name), version[:_DIGITS]
    qualname = name.partition(":")[2]
    line = f'upgrade({qualname}, since="{since}")'
    print(escaped(f"{_path(flow)}: {line}"))
    for accept, count in runs.items():
        if (accept.flow, accept.version) == (name, version):
            reads = f", and reads {', '.join(accept.reads)}" if accept.reads else ""
            where = f"waits at line {accept.was}, goes on at line {accept.line}{reads}"
            print(escaped(f"    runs: {count:,}; each {where}"))
    try:
        if options.write:
            _write(flow, qualname, since)
    except (CannotWrite, OSError, UnicodeError) as error:
        print(escaped(f"    not written: {error}"))
        return False
    return True


def _path(flow: Flow) -> Path:
    return Path(flow.original.co_filename)


def _write(flow: Flow, qualname: str, since: str) -> None:
    if flow.fresh.is_written:
        raise CannotWrite("longterm-compile wrote this file (put the line into its source)")
    path = _path(flow)
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(with_upgrade(text, qualname, since))
