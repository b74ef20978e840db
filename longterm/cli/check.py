"""Commands about changed code: `longterm positions` and `longterm check`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any, Final

from longterm._codec.outline import Outline
from longterm._escapes import escaped
from longterm._flows.flow import known_names
from longterm._flows.verdicts import Verdict
from longterm._records.shapes import Shape, shapes_in
from longterm._terminal import table
from longterm.cli.arguments import WrongUsage
from longterm.engine import Engine
from longterm.frame import Frame

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
    check.set_defaults(command=check_store)
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
    return _check(shapes_in(engine.store))


def check_file(options: argparse.Namespace) -> int:
    """Print what becomes of the runs that a file counts; return 1 if some cannot go on."""
    try:
        with open(options.positions, encoding="utf-8") as file:
            written = json.load(file)
        if written["format"] != _FORMAT:
            raise ValueError(f"it is of format {written['format']}")
        shapes = [_read(shape) for shape in written["positions"]]
    except OSError as error:
        raise WrongUsage(f"cannot read {options.positions}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUsage(
            f"{options.positions} is not what this longterm's `longterm positions` writes: {error}"
        ) from error
    return _check(iter(shapes))


def _check(shapes: Iterator[Shape]) -> int:
    if not known_names():
        raise WrongUsage("no flows are known here (name their modules by --app)")
    rows = [("runs", "where they wait", "line", "in the code that is here")]
    verdicts: list[Verdict] = []
    for shape in shapes:
        verdict = shape.verdict()
        verdicts.append(verdict)
        line = str(shape.outline.frames[-1].line or "-") if shape.outline else "-"
        place = shape.position or f"{shape.flow} ({'?' if shape.outline is None else 'begins'})"
        words = f"{'go on' if verdict.goes_on else 'STAY'}: {verdict.words}"
        rows.append((f"{shape.runs:,}", escaped(place), line, escaped(words)))
    if not verdicts:
        print("no run waits")
        return 0
    for text in table(rows, numbers=1):
        print(text)
    return 0 if all(verdict.goes_on for verdict in verdicts) else 1


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
