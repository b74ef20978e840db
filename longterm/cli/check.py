"""Commands about changed code: `longterm positions` and `longterm check`."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from longterm._codec.outline import Outline
from longterm._escapes import escaped, escaped_lines
from longterm._flows.frozen import frozen_judged
from longterm._flows.registry import known_names
from longterm._flows.upgrades import upgrades_judged
from longterm._flows.verdicts import Verdict
from longterm._records.left_to_do import left_to_do
from longterm._records.shapes import Shape, shapes_in, why_unreadable
from longterm._terminal import table
from longterm._turns.kept_sources import OldLines
from longterm.cli.arguments import WrongUsage
from longterm.engine import Engine
from longterm.frame import Frame
from longterm.store.base import RunStore

_FORMAT: Final = 1


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
    positions = commands.add_parser(
        "positions", help="write where runs wait, as JSON without any values, for `check`"
    )
    positions.set_defaults(command=write_positions)


def write_positions(engine: Engine, options: argparse.Namespace) -> int:
    """Print how many runs wait where, and what is known of each place."""
    shapes = [_written(shape) for shape in shapes_in(engine.store)]
    print(json.dumps({"format": _FORMAT, "positions": shapes}, indent=1))
    return 0


def check_store(engine: Engine, options: argparse.Namespace) -> int:
    """Print what becomes of the runs of a store; return 1 if some cannot go on."""
    shapes = list(shapes_in(engine.store))
    status = _check(shapes)
    if options.values:
        status = max(status, _check_values(engine.store, shapes))
    if options.diff:
        _print_differences(shapes, OldLines(engine.store))
    return status


def check_file(options: argparse.Namespace) -> int:
    """Print what becomes of the runs that a file counts; return 1 if some cannot go on."""
    if options.diff or options.values:
        name, what = ("--diff", "source") if options.diff else ("--values", "runs")
        raise WrongUsage(f"{name} needs the store, which has the {what} (leave out --positions)")
    return _check(shapes_of_file(options.positions))


def shapes_of_file(path: str) -> list[Shape]:
    """Return what a file of positions says.

    Raises:
        WrongUsage: it cannot be read, or is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
        if written["format"] != _FORMAT:
            raise ValueError(f"it is of format {written['format']}")
        return [_read(shape) for shape in written["positions"]]
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUsage(
            f"{path} is not what this longterm's `longterm positions` writes: {error}"
        ) from error


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


def _print_differences(shapes: list[Shape], old: OldLines) -> None:
    """Print what is left to do for the shapes that cannot go on; what several have, once."""
    said: set[tuple[str, ...]] = set()
    for shape in shapes:
        if shape.outline is None or shape.verdict().goes_on:
            continue
        for lines in left_to_do(shape.outline.frames, shape.outline.functions, old):
            if lines not in said:
                said.add(lines)
                print("", *map(escaped_lines, lines), sep="\n")


def _written(shape: Shape) -> dict[str, Any]:
    found: dict[str, Any] = {
        "flow": shape.flow,
        "position": shape.position,
        "runs": shape.runs,
        "is_old": shape.is_old,
    }
    if shape.outline is not None:
        found["frames"] = [
            [frame.flow, frame.version, frame.point, frame.line, [*frame.slots], frame.rest]
            for frame in shape.outline.frames
        ]
        found["functions"] = shape.outline.functions
    return found


def _read(written: dict[str, Any]) -> Shape:
    outline = None
    if "frames" in written:
        frames = [
            Frame(flow, version, point, line, {str(name): None for name in names}, {}, rest)
            for flow, version, point, line, names, rest in written["frames"]
        ]
        outline = Outline(frames, [(a, b, c) for a, b, c in written["functions"]])
    where = written["flow"], written["position"], written["runs"]
    return Shape(*where, outline, written["is_old"])
