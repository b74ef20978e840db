"""`longterm positions`: where runs wait, as a file for those who do not reach the store.

It holds the shapes of the runs and how many there are of each, and none of their values; with
`--sources`, also the source of the versions that they wait in, to compare with.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from longterm._abi.verdict import Verdict
from longterm._codec.outline import Outline
from longterm._records.shapes import Shape, shapes_in
from longterm._turns.kept_sources import OldLines
from longterm.cli.arguments import WrongUsage
from longterm.engine import Engine
from longterm.frame import Frame

if TYPE_CHECKING:
    from longterm._flows.sources import Source

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class WrittenPositions:
    """What a file of positions says."""

    shapes: list[Shape]
    sources: dict[tuple[str, str], Source] | None
    """The sources by flow and version; None: it was written without."""

    def source(self, flow: str, version: str) -> Source | None:
        """Return the source of a version, if the file has it."""
        return (self.sources or {}).get((flow, version))


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    positions = commands.add_parser(
        "positions", help="write where runs wait, as JSON without any values, for `check`"
    )
    positions.add_argument(
        "--sources",
        action="store_true",
        help="write also the source of the versions that they wait in, for `check --diff`",
    )
    positions.set_defaults(command=write_positions)


def write_positions(engine: Engine, options: argparse.Namespace) -> int:
    """Print how many runs wait where, and what is known of each place."""
    shapes = list(shapes_in(engine.store))
    said: dict[str, Any] = {"format": _FORMAT, "positions": [_written(shape) for shape in shapes]}
    if options.sources:
        find = OldLines(engine.store).source
        found = (find(*version) for version in sorted(_versions_of(shapes)))
        said["sources"] = [_source_written(source) for source in found if source is not None]
    print(json.dumps(said, indent=1))
    return 0


def positions_of_file(path: str) -> WrittenPositions:
    """Return what a file of positions says.

    Raises:
        WrongUsage: it cannot be read, or is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
        if written["format"] != _FORMAT:
            raise ValueError(f"it is of format {written['format']}")
        shapes = [_read(shape) for shape in written["positions"]]
        sources = written.get("sources")
        found = None if sources is None else [_source_read(source) for source in sources]
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUsage(
            f"{path} is not what this longterm's `longterm positions` writes: {error}"
        ) from error
    by_version = None if found is None else {(each.flow, each.version): each for each in found}
    return WrittenPositions(shapes, by_version)


def _versions_of(shapes: Iterable[Shape]) -> set[tuple[str, str]]:
    """Return the flows, with their versions, that stand on stacks or have functions in slots."""
    outlines = [shape.outline for shape in shapes if shape.outline is not None]
    found = {(frame.flow, frame.version) for each in outlines for frame in each.frames}
    return found | {(flow, version) for each in outlines for flow, version, _ in each.functions}


def _source_written(source: Source) -> dict[str, Any]:
    return {**asdict(source), "lines": [*source.lines.items()]}


def _source_read(said: dict[str, Any]) -> Source:
    from longterm._flows.sources import Source

    verdicts = tuple((name, tuple(path), Verdict(what)) for name, path, what in said["verdicts"])
    return Source(**{**said, "lines": dict(said["lines"]), "verdicts": verdicts})


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
