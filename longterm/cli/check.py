"""`longterm check`: what becomes of the runs that wait, in the code that is here."""

from __future__ import annotations

import argparse
from typing import Any

from longterm._escapes import escaped, escaped_lines
from longterm._flows.frozen import frozen_judged
from longterm._flows.registry import known_names
from longterm._flows.upgrades import upgrades_judged
from longterm._flows.verdicts import Verdict
from longterm._records.left_to_do import Find, left_to_do
from longterm._records.shapes import Shape, shapes_in, why_unreadable
from longterm._terminal import table
from longterm._turns.kept_sources import OldLines
from longterm.cli.arguments import WrongUsage
from longterm.cli.positions import positions_of_file
from longterm.engine import Engine
from longterm.store.base import RunStore


def add_commands(commands: Any) -> None:
    """Add the commands to a parser."""
    check = commands.add_parser(
        "check", help="tell whether the runs that wait can go on in the code that is here"
    )
    check.add_argument(
        "--positions",
        metavar="FILE",
        help="what `longterm positions` has written, instead of a store",
    )
    check.add_argument(
        "--diff",
        action="store_true",
        help="show what is left to do for runs that cannot go on, old beside new",
    )
    check.add_argument(
        "--values",
        action="store_true",
        help="decode one run of each place, and say what of its values cannot be made here",
    )
    check.set_defaults(command=check_store, on_positions=check_file)


def check_store(engine: Engine, options: argparse.Namespace) -> int:
    """Print what becomes of the runs of a store; return 1 if some cannot go on."""
    shapes = list(shapes_in(engine.store))
    status = _check(shapes)
    if options.values:
        status = max(status, _check_values(engine.store, shapes))
    if options.diff:
        _print_differences(shapes, OldLines(engine.store).source)
    return status


def check_file(options: argparse.Namespace) -> int:
    """Print what becomes of the runs that a file counts; return 1 if some cannot go on."""
    if options.values:
        raise WrongUsage("--values needs the store, which has the runs (leave out --positions)")
    written = positions_of_file(options.positions)
    if options.diff and written.sources is None:
        raise WrongUsage(
            f"--diff needs the old source, which {options.positions} does not have "
            "(write it by `longterm positions --sources`)"
        )
    status = _check(written.shapes)
    if options.diff:
        _print_differences(written.shapes, written.source)
    return status


def _check(shapes: list[Shape]) -> int:
    if not known_names():
        raise WrongUsage("no flows are known here (name their modules by --app)")
    rows = [("runs", "where they wait", "line", "in the code that is here")]
    verdicts: list[Verdict] = []
    versions: set[tuple[str, str]] = set()
    inside: set[tuple[str, str]] = set()
    for shape in shapes:
        verdict = shape.verdict()
        frames = shape.outline.frames if shape.outline else []
        versions.update((frame.flow, frame.version) for frame in frames)
        functions = shape.outline.functions if shape.outline else []
        inside.update((flow, version) for flow, version, _ in functions)
        verdicts.append(verdict)
        line = str(shape.outline.frames[-1].line or "-") if shape.outline else "-"
        place = shape.position or f"{shape.flow} ({'?' if shape.outline is None else 'begins'})"
        words = f"{'go on' if verdict.goes_on else 'STAY'}: {verdict.words}"
        rows.append((f"{shape.runs:,}", escaped(place), line, escaped(words)))
    if verdicts:
        for text in table(rows, numbers=1):
            print(text)
    else:
        print("no run waits")
    for words in (*upgrades_judged(versions), *frozen_judged(versions | inside)):
        print(escaped(words))
    return 0 if all(verdict.goes_on for verdict in verdicts) else 1


def _check_values(store: RunStore, shapes: list[Shape]) -> int:
    """Print whose values cannot be made here; return 1 if there are any."""
    said = [(shape, why) for shape in shapes if (why := why_unreadable(store, shape))]
    print(
        f"values: {len(shapes) - len(said):,} of {len(shapes):,} places can be read (one run each)"
    )
    for shape, why in said:
        place = shape.position or f"{shape.flow} (begins)"
        print(f"UNREADABLE: {escaped(place)}, run {escaped(shape.example)}: {escaped(why)}")
    return 1 if said else 0


def _print_differences(shapes: list[Shape], old: Find) -> None:
    """Print what is left to do for the shapes that cannot go on; what several have, once."""
    said: set[tuple[str, ...]] = set()
    for shape in shapes:
        if shape.outline is None or shape.verdict().goes_on:
            continue
        for lines in left_to_do(shape.outline.frames, shape.outline.functions, old):
            if lines not in said:
                said.add(lines)
                print("", *map(escaped_lines, lines), sep="\n")
